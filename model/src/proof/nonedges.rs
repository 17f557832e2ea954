//! Steps that the protocol does not take: an edge with its end changed in one thing.
//!
//! A formula that is true of every edge could be true of too much. These are the steps on which it
//! would show: a timer more or less, a waiter lost, moved or added, a token off by one, an answer
//! withheld, misdirected or made up.

use std::collections::VecDeque;

use lockspace_spec::{
    Addressee, Answer, FencingToken, Hold, Lease, Name, Outcome, Outcomes, Phase, Refusal,
    RequestId, State, Timer, Waiter,
};

use super::tie::{Bounds, Edge};

/// Changes of the end of `edge` in one thing, within `bounds`. There are some fifty; of those, every
/// `every`-th, from `first` on.
#[must_use]
pub fn changed(bounds: &Bounds, edge: &Edge, first: usize, every: usize) -> Vec<Edge> {
    let mut changes = Changes { edge, bounds, first, every, met: 0, changed: Vec::new() };
    changes.of_life();
    changes.of_holds();
    changes.of_queues();
    changes.of_timers();
    changes.of_answers();
    changes.changed.retain(|other| other != edge);
    changes.changed
}

/// `edge` ending in each of these `states` instead, where that is another one.
pub fn elsewhere<'a>(
    edge: &'a Edge,
    states: impl Iterator<Item = &'a State> + 'a,
) -> impl Iterator<Item = Edge> + 'a {
    let others = states.filter(|state| **state != edge.after);
    others.map(|state| Edge { after: state.clone(), ..edge.clone() })
}

struct Changes<'a> {
    edge: &'a Edge,
    bounds: &'a Bounds,
    first: usize,
    every: usize,
    met: usize,
    changed: Vec<Edge>,
}

impl Changes<'_> {
    fn edge(&mut self, change: impl FnOnce(&mut Edge)) {
        if self.met % self.every == self.first % self.every {
            let mut edge = self.edge.clone();
            change(&mut edge);
            self.changed.push(edge);
        }
        self.met += 1;
    }

    fn state(&mut self, change: impl FnOnce(&mut State)) {
        self.edge(|edge| change(&mut edge.after));
    }

    fn told(&mut self, answers: impl Iterator<Item = Answer>) {
        self.edge(|edge| {
            edge.told = Outcomes::default();
            for answer in answers {
                match answer.to {
                    Addressee::Request(request) => edge.told.tell(request, answer.outcome),
                    Addressee::Operator => edge.told.tell_operator(answer.outcome),
                }
            }
        });
    }

    fn requests(&self) -> impl Iterator<Item = RequestId> + Clone + use<> {
        (0..self.bounds.requests).map(RequestId)
    }

    fn of_life(&mut self) {
        for phase in [Phase::Open, Phase::Draining, Phase::Closed] {
            self.state(|state| state.phase = phase);
        }
        self.state(|state| state.next_token = state.next_token.next());
        self.state(|state| state.next_token.0 -= 1);
    }

    fn of_holds(&mut self) {
        let requests = self.requests();
        for (token, hold) in &self.edge.after.holds {
            let (token, hold) = (*token, *hold);
            let mut instead = |other: FencingToken, hold: Hold| {
                self.state(|state| {
                    state.holds.remove(&token);
                    state.holds.insert(other, hold);
                });
            };
            instead(token.next(), hold);
            instead(token, Hold { lease: other_lease(hold.lease), ..hold });
            instead(token, Hold { name: Name(1 - hold.name.0), ..hold });
            for request in requests.clone() {
                instead(token, Hold { request, ..hold });
            }
            self.state(|state| state.holds.retain(|other, _| *other != token));
        }
        for request in requests {
            for name in (0..self.bounds.names).map(Name) {
                let hold = Hold { request, name, lease: Lease::Unbounded };
                self.state(|state| state.holds.extend([(FencingToken::FIRST, hold)]));
            }
        }
    }

    fn of_queues(&mut self) {
        let requests = self.requests();
        for name in (0..self.bounds.names).map(Name) {
            let Some(queue) = self.edge.after.entries.get(&name) else {
                self.state(|state| state.entries.extend([(name, VecDeque::new())]));
                continue;
            };
            let mut instead = |change: &dyn Fn(&mut Vec<Waiter>)| {
                let mut queue: Vec<Waiter> = queue.iter().copied().collect();
                change(&mut queue);
                self.state(|state| state.entries.extend([(name, queue.into())]));
            };
            for place in 0..queue.len() {
                instead(&|queue| queue.truncate(place));
                instead(&|queue| queue.rotate_left(place));
                instead(&|queue| queue[place].timed ^= true);
                instead(&|queue| queue[place].lease = other_lease(queue[place].lease));
            }
            for request in requests.clone() {
                let waiter = Waiter { request, timed: false, lease: Lease::Unbounded };
                instead(&|queue| queue.push(waiter));
                instead(&|queue| queue.insert(0, waiter));
            }
            self.state(|state| state.entries.retain(|other, _| *other != name));
        }
    }

    fn of_timers(&mut self) {
        let leases =
            (0..self.edge.after.next_token.0).map(|token| Timer::Lease(FencingToken(token)));
        let waits = self.requests().map(Timer::Wait);
        for timer in leases.chain(waits).chain([Timer::Grace]) {
            self.state(|state| {
                if !state.timers.remove(&timer) {
                    state.timers.insert(timer);
                }
            });
        }
    }

    fn of_answers(&mut self) {
        let answers: Vec<Answer> = self.edge.told.iter().copied().collect();
        for (index, answer) in answers.iter().enumerate() {
            let others =
                || answers.iter().take(index).chain(answers.iter().skip(index + 1)).copied();
            self.told(others());
            for outcome in other_outcomes(answer.outcome) {
                self.told(others().chain([Answer { outcome, ..*answer }]));
            }
            for to in self.requests().map(Addressee::Request) {
                if to != answer.to {
                    self.told(others().chain([Answer { to, ..*answer }]));
                }
            }
        }
        let also = |to, outcome| answers.iter().copied().chain([Answer { to, outcome }]);
        for to in self.requests().map(Addressee::Request) {
            for outcome in [Outcome::NotHeld, Outcome::Refused(Refusal::AtCapacity)] {
                self.told(also(to, outcome));
            }
        }
        for outcome in [Outcome::Released, Outcome::NotHeld, Outcome::Closed] {
            self.told(also(Addressee::Operator, outcome));
        }
    }
}

/// Other things that could have been told instead.
fn other_outcomes(outcome: Outcome) -> Vec<Outcome> {
    match outcome {
        Outcome::Granted(token) => vec![
            Outcome::Granted(token.next()),
            Outcome::Granted(FencingToken::FIRST),
            Outcome::Refused(Refusal::TimedOut),
        ],
        Outcome::Queued { ahead } => vec![Outcome::Queued { ahead: ahead + 1 }, Outcome::Cancelled],
        Outcome::Refused(Refusal::Busy) => vec![Outcome::Refused(Refusal::AtCapacity)],
        Outcome::Refused(_) => vec![Outcome::Refused(Refusal::Busy), Outcome::Cancelled],
        Outcome::Released => vec![Outcome::NotHeld],
        Outcome::Lost(_) => vec![Outcome::Released, Outcome::NotHeld],
        Outcome::Cancelled | Outcome::Renewed | Outcome::NotHeld | Outcome::Closed => {
            vec![Outcome::Released]
        }
    }
}

const fn other_lease(lease: Lease) -> Lease {
    match lease {
        Lease::Unbounded => Lease::Bounded,
        Lease::Bounded => Lease::Unbounded,
    }
}
