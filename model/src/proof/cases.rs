//! The protocol as cases: in which states an action does what.
//!
//! Each action has several cases, told apart by their guards: a release hands over, or frees the
//! name, or ends a drain, or is stale. What follows from the end of a hold belongs to the same step
//! (S7). That the guards of an action leave no state out and never overlap is among the
//! [obligations](super::obligations).

use lockspace_spec::{Phase, Wait};

use super::moves::Space;
use super::term::Term;
use super::vocabulary::{
    Answer, Asked, BEFORE, OPERATOR_CLOSED, OPERATOR_NOT_HELD, OPERATOR_RELEASED, Reads, Status,
    some_request,
};

/// One thing that an action can do.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: the action, and what comes of it.
    pub name: String,
    /// The action.
    pub asked: Asked,
    /// When it happens: a formula over the state before, the action and the limits.
    pub guard: Term,
    /// The state after it, and what is told.
    pub after: Space,
}

impl Case {
    /// The case of `asked` that does these `moves` if the `guard` holds.
    pub fn new(name: &str, asked: Asked, guard: Term, moves: impl FnOnce(&mut Space)) -> Self {
        let mut after = Space::unchanged();
        moves(&mut after);
        Self {
            name: name.to_owned(),
            asked,
            guard: BEFORE.asked().is(&asked.into()) & guard,
            after,
        }
    }
}

/// Every case of every action.
#[must_use]
pub fn cases() -> Vec<Case> {
    [acquire(), cancel(), release(), renew(), force(), shutdown(), timers()].concat()
}

/// Whether nobody but `request` holds.
pub(super) fn only_holder(request: &Term) -> Term {
    !some_request(|other| BEFORE.holding(other) & other.is_not(request))
}

/// Whether somebody waits for `name`.
pub(super) fn contended(name: &Term) -> Term {
    Term::number(0).below(&BEFORE.queue_length(name))
}

fn acquire() -> Vec<Case> {
    let (who, which) = (BEFORE.who(), BEFORE.which());
    let full = |used: Term, most: Term| most.at_most(&used);
    let too_many_names = full(BEFORE.names_in_use(), BEFORE.most_names());
    let too_many_waiters = full(BEFORE.queue_length(&which), BEFORE.most_waiters());
    let impatient = BEFORE.readiness().is(&Wait::No.into());
    let idle = BEFORE.status(&who).is(&Status::Idle.into());
    let new = idle.clone() & BEFORE.in_phase(Phase::Open);
    let of_free = new.clone() & !BEFORE.entry(&which);
    let of_held = new & BEFORE.entry(&which);
    let ready = of_held.clone() & !impatient.clone();

    let refused = |name: &str, guard: Term, answer| {
        Case::new(name, Asked::Acquire, guard, |space| space.tell(&BEFORE.who(), answer))
    };
    let closing = idle.clone() & !BEFORE.in_phase(Phase::Open);
    vec![
        Case::new("acquire: still asking", Asked::Acquire, !idle, |_| ()),
        refused("acquire: shutting down", closing, Answer::ShuttingDown),
        refused(
            "acquire: too many names",
            of_free.clone() & too_many_names.clone(),
            Answer::AtCapacity,
        ),
        refused("acquire: busy", of_held & impatient, Answer::Busy),
        refused(
            "acquire: too many waiters",
            ready.clone() & too_many_waiters.clone(),
            Answer::AtCapacity,
        ),
        Case::new("acquire: granted", Asked::Acquire, of_free & !too_many_names, |space| {
            space.make_entry(&which);
            space.grant(&who, &which, &BEFORE.wants_lease());
        }),
        Case::new("acquire: queued", Asked::Acquire, ready & !too_many_waiters, |space| {
            let timed = BEFORE.readiness().is(&Wait::Bounded.into());
            space.queue(&who, &which, &timed, &BEFORE.wants_lease());
        }),
    ]
}

/// The three things that can follow when the hold of `holder` ends.
fn endings(
    asked: Asked,
    name: &str,
    guard: &Term,
    holder: &Term,
    end: impl Fn(&mut Space),
) -> Vec<Case> {
    let held = BEFORE.name(holder);
    let last = BEFORE.in_phase(Phase::Draining) & only_holder(holder);
    let case = |what: &str, when: Term, then: &dyn Fn(&mut Space)| {
        Case::new(&format!("{name}: {what}"), asked, guard.clone() & when, |space| {
            end(space);
            then(space);
        })
    };
    vec![
        case("handed over", contended(&held), &|space| space.hand_over(&held)),
        case("name freed", !contended(&held) & !last.clone(), &|space| space.remove_entry(&held)),
        case("drained", !contended(&held) & last, &|space| {
            space.remove_entry(&held);
            space.close();
        }),
    ]
}

fn cancel() -> Vec<Case> {
    let who = BEFORE.who();
    let end = |space: &mut Space| space.end_hold(&who, Answer::Released);
    let mut cases = endings(Asked::Cancel, "cancel", &BEFORE.holding(&who), &who, end);
    cases.push(Case::new("cancel: waiting", Asked::Cancel, BEFORE.waiting(&who), |space| {
        space.leave_queue(&who, &BEFORE.name(&who));
        space.tell(&who, Answer::Cancelled);
    }));
    let idle = BEFORE.status(&who).is(&Status::Idle.into());
    cases.push(Case::new("cancel: stale", Asked::Cancel, idle, |space| {
        space.tell(&who, Answer::NotHeld);
    }));
    cases
}

fn release() -> Vec<Case> {
    let who = BEFORE.who();
    let current = BEFORE.holding_with(&who, &BEFORE.meant());
    let end = |space: &mut Space| space.end_hold(&who, Answer::Released);
    let mut cases = endings(Asked::Release, "release", &current, &who, end);
    cases.push(Case::new("release: stale", Asked::Release, !current, |space| {
        space.tell(&who, Answer::NotHeld);
    }));
    cases
}

fn renew() -> Vec<Case> {
    let who = BEFORE.who();
    let current = BEFORE.holding_with(&who, &BEFORE.meant());
    vec![
        Case::new("renew: renewed", Asked::Renew, current.clone(), |space| {
            space.tell(&who, Answer::Renewed);
        }),
        Case::new("renew: stale", Asked::Renew, !current, |space| {
            space.tell(&who, Answer::NotHeld);
        }),
    ]
}

fn force() -> Vec<Case> {
    let which = BEFORE.which();
    let holder = BEFORE.holder(&which);
    let end = |space: &mut Space| {
        space.tell_operator(&OPERATOR_RELEASED);
        space.end_hold(&holder, Answer::ForcedLost);
    };
    let held = BEFORE.entry(&which);
    let mut cases = endings(Asked::ForceRelease, "force", &held, &holder, end);
    cases.push(Case::new("force: nobody holds", Asked::ForceRelease, !held, |space| {
        space.tell_operator(&OPERATOR_NOT_HELD);
    }));
    cases
}

fn shutdown() -> Vec<Case> {
    let case = |name: &str, guard: Term, moves: &dyn Fn(&mut Space)| {
        Case::new(name, Asked::Shutdown, guard, |space| moves(space))
    };
    let held = some_request(|request| BEFORE.holding(request));
    let open = BEFORE.in_phase(Phase::Open);
    let draining = BEFORE.in_phase(Phase::Draining);
    let at_once = BEFORE.at_once();
    vec![
        case("shutdown: nothing held", open.clone() & !held.clone(), &|space| {
            space.begin_drain();
            space.close();
        }),
        case("shutdown: drain begins", open.clone() & held.clone() & !at_once.clone(), &|space| {
            space.begin_drain();
        }),
        case("shutdown: all revoked", open & held & at_once.clone(), &|space| {
            space.begin_drain();
            space.revoke_all();
            space.close();
        }),
        case("shutdown: drain goes on", draining.clone() & !at_once.clone(), &|_| ()),
        case("shutdown: drain cut short", draining & at_once, &|space| {
            space.revoke_all();
            space.close();
        }),
        case("shutdown: closed already", BEFORE.in_phase(Phase::Closed), &|space| {
            space.tell_operator(&OPERATOR_CLOSED);
        }),
    ]
}

fn timers() -> Vec<Case> {
    let who = BEFORE.who();
    let waits = BEFORE.wait_timer(&who);
    let token = BEFORE.meant();
    let owner = BEFORE.owner(&token);
    let leased = BEFORE.lease_timer(&token);
    let grace = BEFORE.grace_timer();
    let end = |space: &mut Space| space.end_hold(&owner, Answer::LeaseLost);
    let mut cases = endings(Asked::LeaseElapsed, "lease elapsed", &leased, &owner, end);
    cases.extend([
        Case::new("lease elapsed: stale", Asked::LeaseElapsed, !leased, |_| ()),
        Case::new("wait elapsed: timed out", Asked::WaitElapsed, waits.clone(), |space| {
            space.leave_queue(&who, &BEFORE.name(&who));
            space.tell(&who, Answer::TimedOut);
        }),
        Case::new("wait elapsed: stale", Asked::WaitElapsed, !waits, |_| ()),
        Case::new("grace elapsed: all revoked", Asked::GraceElapsed, grace.clone(), |space| {
            space.revoke_all();
            space.close();
        }),
        Case::new("grace elapsed: stale", Asked::GraceElapsed, !grace, |_| ()),
    ]);
    cases
}
