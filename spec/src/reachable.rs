//! What must be possible: every kind of answer, every refusal and every race has a transition that
//! shows it. A model in which one of these never happens proves less than it seems to.

use crate::action::{Action, Env, Op};
use crate::invariants::{Property, Transition};
use crate::outcome::{Outcome, Outcomes};
use crate::vocab::{FencingToken, Loss, Phase, Refusal, Timer};

macro_rules! reachable {
    ($($id:literal $name:literal: $sentence:literal, $holds:expr;)*) => {
        /// Everything that must be reachable: each of these is true of some transition.
        pub const REACHABLE: [Property; [$($id),*].len()] = [$(
            Property { id: $id, name: $name, sentence: $sentence, holds: $holds },
        )*];
    };
}

reachable! {
    "R1" "granted at once": "a request of a free name is granted",
        |t| matches!(t.action, Action::Op(Op::Acquire { .. })) && granted(t.outcomes).is_some();
    "R2" "queued": "a request of a held name waits",
        |t| t.outcomes.iter().any(|a| matches!(a.outcome, Outcome::Queued { .. }));
    "R3" "queued behind others": "a request waits behind another waiter",
        |t| t.outcomes.iter().any(|a| matches!(a.outcome, Outcome::Queued { ahead: 1.. }));
    "R4" "handed over by release": "a release grants the next waiter",
        |t| matches!(t.action, Action::Op(Op::Release { .. })) && granted(t.outcomes).is_some();
    "R5" "handed over by cancel": "a grant that its caller never saw is passed on",
        |t| matches!(t.action, Action::Op(Op::Cancel { .. })) && granted(t.outcomes).is_some();
    "R6" "handed over by lease end": "the end of a lease grants the next waiter",
        |t| t.outcomes.contains(Outcome::Lost(Loss::LeaseElapsed)) && granted(t.outcomes).is_some();
    "R7" "handed over by force": "a forced release grants the next waiter",
        |t| t.outcomes.contains(Outcome::Lost(Loss::Forced)) && granted(t.outcomes).is_some();
    "R8" "busy": "a request that would not wait is refused",
        |t| refused(t, Refusal::Busy);
    "R9" "timed out": "a bounded wait ends without a grant",
        |t| refused(t, Refusal::TimedOut);
    "R10" "refused while shutting down": "a newcomer is refused after shutdown began",
        |t| t.before.phase != Phase::Open && refused(t, Refusal::ShuttingDown);
    "R11" "waiter answered by shutdown": "shutdown answers a waiter at once",
        |t| t.before.phase == Phase::Open && refused(t, Refusal::ShuttingDown);
    "R12" "too many names": "a request is refused because too many names are in use",
        |t| refused(t, Refusal::AtCapacity) && names_another(t);
    "R13" "too many waiters": "a request is refused because too many wait for its name",
        |t| refused(t, Refusal::AtCapacity) && !names_another(t);
    "R14" "cancelled": "a waiter leaves the queue",
        |t| t.outcomes.contains(Outcome::Cancelled);
    "R15" "last waiter cancelled": "the only waiter leaves and its name stays held",
        |t| t.outcomes.contains(Outcome::Cancelled) && t.after.waiters().next().is_none();
    "R16" "renewed": "a lease starts again",
        |t| t.outcomes.contains(Outcome::Renewed) && leased(t.before);
    "R17" "stale release": "a holder that was overtaken releases in vain",
        |t| not_held(t) && matches!(t.action, Action::Op(Op::Release { .. })) && held(t.before);
    "R18" "stale renewal": "a holder that was overtaken renews in vain",
        |t| not_held(t) && matches!(t.action, Action::Op(Op::Renew { .. })) && held(t.before);
    "R19" "grant beats timeout": "a bounded waiter is granted, and its timer is disarmed with the grant",
        |t| t.before.timers.iter().any(|timer| match timer {
            Timer::Wait(request) => matches!(t.outcomes.of(*request), Some(Outcome::Granted(_))),
            _ => false,
        });
    "R20" "timeout after grant": "a wait timer elapses too late, and changes nothing",
        |t| matches!(t.action, Action::Env(Env::WaitElapsed { request })
            if t.before.hold_of(*request).is_some());
    "R21" "lease end after release": "a lease timer elapses too late, and changes nothing",
        |t| matches!(t.action, Action::Env(Env::LeaseElapsed { token })
            if !t.before.holds.contains_key(token));
    "R22" "drained": "the last holder's release closes a draining lockspace",
        |t| closes(t) && t.outcomes.contains(Outcome::Released);
    "R23" "revoked": "the end of the grace revokes a hold and closes",
        |t| closes(t) && t.action == &Action::Env(Env::GraceElapsed)
            && t.outcomes.contains(Outcome::Lost(Loss::Shutdown));
    "R24" "shutdown in vain": "shutdown of a closed lockspace says so",
        |t| t.before.phase == Phase::Closed && t.outcomes.contains(Outcome::Closed);
    "R25" "forced in vain": "a forced release of a free name says so",
        |t| not_held(t) && matches!(t.action, Action::Op(Op::ForceRelease { .. }));
    "R26" "shutdown hurried": "a second shutdown without grace ends the drain at once",
        |t| t.before.phase == Phase::Draining && closes(t)
            && matches!(t.action, Action::Op(Op::Shutdown { .. }));
}

fn granted(outcomes: &Outcomes) -> Option<FencingToken> {
    outcomes.iter().find_map(|answer| match answer.outcome {
        Outcome::Granted(token) => Some(token),
        _ => None,
    })
}

fn refused(t: &Transition<'_>, why: Refusal) -> bool {
    t.outcomes.contains(Outcome::Refused(why))
}

fn not_held(t: &Transition<'_>) -> bool {
    t.outcomes.contains(Outcome::NotHeld)
}

fn closes(t: &Transition<'_>) -> bool {
    t.before.phase != Phase::Closed && t.after.phase == Phase::Closed
}

fn names_another(t: &Transition<'_>) -> bool {
    matches!(t.action, Action::Op(Op::Acquire { name, .. }) if !t.before.entries.contains_key(name))
}

fn held(state: &crate::State) -> bool {
    !state.holds.is_empty()
}

fn leased(state: &crate::State) -> bool {
    state.timers.iter().any(|timer| matches!(timer, Timer::Lease(_)))
}
