//! The protocol: what each action does. Pure and total, one function for each action.
//!
//! Three moves carry all of it. `grant` is the only place that makes a hold, `end_hold` the only one
//! that ends one, and `hand_over` runs whenever a hold has ended, in the same step: that is why no
//! wake-up can be lost (S7) and no entry left behind (S5).

use crate::action::{Action, Env, Op};
use crate::outcome::{Outcome, Outcomes};
use crate::state::{Hold, State, Waiter};
use crate::vocab::{
    FencingToken, Grace, Lease, Loss, Name, Phase, Refusal, RequestId, Timer, Wait,
};

/// The state after `action`, and what everybody concerned is told.
#[must_use]
pub fn step(state: &State, action: &Action) -> (State, Outcomes) {
    let mut after = state.clone();
    let outcomes = apply(&mut after, action);
    (after, outcomes)
}

/// [`step`] in place.
pub fn apply(state: &mut State, action: &Action) -> Outcomes {
    let mut told = Outcomes::default();
    match *action {
        Action::Op(Op::Acquire { request, name, wait, lease }) => {
            state.acquire(&mut told, request, name, wait, lease);
        }
        Action::Op(Op::Cancel { request }) => state.cancel(&mut told, request),
        Action::Op(Op::Release { request, token }) => state.release(&mut told, request, token),
        Action::Op(Op::Renew { request, token }) => state.renew(&mut told, request, token),
        Action::Op(Op::ForceRelease { name }) => state.force_release(&mut told, name),
        Action::Op(Op::Shutdown { grace }) => state.shutdown(&mut told, grace),
        Action::Env(Env::WaitElapsed { request }) => state.wait_elapsed(&mut told, request),
        Action::Env(Env::LeaseElapsed { token }) => state.lease_elapsed(&mut told, token),
        Action::Env(Env::GraceElapsed) => state.grace_elapsed(&mut told),
    }
    told
}

/// One function for each action.
impl State {
    fn acquire(
        &mut self,
        told: &mut Outcomes,
        request: RequestId,
        name: Name,
        wait: Wait,
        lease: Lease,
    ) {
        if self.hold_of(request).is_some() || self.place_of(request).is_some() {
            return; // Still asking: the same wish a second time is not a second wish.
        }
        if self.phase != Phase::Open {
            return told.tell(request, Outcome::Refused(Refusal::ShuttingDown));
        }
        let names = self.entries.len();
        match self.entries.get_mut(&name) {
            None if names >= self.limits.names => {
                told.tell(request, Outcome::Refused(Refusal::AtCapacity));
            }
            None => {
                self.entries.entry(name).or_default();
                self.grant(told, Hold { request, name, lease });
            }
            Some(_) if wait == Wait::No => told.tell(request, Outcome::Refused(Refusal::Busy)),
            Some(queue) if queue.len() >= self.limits.waiters_per_name => {
                told.tell(request, Outcome::Refused(Refusal::AtCapacity));
            }
            Some(queue) => {
                let timed = wait == Wait::Bounded;
                told.tell(request, Outcome::Queued { ahead: queue.len() });
                queue.push_back(Waiter { request, timed, lease });
                if timed {
                    self.timers.insert(Timer::Wait(request));
                }
            }
        }
    }

    fn cancel(&mut self, told: &mut Outcomes, request: RequestId) {
        if self.leave_queue(request) {
            told.tell(request, Outcome::Cancelled);
        } else if let Some((token, _)) = self.hold_of(request) {
            // Granted, and the caller left before it saw it: the grant is passed on, not lost.
            self.end_hold(told, token, Outcome::Released);
        } else {
            told.tell(request, Outcome::NotHeld);
        }
    }

    fn release(&mut self, told: &mut Outcomes, request: RequestId, token: FencingToken) {
        if self.is_held_by(request, token) {
            self.end_hold(told, token, Outcome::Released);
        } else {
            told.tell(request, Outcome::NotHeld);
        }
    }

    /// A lease starts again; that its timer was armed before does not show. A hold without a lease
    /// has nothing to prolong, and is still held.
    fn renew(&mut self, told: &mut Outcomes, request: RequestId, token: FencingToken) {
        let held = self.is_held_by(request, token);
        told.tell(request, if held { Outcome::Renewed } else { Outcome::NotHeld });
    }

    fn force_release(&mut self, told: &mut Outcomes, name: Name) {
        match self.holder_of(name) {
            Some((token, _)) => {
                told.tell_operator(Outcome::Released);
                self.end_hold(told, token, Outcome::Lost(Loss::Forced));
            }
            None => told.tell_operator(Outcome::NotHeld),
        }
    }

    /// The first shutdown begins the drain; a later one can only shorten the grace to nothing.
    fn shutdown(&mut self, told: &mut Outcomes, grace: Grace) {
        match self.phase {
            Phase::Open => {
                self.phase = Phase::Draining;
                self.refuse_all_waiters(told);
                self.timers.insert(Timer::Grace);
                if grace == Grace::No {
                    self.revoke_all(told);
                }
                self.close_if_drained(told);
            }
            Phase::Draining if grace == Grace::No => self.revoke_all(told),
            Phase::Draining => {}
            Phase::Closed => told.tell_operator(Outcome::Closed),
        }
    }

    fn wait_elapsed(&mut self, told: &mut Outcomes, request: RequestId) {
        if self.timers.contains(&Timer::Wait(request)) {
            self.leave_queue(request);
            told.tell(request, Outcome::Refused(Refusal::TimedOut));
        }
    }

    fn lease_elapsed(&mut self, told: &mut Outcomes, token: FencingToken) {
        if self.timers.contains(&Timer::Lease(token)) {
            self.end_hold(told, token, Outcome::Lost(Loss::LeaseElapsed));
        }
    }

    fn grace_elapsed(&mut self, told: &mut Outcomes) {
        if self.timers.contains(&Timer::Grace) {
            self.revoke_all(told);
        }
    }
}

/// The moves that actions are made of.
impl State {
    fn is_held_by(&self, request: RequestId, token: FencingToken) -> bool {
        self.holds.get(&token).is_some_and(|hold| hold.request == request)
    }

    fn grant(&mut self, told: &mut Outcomes, hold: Hold) {
        let token = self.next_token;
        self.next_token = token.next();
        if hold.lease == Lease::Bounded {
            self.timers.insert(Timer::Lease(token));
        }
        self.holds.insert(token, hold);
        told.tell(hold.request, Outcome::Granted(token));
    }

    fn end_hold(&mut self, told: &mut Outcomes, token: FencingToken, how: Outcome) {
        if let Some(hold) = self.holds.remove(&token) {
            self.timers.remove(&Timer::Lease(token));
            told.tell(hold.request, how);
            self.hand_over(told, hold.name);
            self.close_if_drained(told);
        }
    }

    fn hand_over(&mut self, told: &mut Outcomes, name: Name) {
        match self.entries.get_mut(&name).and_then(alloc::collections::VecDeque::pop_front) {
            Some(Waiter { request, lease, .. }) => {
                self.timers.remove(&Timer::Wait(request));
                self.grant(told, Hold { request, name, lease });
            }
            None => {
                self.entries.remove(&name);
            }
        }
    }

    fn leave_queue(&mut self, request: RequestId) -> bool {
        let Some((name, place)) = self.place_of(request) else {
            return false;
        };
        if let Some(queue) = self.entries.get_mut(&name) {
            queue.remove(place);
        }
        self.timers.remove(&Timer::Wait(request));
        true
    }

    fn refuse_all_waiters(&mut self, told: &mut Outcomes) {
        for queue in self.entries.values_mut() {
            for waiter in queue.drain(..) {
                self.timers.remove(&Timer::Wait(waiter.request));
                told.tell(waiter.request, Outcome::Refused(Refusal::ShuttingDown));
            }
        }
    }

    fn revoke_all(&mut self, told: &mut Outcomes) {
        while let Some((&token, _)) = self.holds.first_key_value() {
            self.end_hold(told, token, Outcome::Lost(Loss::Shutdown));
        }
    }

    fn close_if_drained(&mut self, told: &mut Outcomes) {
        if self.phase == Phase::Draining && self.holds.is_empty() {
            self.timers.remove(&Timer::Grace);
            self.phase = Phase::Closed;
            told.tell_operator(Outcome::Closed);
        }
    }
}
