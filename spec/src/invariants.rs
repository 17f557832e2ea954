//! What must be true of every step: the safety properties S1 to S10, one function each.
//!
//! A property judges a [`Transition`]. Some need only the state after it, some need both ends; judged
//! on every transition from the initial state, each holds of every behaviour. None of them calls
//! [`step`](crate::step()): they judge any implementation's transitions, faulty ones included.
//!
//! "Invariants", in the documentation of lockspace, has the same table in prose; a test holds the two
//! together.

use crate::action::{Action, Env, Op};
use crate::outcome::{Addressee, Answer, Outcome, Outcomes};
use crate::state::State;
use crate::vocab::{FencingToken, Lease, Phase, Refusal, RequestId, Timer};

/// One step of a lockspace, to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The state in which it was taken.
    pub before: &'a State,
    /// What happened.
    pub action: &'a Action,
    /// What was answered.
    pub outcomes: &'a Outcomes,
    /// The state that it led to.
    pub after: &'a State,
}

/// Something that is true of a transition, or not, with the words for it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its ID, by which code and documents cite it.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub sentence: &'static str,
    /// Whether a transition has it.
    pub holds: fn(&Transition<'_>) -> bool,
}

/// Every safety property: all of them hold of every transition.
pub const SAFETY: [Property; 10] = [
    Property {
        id: "S1",
        name: "exclusion",
        sentence: "a name has at most one holder",
        holds: s1_exclusion,
    },
    Property {
        id: "S2",
        name: "fencing",
        sentence: "each grant carries a token greater than every earlier one; none is used twice",
        holds: s2_fencing,
    },
    Property {
        id: "S3",
        name: "FIFO",
        sentence: "requests of a name are granted in the order in which they queued",
        holds: s3_fifo,
    },
    Property {
        id: "S4",
        name: "exactly once",
        sentence: "every acquire gets one final answer; every grant ends once, Released or Lost",
        holds: s4_exactly_once,
    },
    Property {
        id: "S5",
        name: "no residue",
        sentence: "a name has an entry only while it is held; a waiter exists only while unanswered",
        holds: s5_no_residue,
    },
    Property {
        id: "S6",
        name: "no stray timer",
        sentence: "armed timers = bounded waits in the queue + leases of current holds \
                   + the grace while draining",
        holds: s6_no_stray_timer,
    },
    Property {
        id: "S7",
        name: "no lost wake-up",
        sentence: "a name with waiters is held; whatever ends a hold hands over in the same step",
        holds: s7_no_lost_wakeup,
    },
    Property {
        id: "S8",
        name: "stale is harmless",
        sentence: "release, renew, cancel, timeout or lease end of what has ended changes nothing",
        holds: s8_stale_is_harmless,
    },
    Property {
        id: "S9",
        name: "shutdown",
        sentence: "after it begins nothing is granted and nobody waits; Closed means quiescent",
        holds: s9_shutdown,
    },
    Property {
        id: "S10",
        name: "bounded",
        sentence: "names and waiters never exceed the limits, and only then is AtCapacity told",
        holds: s10_bounded,
    },
];

/// S1 exclusion: a name has at most one holder.
#[must_use]
pub fn s1_exclusion(t: &Transition<'_>) -> bool {
    let names = || t.after.holds.values().map(|hold| hold.name);
    names().enumerate().all(|(i, name)| names().skip(i + 1).all(|other| other != name))
}

/// S2 fencing: each grant carries a token greater than every earlier one. `next_token` is the bound
/// below which all earlier tokens lie, so it may only rise, and past every token that it gave.
#[must_use]
pub fn s2_fencing(t: &Transition<'_>) -> bool {
    let mut bound = t.before.next_token;
    for answer in t.outcomes.iter() {
        if let Outcome::Granted(token) = answer.outcome {
            if token < bound {
                return false;
            }
            bound = token.next();
        }
    }
    bound <= t.after.next_token && t.after.holds.keys().all(|token| *token < t.after.next_token)
}

/// S3 FIFO: a queue loses members and gains them at its end, and no newcomer or later waiter is
/// granted while an earlier one stays.
#[must_use]
pub fn s3_fifo(t: &Transition<'_>) -> bool {
    t.before.entries.iter().all(|(name, before)| {
        let after = t.after.entries.get(name);
        let stays = |request: RequestId| {
            after.is_some_and(|queue| queue.iter().any(|waiter| waiter.request == request))
        };
        let kept = before.iter().filter(|waiter| stays(waiter.request));
        let order_kept = after == Some(before)
            || kept.clone().eq(after.into_iter().flatten().take(kept.clone().count()));
        // Whoever has the name now and did not have it before came out of the queue's front.
        let granted = t.after.holder_of(*name).filter(|(token, _)| *token >= t.before.next_token);
        let front_first = granted.is_none_or(|(_, hold)| {
            let mut ahead = before.iter().take_while(|waiter| waiter.request != hold.request);
            ahead.all(|waiter| !stays(waiter.request))
        });
        order_kept && front_first
    })
}

/// S4 exactly once. What is open before a step is still open after it or has been closed in it, by
/// exactly one answer; so along any behaviour each acquire and each grant is closed at most once, and
/// none is forgotten.
#[must_use]
pub fn s4_exactly_once(t: &Transition<'_>) -> bool {
    let waits = |state: &State, request| state.place_of(request).is_some();
    let holds = |state: &State, request| state.hold_of(request).is_some();
    concerned(t).all(|request| {
        let (waited, held) = (waits(t.before, request), holds(t.before, request));
        let asks = matches!(t.action, Action::Op(Op::Acquire { request: r, .. }) if *r == request);
        let unanswered = usize::from(waited || asks && !held);
        let (mut answers, mut grants, mut ends) = (0, 0, 0);
        for outcome in t.outcomes.to(Addressee::Request(request)) {
            answers += usize::from(outcome.answers_acquire());
            grants += usize::from(matches!(outcome, Outcome::Granted(_)));
            ends += usize::from(outcome.ends_grant());
        }
        unanswered == answers + usize::from(waits(t.after, request))
            && usize::from(held) + grants == ends + usize::from(holds(t.after, request))
    })
}

/// Everybody whom a transition may concern: who asks or is told something, and all who wait or hold
/// unless those who are told nothing go on as before.
fn concerned<'a>(t: &'a Transition<'_>) -> impl Iterator<Item = RequestId> + 'a {
    let asks = match *t.action {
        Action::Op(
            Op::Acquire { request, .. }
            | Op::Cancel { request }
            | Op::Release { request, .. }
            | Op::Renew { request, .. },
        )
        | Action::Env(Env::WaitElapsed { request }) => Some(request),
        _ => None,
    };
    let told = t.outcomes.iter().filter_map(|answer| match *answer {
        Answer { to: Addressee::Request(request), .. } => Some(request),
        Answer { to: Addressee::Operator, .. } => None,
    });
    let live = |state: &'a State| {
        let holders = state.holds.values().map(|hold| (hold.request, true));
        holders.chain(state.waiters().map(|waiter| (waiter.request, false)))
    };
    let untold = |state: &'a State| {
        let is_told = told.clone();
        live(state).filter(move |(request, _)| is_told.clone().all(|other| other != *request))
    };
    let go_on = untold(t.before).eq(untold(t.after));
    let others = [t.before, t.after].into_iter().filter(move |_| !go_on);
    let others = others.flat_map(live).map(|(request, _)| request);
    asks.into_iter().chain(told.clone()).chain(others)
}

/// S5 no residue: entries and holds name the same names, and nobody both waits and holds, or waits
/// twice.
#[must_use]
pub fn s5_no_residue(t: &Transition<'_>) -> bool {
    let state = t.after;
    let held = |name| state.holds.values().any(|hold| hold.name == name);
    let waits_once = |request| {
        state.hold_of(request).is_none()
            && state.waiters().filter(|waiter| waiter.request == request).count() == 1
    };
    state.entries.iter().all(|(name, queue)| !queue.is_empty() || held(*name))
        && state.holds.values().all(|hold| state.entries.contains_key(&hold.name))
        && state.waiters().all(|waiter| waits_once(waiter.request))
}

/// S6 no stray timer: the armed timers are exactly those that something still needs.
#[must_use]
pub fn s6_no_stray_timer(t: &Transition<'_>) -> bool {
    let state = t.after;
    let leased = |token: &FencingToken| {
        state.holds.get(token).is_some_and(|hold| hold.lease == Lease::Bounded)
    };
    let needed = |timer: &Timer| match timer {
        Timer::Wait(request) => state.waiters().any(|w| w.request == *request && w.timed),
        Timer::Lease(token) => leased(token),
        Timer::Grace => state.phase == Phase::Draining,
    };
    let count = state.waiters().filter(|waiter| waiter.timed).count()
        + state.holds.keys().filter(|token| leased(token)).count()
        + usize::from(state.phase == Phase::Draining);
    state.timers.len() == count && state.timers.iter().all(needed)
}

/// S7 no lost wake-up: a name with waiters is held.
#[must_use]
pub fn s7_no_lost_wakeup(t: &Transition<'_>) -> bool {
    let mut waited_for = t.after.entries.iter().filter(|(_, queue)| !queue.is_empty());
    waited_for.all(|(name, _)| t.after.holder_of(*name).is_some())
}

/// S8 stale is harmless: an action upon something that has ended changes nothing, and tells nobody
/// but the one who asked.
#[must_use]
pub fn s8_stale_is_harmless(t: &Transition<'_>) -> bool {
    let before = t.before;
    let mine = |request, token| before.holds.get(token).is_some_and(|hold| hold.request == request);
    let asker = match t.action {
        Action::Op(Op::Release { request, token } | Op::Renew { request, token })
            if !mine(*request, token) =>
        {
            Some(*request)
        }
        Action::Op(Op::Cancel { request })
            if before.place_of(*request).is_none() && before.hold_of(*request).is_none() =>
        {
            Some(*request)
        }
        Action::Env(Env::WaitElapsed { request }) if before.place_of(*request).is_none() => None,
        Action::Env(Env::LeaseElapsed { token }) if !before.holds.contains_key(token) => None,
        Action::Env(Env::GraceElapsed) if before.phase != Phase::Draining => None,
        _ => return true,
    };
    let not_held = |request| Answer { to: Addressee::Request(request), outcome: Outcome::NotHeld };
    before == t.after && t.outcomes.iter().copied().eq(asker.map(not_held))
}

/// S9 shutdown: once it has begun nothing is granted and nobody waits; Closed means quiescent; the
/// phase only moves forward.
#[must_use]
pub fn s9_shutdown(t: &Transition<'_>) -> bool {
    let grants = || t.outcomes.iter().any(|a| matches!(a.outcome, Outcome::Granted(_)));
    t.before.phase <= t.after.phase
        && match t.after.phase {
            Phase::Open => true,
            Phase::Draining => t.after.waiters().next().is_none() && !grants(),
            Phase::Closed => t.after.is_quiescent() && !grants(),
        }
}

/// S10 bounded: the limits hold, and `AtCapacity` is told only to a newcomer at one of them.
#[must_use]
pub fn s10_bounded(t: &Transition<'_>) -> bool {
    let limits = t.after.limits;
    let within = t.after.entries.len() <= limits.names
        && t.after.entries.values().all(|queue| queue.len() <= limits.waiters_per_name);
    let at_limit = || match t.action {
        Action::Op(Op::Acquire { name, .. }) => match t.before.entries.get(name) {
            None => t.before.entries.len() >= limits.names,
            Some(queue) => queue.len() >= limits.waiters_per_name,
        },
        _ => false,
    };
    let refused = t.outcomes.contains(Outcome::Refused(Refusal::AtCapacity));
    limits == t.before.limits && within && (!refused || at_limit())
}
