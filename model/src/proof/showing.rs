//! States, actions and outcomes of the specification as finite structures.
//!
//! This is the only place that reads the specification's types for the proof. It copies what it
//! finds and decides nothing: whether a timer *should* be armed is not asked here.

use std::collections::BTreeSet;

use lockspace_spec::{
    Action, Addressee, Env, FencingToken, Grace, Lease, Loss, Op, Outcome, Outcomes, Refusal,
    State, Timer,
};

use super::finite::{Structure, Universe};
use super::term::Symbol;
use super::vocabulary::{
    AHEAD, ASKED_FOR, AT_ONCE, Answer, Asked, ENTRY, GRACE_TIMER, GRANTED_TOKEN, HOLDER,
    LEASE_TIMER, MEANT, MOST_NAMES, MOST_WAITERS, NAMES_IN_USE, NEXT_TOKEN, OPERATOR_CLOSED,
    OPERATOR_NOT_HELD, OPERATOR_RELEASED, OWNER, PHASE, QUEUE_LENGTH, READY, REQUEST_LEASED,
    REQUEST_NAME, REQUEST_PLACE, REQUEST_STATUS, REQUEST_TIMED, REQUEST_TOKEN, Status, TOLD,
    WAIT_TIMER, WAITER, WANTS_LEASE, WHICH, WHO,
};

/// The structure of a state and the action taken in it, if there is one.
#[must_use]
pub fn before(universe: &Universe, state: &State, action: &Action) -> Option<Structure> {
    let mut showing = Showing::new(universe);
    showing.state(state)?;
    showing.action(action);
    showing.set(&MOST_NAMES, &[], number(state.limits.names));
    showing.set(&MOST_WAITERS, &[], number(state.limits.waiters_per_name));
    Some(showing.structure)
}

/// The structure of a state and what was told in the step to it, if there is one: nobody waits or
/// holds twice, and nobody is told two things.
#[must_use]
pub fn after(universe: &Universe, state: &State, told: &Outcomes) -> Option<Structure> {
    let mut showing = Showing::new(universe);
    showing.state(state)?;
    showing.told(told)?;
    Some(showing.structure)
}

struct Showing<'a> {
    universe: &'a Universe,
    structure: Structure,
}

impl<'a> Showing<'a> {
    fn new(universe: &'a Universe) -> Self {
        Self { universe, structure: Structure::new(universe) }
    }

    fn set(&mut self, symbol: &Symbol, args: &[i64], value: i64) {
        self.structure.set(self.universe, symbol, args, value);
    }

    fn flag(&mut self, symbol: &Symbol, args: &[i64], value: bool) {
        self.set(symbol, args, i64::from(value));
    }

    fn state(&mut self, state: &State) -> Option<()> {
        self.set(&PHASE, &[], state.phase as i64);
        self.set(&NEXT_TOKEN, &[], token(state.next_token));
        self.set(&NAMES_IN_USE, &[], number(state.entries.len()));
        for timer in &state.timers {
            match timer {
                Timer::Wait(request) => self.flag(&WAIT_TIMER, &[request.0.into()], true),
                Timer::Lease(armed) => self.flag(&LEASE_TIMER, &[token(*armed)], true),
                Timer::Grace => self.flag(&GRACE_TIMER, &[], true),
            }
        }
        let mut busy = BTreeSet::new();
        self.holders(state, &mut busy)?;
        self.waiters(state, &mut busy)
    }

    fn holders(&mut self, state: &State, busy: &mut BTreeSet<i64>) -> Option<()> {
        for (held, hold) in &state.holds {
            let (request, name) = (i64::from(hold.request.0), i64::from(hold.name.0));
            busy.insert(request).then_some(())?;
            self.set(&REQUEST_STATUS, &[request], Status::Holding as i64);
            self.set(&REQUEST_NAME, &[request], name);
            self.flag(&REQUEST_LEASED, &[request], hold.lease == Lease::Bounded);
            self.set(&REQUEST_TOKEN, &[request], token(*held));
            self.set(&HOLDER, &[name], request);
            self.set(&OWNER, &[token(*held)], request);
        }
        Some(())
    }

    fn waiters(&mut self, state: &State, busy: &mut BTreeSet<i64>) -> Option<()> {
        for (name, queue) in &state.entries {
            let name = i64::from(name.0);
            self.flag(&ENTRY, &[name], true);
            self.set(&QUEUE_LENGTH, &[name], number(queue.len()));
            for (place, waiter) in queue.iter().enumerate() {
                let (request, place) = (i64::from(waiter.request.0), number(place));
                busy.insert(request).then_some(())?;
                self.set(&REQUEST_STATUS, &[request], Status::Waiting as i64);
                self.set(&REQUEST_NAME, &[request], name);
                self.flag(&REQUEST_LEASED, &[request], waiter.lease == Lease::Bounded);
                self.flag(&REQUEST_TIMED, &[request], waiter.timed);
                self.set(&REQUEST_PLACE, &[request], place);
                self.set(&WAITER, &[name, place], request);
            }
        }
        Some(())
    }

    fn action(&mut self, action: &Action) {
        let (asked, who, which, meant) = match *action {
            Action::Op(Op::Acquire { request, name, wait, lease }) => {
                self.set(&READY, &[], wait as i64);
                self.flag(&WANTS_LEASE, &[], lease == Lease::Bounded);
                (Asked::Acquire, Some(request), Some(name), None)
            }
            Action::Op(Op::Cancel { request }) => (Asked::Cancel, Some(request), None, None),
            Action::Op(Op::Release { request, token }) => {
                (Asked::Release, Some(request), None, Some(token))
            }
            Action::Op(Op::Renew { request, token }) => {
                (Asked::Renew, Some(request), None, Some(token))
            }
            Action::Op(Op::ForceRelease { name }) => (Asked::ForceRelease, None, Some(name), None),
            Action::Op(Op::Shutdown { grace }) => {
                self.flag(&AT_ONCE, &[], grace == Grace::No);
                (Asked::Shutdown, None, None, None)
            }
            Action::Env(Env::WaitElapsed { request }) => {
                (Asked::WaitElapsed, Some(request), None, None)
            }
            Action::Env(Env::LeaseElapsed { token }) => {
                (Asked::LeaseElapsed, None, None, Some(token))
            }
            Action::Env(Env::GraceElapsed) => (Asked::GraceElapsed, None, None, None),
        };
        self.set(&ASKED_FOR, &[], asked as i64);
        self.set(&WHO, &[], who.map_or(0, |request| request.0.into()));
        self.set(&WHICH, &[], which.map_or(0, |name| name.0.into()));
        self.set(&MEANT, &[], meant.map_or(0, token));
    }

    fn told(&mut self, told: &Outcomes) -> Option<()> {
        let mut heard = BTreeSet::new();
        for answer in told.iter() {
            match (answer.to, answer.outcome) {
                (Addressee::Request(request), outcome) => {
                    heard.insert((Some(request), None)).then_some(())?;
                    let answer = self.answer(outcome)?;
                    self.set(&TOLD, &[request.0.into()], answer as i64);
                }
                (Addressee::Operator, outcome) => {
                    let symbol = match outcome {
                        Outcome::Released => &OPERATOR_RELEASED,
                        Outcome::NotHeld => &OPERATOR_NOT_HELD,
                        Outcome::Closed => &OPERATOR_CLOSED,
                        _ => return None,
                    };
                    heard.insert((None, Some(symbol.index))).then_some(())?;
                    self.flag(symbol, &[], true);
                }
            }
        }
        Some(())
    }

    fn answer(&mut self, outcome: Outcome) -> Option<Answer> {
        Some(match outcome {
            Outcome::Granted(granted) => {
                self.set(&GRANTED_TOKEN, &[], token(granted));
                Answer::Granted
            }
            Outcome::Queued { ahead } => {
                self.set(&AHEAD, &[], number(ahead));
                Answer::Queued
            }
            Outcome::Refused(Refusal::Busy) => Answer::Busy,
            Outcome::Refused(Refusal::TimedOut) => Answer::TimedOut,
            Outcome::Refused(Refusal::ShuttingDown) => Answer::ShuttingDown,
            Outcome::Refused(Refusal::AtCapacity) => Answer::AtCapacity,
            Outcome::Cancelled => Answer::Cancelled,
            Outcome::Released => Answer::Released,
            Outcome::Renewed => Answer::Renewed,
            Outcome::Lost(Loss::LeaseElapsed) => Answer::LeaseLost,
            Outcome::Lost(Loss::Forced) => Answer::ForcedLost,
            Outcome::Lost(Loss::Shutdown) => Answer::ShutdownLost,
            Outcome::NotHeld => Answer::NotHeld,
            Outcome::Closed => return None,
        })
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn token(token: FencingToken) -> i64 {
    i64::try_from(token.0).unwrap_or(i64::MAX)
}
