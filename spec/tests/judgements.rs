//! The protocol in numbers: how many states and answers there are within small bounds, on how many steps
//! each goal shows, and how many wrong steps each property notices. Kept in `judgements.txt`: a property
//! that begins to notice less, or more, shows here. What the numbers should be, nobody can say; that they
//! change without cause, anybody can see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use lockspace_spec::history::{Event, Recorder, What};
use lockspace_spec::{
    Action, Addressee, Answer, Env, FencingToken, Grace, Hold, Lease, Limits, Loss, Name, Op,
    Outcome, Outcomes, Phase, REACHABLE, Refusal, RequestId, SAFETY, State, Timer, Transition,
    Wait, Waiter, step,
};

/// How many steps from the beginning.
const DEPTH: usize = 5;
/// Of the steps, every so-manieth is also changed.
const EVERY: usize = 13;
const REQUESTS: [RequestId; 3] = [RequestId(0), RequestId(1), RequestId(2)];
const NAMES: [Name; 2] = [Name(0), Name(1)];
const LIMITS: [(&str, Limits); 2] = [
    ("without limits", Limits::UNLIMITED),
    ("one name, one waiter", Limits { names: 1, waiters_per_name: 1 }),
];
const MODES: [(Wait, Lease); 3] = [
    (Wait::No, Lease::Unbounded),
    (Wait::Bounded, Lease::Bounded),
    (Wait::Unbounded, Lease::Unbounded),
];

/// A step, right or wrong.
#[derive(Clone, PartialEq)]
struct Edge {
    before: State,
    action: Action,
    told: Outcomes,
    after: State,
}

impl Edge {
    fn transition(&self) -> Transition<'_> {
        let Self { before, action, told: outcomes, after } = self;
        Transition { before, action, outcomes, after }
    }
}

/// Everything that may be tried in a state.
fn actions(state: &State) -> Vec<Action> {
    let mut ops = vec![Op::Shutdown { grace: Grace::No }, Op::Shutdown { grace: Grace::Bounded }];
    let mut environment = vec![Env::GraceElapsed];
    let tokens = || (FencingToken::FIRST.0..=state.next_token.0).map(FencingToken);
    for request in REQUESTS {
        for name in NAMES {
            ops.extend(MODES.map(|(wait, lease)| Op::Acquire { request, name, wait, lease }));
        }
        ops.push(Op::Cancel { request });
        ops.extend(tokens().map(|token| Op::Release { request, token }));
        ops.extend(tokens().map(|token| Op::Renew { request, token }));
        environment.push(Env::WaitElapsed { request });
    }
    ops.extend(NAMES.map(|name| Op::ForceRelease { name }));
    environment.extend(tokens().map(|token| Env::LeaseElapsed { token }));
    ops.into_iter().map(Action::from).chain(environment.into_iter().map(Action::from)).collect()
}

/// Every step within the bounds, and how many states they begin in.
fn edges(limits: Limits) -> (Vec<Edge>, BTreeSet<State>) {
    let mut known = BTreeSet::from([State::new(limits)]);
    let (mut fresh, mut edges) = (known.clone(), Vec::new());
    for _ in 0..DEPTH {
        let mut next = BTreeSet::new();
        for before in fresh {
            for action in actions(&before) {
                let (after, told) = step(&before, &action);
                if known.insert(after.clone()) {
                    next.insert(after.clone());
                }
                edges.push(Edge { before: before.clone(), action, told, after });
            }
        }
        fresh = next;
    }
    (edges, known)
}

/// How an edge is made wrong. Each change that there is to make is offered to the second argument.
type Change = fn(&Edge, &mut dyn FnMut(Edge));

/// Changes of the state after the step.
fn after(edge: &Edge, offer: &mut dyn FnMut(Edge), change: impl FnOnce(&mut State)) {
    let mut wrong = edge.clone();
    change(&mut wrong.after);
    offer(wrong);
}

fn told(edge: &Edge, offer: &mut dyn FnMut(Edge), answers: impl IntoIterator<Item = Answer>) {
    let mut told = Outcomes::default();
    for answer in answers {
        match answer.to {
            Addressee::Request(request) => told.tell(request, answer.outcome),
            Addressee::Operator => told.tell_operator(answer.outcome),
        }
    }
    offer(Edge { told, ..edge.clone() });
}

const CHANGES: [(&str, Change); 24] = [
    ("nothing is done", |edge, offer| after(edge, offer, |state| *state = edge.before.clone())),
    ("nobody is told", |edge, offer| told(edge, offer, [])),
    ("it was something else", |edge, offer| {
        for action in actions(&edge.before) {
            offer(Edge { action, ..edge.clone() });
        }
    }),
    ("it began later", |edge, offer| {
        let mut wrong = edge.clone();
        wrong.before.next_token = edge.after.next_token.next();
        offer(wrong);
    }),
    ("it began elsewhere", |edge, offer| {
        let before = State { phase: Phase::Closed, ..edge.before.clone() };
        offer(Edge { before, ..edge.clone() });
        let before = State { phase: Phase::Draining, ..edge.before.clone() };
        offer(Edge { before, ..edge.clone() });
    }),
    ("another phase", |edge, offer| {
        for phase in [Phase::Open, Phase::Draining, Phase::Closed] {
            after(edge, offer, |state| state.phase = phase);
        }
    }),
    ("the next token is spent", |edge, offer| {
        after(edge, offer, |state| state.next_token = state.next_token.next());
    }),
    ("a token comes again", |edge, offer| {
        after(edge, offer, |state| state.next_token.0 -= 1);
    }),
    ("other limits", |edge, offer| {
        for names in 0..3 {
            for waiters_per_name in 0..3 {
                after(edge, offer, |state| state.limits = Limits { names, waiters_per_name });
            }
        }
    }),
    ("a hold is gone", |edge, offer| {
        for token in edge.after.holds.keys() {
            after(edge, offer, |state| {
                state.holds.remove(token);
            });
        }
    }),
    ("a hold too many", |edge, offer| {
        for request in REQUESTS {
            for name in NAMES {
                for lease in [Lease::Unbounded, Lease::Bounded] {
                    let hold = Hold { request, name, lease };
                    after(edge, offer, |state| {
                        state.holds.insert(state.next_token, hold);
                        state.next_token = state.next_token.next();
                    });
                }
            }
        }
    }),
    ("a hold of the next token", |edge, offer| {
        let (request, name) = (RequestId(9), Name(9));
        after(edge, offer, |state| {
            let hold = Hold { request, name, lease: Lease::Unbounded };
            state.holds.insert(state.next_token, hold);
        });
    }),
    ("a hold changes hands", |edge, offer| {
        for (token, request) in edge.after.holds.keys().zip(REQUESTS) {
            after(edge, offer, |state| {
                state.holds.entry(*token).and_modify(|hold| hold.request = request);
            });
        }
    }),
    ("an entry is gone", |edge, offer| {
        for name in edge.after.entries.keys() {
            after(edge, offer, |state| {
                state.entries.remove(name);
            });
        }
    }),
    ("an entry too many", |edge, offer| {
        after(edge, offer, |state| {
            state.entries.entry(Name(9)).or_default();
        });
    }),
    ("a waiter is gone", |edge, offer| {
        for (name, queue) in &edge.after.entries {
            for place in 0..queue.len() {
                let queue = |state: &mut State| state.entries[name].clone();
                after(edge, offer, |state| {
                    let mut queue = queue(state);
                    queue.remove(place);
                    state.entries.insert(*name, queue);
                });
            }
        }
    }),
    ("a waiter too many", |edge, offer| {
        for name in edge.after.entries.keys() {
            for request in REQUESTS {
                for timed in [false, true] {
                    after(edge, offer, |state| {
                        let queue = state.entries.entry(*name).or_default();
                        queue.push_back(Waiter { request, timed, lease: Lease::Unbounded });
                    });
                    after(edge, offer, |state| {
                        let queue = state.entries.entry(*name).or_default();
                        queue.push_front(Waiter { request, timed, lease: Lease::Unbounded });
                    });
                }
            }
        }
    }),
    ("a queue is reversed", |edge, offer| {
        for name in edge.after.entries.keys() {
            after(edge, offer, |state| {
                let queue = state.entries.entry(*name).or_default();
                queue.make_contiguous().reverse();
            });
        }
    }),
    ("a timer is gone", |edge, offer| {
        for timer in &edge.after.timers {
            after(edge, offer, |state| {
                state.timers.remove(timer);
            });
        }
    }),
    ("a timer for another", |edge, offer| {
        let others = REQUESTS.map(Timer::Wait).into_iter().chain([Timer::Grace]);
        for other in others.filter(|other| !edge.after.timers.contains(other)) {
            for timer in &edge.after.timers {
                after(edge, offer, |state| {
                    state.timers.remove(timer);
                    state.timers.insert(other);
                });
            }
        }
    }),
    ("a timer too many", |edge, offer| {
        let waits = REQUESTS.map(Timer::Wait);
        let leases = [1, 2, 3].map(|token| Timer::Lease(FencingToken(token)));
        for timer in waits.into_iter().chain(leases).chain([Timer::Grace]) {
            after(edge, offer, |state| {
                state.timers.insert(timer);
            });
        }
    }),
    ("an answer is withheld", |edge, offer| {
        for missing in 0..edge.told.iter().count() {
            let others = edge.told.iter().enumerate().filter(|(at, _)| *at != missing);
            told(edge, offer, others.map(|(_, answer)| *answer));
        }
    }),
    ("an answer is given twice", |edge, offer| {
        for answer in edge.told.iter() {
            told(edge, offer, edge.told.iter().chain([answer]).copied());
        }
    }),
    ("an answer is made up", |edge, offer| {
        let before = FencingToken(edge.before.next_token.0 - 1);
        for outcome in [
            Outcome::Granted(before),
            Outcome::Granted(edge.before.next_token),
            Outcome::Refused(Refusal::AtCapacity),
            Outcome::Cancelled,
            Outcome::Released,
            Outcome::Lost(Loss::Forced),
            Outcome::NotHeld,
        ] {
            for request in REQUESTS {
                let answer = Answer { to: Addressee::Request(request), outcome };
                told(edge, offer, edge.told.iter().copied().chain([answer]));
            }
        }
    }),
];

/// How many of the wrong steps that a change makes each property notices.
fn noticed(edges: &[Edge], change: Change) -> [usize; SAFETY.len()] {
    let mut noticed = [0; SAFETY.len()];
    for edge in edges.iter().step_by(EVERY) {
        change(edge, &mut |wrong| {
            for (count, property) in noticed.iter_mut().zip(&SAFETY) {
                *count += usize::from(!(property.holds)(&wrong.transition()));
            }
        });
    }
    noticed
}

/// The word for an outcome, without its number.
fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Granted(_) => "Granted".into(),
        other => format!("{other:?}"),
    }
}

fn describe((title, limits): (&str, Limits)) -> String {
    let (edges, states) = edges(limits);
    let mut text = format!("{title}\n");
    let mut line = |what: &str, numbers: &[usize]| {
        let numbers: Vec<String> = numbers.iter().map(|n| format!("{n:>8}")).collect();
        writeln!(text, "{what:<26}{}", numbers.concat()).expect("a text takes everything");
    };
    line("states", &[states.len(), states.iter().filter(|state| state.is_quiescent()).count()]);
    line("steps", &[edges.len(), edges.iter().filter(|edge| edge.told.is_empty()).count()]);
    let mut answers: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for answer in edges.iter().flat_map(|edge| edge.told.iter()) {
        let count = answers.entry(word(answer.outcome)).or_default();
        count[0] += 1;
        count[1] += usize::from(answer.outcome.answers_acquire());
        count[2] += usize::from(answer.outcome.ends_grant());
    }
    answers.iter().for_each(|(word, numbers)| line(word, numbers));
    for goal in &REACHABLE {
        let shown = edges.iter().filter(|edge| (goal.holds)(&edge.transition()));
        line(goal.id, &[shown.count()]);
    }
    line("nothing is wrong", &noticed(&edges, |edge, offer| offer(edge.clone())));
    for (what, change) in CHANGES {
        line(what, &noticed(&edges, change));
    }
    text
}

#[test]
fn the_protocol_and_its_properties_are_in_numbers_what_is_kept() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judgements.txt");
    let kept = std::fs::read_to_string(kept).unwrap_or_default().replace("\r\n", "\n");
    let found = LIMITS.map(describe).join("\n");
    if found != kept {
        let place = std::env::temp_dir().join("lockspace-judgements.txt");
        std::fs::write(&place, &found).expect("the temporary directory can be written");
        let first = found.lines().zip(kept.lines()).find(|(found, kept)| found != kept);
        panic!("not as kept, first: {first:#?}; all of it is in {}", place.display());
    }
}

#[test]
fn the_last_token_stands_still() {
    assert_eq!(FencingToken(7).next(), FencingToken(8));
    assert_eq!(FencingToken(u64::MAX).next(), FencingToken(u64::MAX));
    assert_eq!(FencingToken(7).to_string(), "7");
}

#[test]
fn a_token_goes_through_text_and_through_a_signed_column() {
    for token in [FencingToken(0), FencingToken::FIRST, FencingToken(i64::MAX as u64)] {
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_eq!(i64::try_from(token).map(u64::try_from), Ok(Ok(token.0)));
        assert_eq!(FencingToken::from(token.0), token);
    }
    assert!(i64::try_from(FencingToken(1 << 63)).is_err());
    assert!("-1".parse::<FencingToken>().is_err());
}

#[test]
fn a_recorder_writes_down_what_is_told_and_not_what_was_seen() {
    struct Written(Mutex<Vec<Event>>);
    impl Recorder for Written {
        fn record(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }
    let event = |at| Event { at, process: 0, what: What::Closed };
    let written = Written(Mutex::default());
    written.record_seen(event(1), Some(event(2)));
    written.record_seen(event(3), None);
    assert_eq!(*written.0.lock().unwrap(), [event(2)]);
}

#[test]
fn phases_and_refusals_are_told_in_words() {
    let phases = [Phase::Open, Phase::Draining, Phase::Closed];
    assert_eq!(phases.map(|phase| phase.to_string()), ["open", "draining", "closed"]);
    use Refusal::{AtCapacity, Busy, ShuttingDown, TimedOut};
    let refusals = [Busy, TimedOut, ShuttingDown, AtCapacity].map(|refusal| refusal.to_string());
    assert_eq!(refusals, ["busy", "timed out", "shutting down", "at capacity"]);
}
