//! The control: one event of an accepted history is corrupted, in a way that no lock could answer for, and
//! the history must no longer pass. A judge that accepts everything would pass every other test here.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;
use lockspace::FencingToken;
use lockspace_history::{
    Budget, Call, CallId, Done, Event, History, NotDone, Return, Ticket, Verdict, What, judge,
    judge_by_witness,
};
use lockspace_spec::{Lease, Loss, Refusal, Wait};

use crate::busy::{Busy, record, seed};

const BUSY: Busy =
    Busy { names: 2, tasks: 5, threads: 3, rounds: 60, shutdown_after: Some(50), limits: None };

/// An acquire: where its events are, and what they say.
struct Seen {
    name: Arc<str>,
    wait: Wait,
    lease: Lease,
    invoke: usize,
    queued: Option<(usize, Ticket)>,
    returned: Option<(usize, Return)>,
    cancel: Option<(usize, usize)>,
    /// The release that was accepted: its beginning and its end.
    released: Option<(usize, usize)>,
}

impl Seen {
    fn granted(&self) -> Option<(usize, FencingToken)> {
        match self.returned {
            Some((at, Return::Done(Done::Granted(Some(token))))) => Some((at, token)),
            _ => None,
        }
    }
}

/// A history to be corrupted.
struct Draft {
    events: Vec<Event>,
    seen: Vec<Seen>,
}

impl Draft {
    fn of(history: &History) -> Self {
        let events = history.events().to_vec();
        let mut seen: Vec<Seen> = Vec::new();
        let mut acquires: HashMap<CallId, usize> = HashMap::new();
        let mut calls: HashMap<CallId, (usize, Call)> = HashMap::new();
        for (at, event) in events.iter().enumerate() {
            match &event.what {
                What::Invoke(id, call) => {
                    calls.insert(*id, (at, call.clone()));
                    if let Call::Acquire { name, wait, lease } = call {
                        acquires.insert(*id, seen.len());
                        let name = Arc::clone(name);
                        let (wait, lease, invoke) = (*wait, *lease, at);
                        let (queued, returned, cancel, released) = (None, None, None, None);
                        seen.push(Seen {
                            name,
                            wait,
                            lease,
                            invoke,
                            queued,
                            returned,
                            cancel,
                            released,
                        });
                    }
                }
                What::Queued(id, ticket) => seen[acquires[id]].queued = Some((at, *ticket)),
                What::Return(id, answer) => match (&calls[id], answer) {
                    ((_, Call::Acquire { .. }), _) => {
                        seen[acquires[id]].returned = Some((at, *answer));
                    }
                    ((begun, Call::Cancel { request }), _) => {
                        seen[acquires[request]].cancel = Some((*begun, at));
                    }
                    ((begun, Call::Release { request }), Return::Done(_)) => {
                        seen[acquires[request]].released = Some((*begun, at));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Self { events, seen }
    }

    /// Grants of one name next to each other in the order of tokens.
    fn neighbours(&self) -> impl Iterator<Item = (&Seen, &Seen)> {
        let mut granted: Vec<&Seen> = self.seen.iter().filter(|s| s.granted().is_some()).collect();
        granted
            .sort_by_key(|seen| (Arc::clone(&seen.name), seen.granted().map(|(_, token)| token)));
        let pairs: Vec<_> = granted.windows(2).map(|pair| (pair[0], pair[1])).collect();
        pairs.into_iter().filter(|(a, b)| a.name == b.name)
    }

    fn answer(&mut self, at: usize, answer: Return) {
        if let What::Return(_, its) = &mut self.events[at].what {
            *its = answer;
        }
    }

    fn ticket(&mut self, at: usize, ticket: Ticket) {
        if let What::Queued(_, its) = &mut self.events[at].what {
            *its = ticket;
        }
    }

    /// Takes two events out, of which the first comes first.
    fn remove(&mut self, first: usize, second: usize) {
        self.events.remove(second);
        self.events.remove(first);
    }
}

/// A way to corrupt an event: answers whether there was one to corrupt.
type Corruption = fn(&mut Draft, &mut Rng) -> bool;

const CORRUPTIONS: [(&str, Corruption); 10] = [
    ("a token is given twice", |draft, rng| {
        let Some((at, own)) = pick(rng, draft.seen.iter().filter_map(Seen::granted)) else {
            return false;
        };
        let others = draft.seen.iter().filter_map(Seen::granted).filter(|(_, other)| *other != own);
        let Some((_, other)) = pick(rng, others) else { return false };
        draft.answer(at, granted(other));
        true
    }),
    ("the tokens of two grants are exchanged", |draft, rng| {
        let both =
            draft.neighbours().filter_map(|(a, b)| Some((a.granted()?, b.granted()?, b.invoke)));
        let apart = both.filter(|((at, _), _, invoke)| at < invoke);
        let Some(((a, token_a), (b, token_b), _)) = pick(rng, apart) else { return false };
        draft.answer(a, granted(token_b));
        draft.answer(b, granted(token_a));
        true
    }),
    ("an answer is given again", |draft, rng| {
        let answers = draft.seen.iter().filter_map(|seen| seen.returned);
        let Some((at, _)) = pick(rng, answers) else { return false };
        let again = draft.events[at].clone();
        draft.events.insert(at + 1, again);
        true
    }),
    ("a holder is told that it was refused", |draft, rng| {
        let released = draft.seen.iter().filter(|seen| seen.released.is_some());
        let Some((at, _)) = pick(rng, released.filter_map(Seen::granted)) else { return false };
        draft.answer(at, refused(Refusal::Busy));
        true
    }),
    ("one who would not wait times out", |draft, rng| {
        let hasty = draft.seen.iter().filter(|seen| seen.wait == Wait::No);
        let Some((at, _)) = pick(rng, hasty.filter_map(|seen| seen.returned)) else { return false };
        draft.answer(at, refused(Refusal::TimedOut));
        true
    }),
    ("a release never happens, and the name goes on", |draft, rng| {
        let kept = draft.neighbours().filter(|(a, _)| a.lease == Lease::Unbounded);
        let Some((begun, ended)) = pick(rng, kept.filter_map(|(a, _)| a.released)) else {
            return false;
        };
        draft.remove(begun, ended);
        true
    }),
    ("two tickets are exchanged", |draft, rng| {
        let queued = |seen: &Seen| Some((Arc::clone(&seen.name), seen.queued?, seen.invoke));
        let mut queued: Vec<_> = draft.seen.iter().filter_map(queued).collect();
        queued.sort_unstable();
        let pairs = queued.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let Some(pair) = pick(rng, pairs.filter(|pair| pair[0].1.0 < pair[1].2)) else {
            return false;
        };
        draft.ticket(pair[0].1.0, pair[1].1.1);
        draft.ticket(pair[1].1.0, pair[0].1.1);
        true
    }),
    ("a cancelled request is forgotten instead", |draft, rng| {
        let cancels = draft.seen.iter().filter_map(|seen| seen.cancel);
        let Some((begun, ended)) = pick(rng, cancels) else { return false };
        draft.remove(begun, ended);
        true
    }),
    ("a release is told of a loss that nobody caused", |draft, rng| {
        let kept = draft.seen.iter().filter(|seen| seen.lease == Lease::Unbounded);
        let Some((_, ended)) = pick(rng, kept.filter_map(|seen| seen.released)) else {
            return false;
        };
        draft.answer(ended, Return::NotDone(NotDone::Lost(Loss::LeaseElapsed)));
        true
    }),
    ("a grant is given after shutdown", |draft, rng| {
        let is_end =
            |event: &Event| matches!(event.what, What::Return(_, Return::Done(Done::Began)));
        let Some(end) = draft.events.iter().position(is_end) else { return false };
        let late = draft.seen.iter().filter(|seen| seen.invoke > end);
        let Some((at, _)) = pick(rng, late.filter_map(|seen| seen.returned)) else { return false };
        draft.answer(at, granted(FencingToken(u64::MAX)));
        true
    }),
];

fn pick<T>(rng: &mut Rng, from: impl Iterator<Item = T>) -> Option<T> {
    rng.choice(from.collect::<Vec<_>>())
}

fn granted(token: FencingToken) -> Return {
    Return::Done(Done::Granted(Some(token)))
}

fn refused(refusal: Refusal) -> Return {
    Return::NotDone(NotDone::Refused(refusal))
}

#[test]
fn a_corrupted_event_is_rejected() {
    let mut applied = [0; CORRUPTIONS.len()];
    for _ in 0..10 {
        let seed = seed();
        let history = record(BUSY, seed);
        let verdict = judge(&history, Budget::default());
        assert!(matches!(verdict, Verdict::Accepted(_)), "seed {seed}: {verdict:?}");
        let mut rng = Rng::with_seed(seed);
        for (count, (what, corrupt)) in applied.iter_mut().zip(CORRUPTIONS) {
            let mut draft = Draft::of(&history);
            if !corrupt(&mut draft, &mut rng) {
                continue;
            }
            let corrupted = History::new(history.header(), draft.events).expect("still a history");
            let verdict = judge(&corrupted, Budget::default());
            assert!(matches!(verdict, Verdict::Rejected(_)), "seed {seed}: {what}: {verdict:?}");
            *count += 1;
        }
    }
    println!("corrupted and rejected: {applied:?}");
    assert!(applied.iter().all(|count| *count > 0), "each way is tried: {applied:?}");
}

#[test]
fn exchanged_tokens_are_found_without_a_search() {
    let seed = seed();
    let history = record(Busy { shutdown_after: None, ..BUSY }, seed);
    assert!(matches!(judge_by_witness(&history), Verdict::Accepted(_)), "seed {seed}");
    let mut draft = Draft::of(&history);
    let (_, exchange) = CORRUPTIONS[1];
    assert!(
        exchange(&mut draft, &mut Rng::with_seed(seed)),
        "seed {seed}: names are granted twice"
    );
    let corrupted = History::new(history.header(), draft.events).expect("still a history");
    let verdict = judge_by_witness(&corrupted);
    assert!(matches!(verdict, Verdict::Rejected(_)), "seed {seed}: {verdict:?}");
}
