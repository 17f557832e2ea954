//! Faulty designs: one case of the protocol done wrong, and the claims that it breaks.
//!
//! They show that the claims are not true of everything. Each claim is broken by one of them, and each
//! of the model's [defects](crate::defects) is here under its own name, but for those of
//! [several steps](super::several_steps) that are no case of the protocol.

use lockspace_spec::{Phase, Wait};

use super::cases::{Case, contended, only_holder};
use super::claims::{CLAIMS, Claim};
use super::moves::Space;
use super::term::Term;
use super::vocabulary::{
    Answer, Asked, BEFORE, ENTRY, GRACE_TIMER, LEASE_TIMER, NEXT_TOKEN, OPERATOR_CLOSED, PHASE,
    QUEUE_LENGTH, REQUEST_LEASED, REQUEST_PLACE, REQUEST_STATUS, Reads, Status, WAIT_TIMER, WAITER,
};

/// A faulty design.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its name.
    pub name: &'static str,
    /// The case that is done wrong.
    pub case: Case,
    breaks: Breaks,
}

/// Claims, by ID and name.
type Breaks = &'static [(&'static str, &'static str)];

impl Control {
    /// The claims that it must break.
    ///
    /// # Panics
    /// If there is no such claim.
    #[must_use]
    pub fn breaks(&self) -> Vec<&'static Claim> {
        let called = |wanted: &(&str, &str)| {
            let claim = CLAIMS.iter().find(|claim| (claim.id, claim.name) == *wanted);
            claim.unwrap_or_else(|| panic!("{} breaks what is not claimed", self.name))
        };
        self.breaks.iter().map(called).collect()
    }
}

/// Every faulty design.
#[must_use]
pub fn controls() -> Vec<Control> {
    [acquires(), cancels(), releases(), renewals(), timers(), shutdowns()].concat()
}

fn control(
    name: &'static str,
    breaks: Breaks,
    asked: Asked,
    guard: Term,
    moves: impl FnOnce(&mut Space),
) -> Control {
    Control { name, case: Case::new(name, asked, guard, moves), breaks }
}

/// Somebody new asks for a name, while the lockspace is open.
fn asked_for(which: Term) -> Term {
    let idle = BEFORE.status(&BEFORE.who()).is(&Status::Idle.into());
    idle & BEFORE.in_phase(Phase::Open) & which
}

fn acquires() -> Vec<Control> {
    let (who, which, leased) = (BEFORE.who(), BEFORE.which(), BEFORE.wants_lease());
    let timed = BEFORE.readiness().is(&Wait::Bounded.into());
    let free = asked_for(!BEFORE.entry(&which));
    let held = asked_for(BEFORE.entry(&which));
    let draining = BEFORE.in_phase(Phase::Draining);
    let name = BEFORE.which();
    let acquire = |name, breaks, guard, moves: &dyn Fn(&mut Space)| {
        control(name, breaks, Asked::Acquire, guard, |space| moves(space))
    };
    vec![
        acquire(
            "second-caller-overwrites-the-entry",
            &[
                ("S1", "a name has at most one holder"),
                ("S1", "a held name's holder is its holder"),
            ],
            held.clone(),
            &|space| space.grant(&who, &which, &leased),
        ),
        acquire(
            "names-count-their-own-tokens",
            &[
                ("S2", "no two holds have one token"),
                ("S2", "a hold's token is owned by its request"),
            ],
            free.clone(),
            &|space| {
                space.make_entry(&which);
                space.grant_with(&who, &which, &leased, &Term::number(2));
            },
        ),
        acquire(
            "newcomer-goes-first",
            &[("S3", "newcomers wait behind")],
            held.clone() & contended(&which),
            &|space| {
                space.queue(&who, &which, &timed, &leased);
                let (of, first) = (which.clone(), who.clone());
                space.set_all(&REQUEST_PLACE, move |args, old| {
                    let moved = BEFORE.name(&args[0]).is(&of) & BEFORE.waiting(&args[0]);
                    let new = args[0].is(&first).choose(Term::number(0), old.clone());
                    moved.choose(old + 1, new)
                });
                let (of, first) = (which.clone(), who.clone());
                space.set_all(&WAITER, move |args, old| {
                    let behind = BEFORE.waiter(&args[0], &(args[1].clone() - 1));
                    let new = args[1].is(&Term::number(0)).choose(first.clone(), behind);
                    args[0].is(&of).choose(new, old)
                });
            },
        ),
        acquire(
            "newcomer-takes-a-taken-place",
            &[("S3", "no two waiters have one place"), ("S5", "a waiter is where the queue says")],
            held.clone() & contended(&which),
            &|space| {
                space.set(&QUEUE_LENGTH, [&name], BEFORE.queue_length(&name) - 1);
                space.queue(&who, &which, &timed, &leased);
            },
        ),
        acquire(
            "second-wish-changes-the-first",
            &[("S3", "a waiter that stays is as it was")],
            BEFORE.waiting(&who),
            &|space| space.set(&REQUEST_LEASED, [&who], leased.clone()),
        ),
        acquire(
            "crashed-holder-blocks-for-ever",
            &[("S6", "a leased hold's timer is armed")],
            free.clone(),
            &|space| {
                space.make_entry(&which);
                space.grant(&who, &which, &leased);
                space.set(&LEASE_TIMER, [&BEFORE.next_token()], false.into());
            },
        ),
        acquire(
            "granted-while-draining",
            &[("S9", "nothing is granted after shutdown began")],
            BEFORE.status(&who).is(&Status::Idle.into()) & !BEFORE.entry(&which) & draining,
            &|space| {
                space.make_entry(&which);
                space.grant(&who, &which, &leased);
            },
        ),
        acquire(
            "limits-are-not-looked-at",
            &[("S10", "queues are within the limit")],
            held.clone(),
            &|space| space.queue(&who, &which, &timed, &leased),
        ),
        acquire(
            "zero-timeout-waits-for-ever",
            &[("S6", "wait timers = bounded waits")],
            held & BEFORE.readiness().is(&Wait::No.into()),
            &|space| {
                space.queue(&who, &which, &true.into(), &leased);
                space.set(&WAIT_TIMER, [&who], false.into());
            },
        ),
        acquire(
            "limit-on-names-is-not-looked-at",
            &[("S10", "names are within the limit")],
            free.clone(),
            &|space| {
                space.make_entry(&which);
                space.grant(&who, &which, &leased);
            },
        ),
        acquire("refused-for-no-limit", &[("S10", "AtCapacity only at a limit")], free, &|space| {
            space.tell(&who, Answer::AtCapacity);
        }),
    ]
}

fn cancels() -> Vec<Control> {
    let who = BEFORE.who();
    let name = BEFORE.name(&who);
    let waiting = BEFORE.waiting(&who);
    let cancel = |name, breaks, guard, moves: &dyn Fn(&mut Space)| {
        control(name, breaks, Asked::Cancel, guard, |space| moves(space))
    };
    vec![
        cancel(
            "cancelled-grant-is-lost",
            &[("S7", "the end of a hold grants the first waiter")],
            BEFORE.holding(&who) & contended(&name),
            &|space| space.end_hold(&who, Answer::Released),
        ),
        cancel(
            "cancelled-waiter-leaves-the-entry",
            &[("S5", "a name with an entry is held")],
            BEFORE.holding(&who) & !contended(&name),
            &|space| space.end_hold(&who, Answer::Released),
        ),
        cancel(
            "cancelled-waiter-leaves-a-gap",
            &[("S5", "a queue has waiters only, without gaps")],
            waiting.clone(),
            &|space| {
                space.set(&REQUEST_STATUS, [&who], Status::Idle.into());
                space.set(&WAIT_TIMER, [&who], false.into());
                space.tell(&who, Answer::Cancelled);
            },
        ),
        cancel(
            "last-waiter-fills-the-gap",
            &[("S3", "waiters keep their order")],
            waiting,
            &|space| {
                let end = BEFORE.queue_length(&name) - 1;
                let (last, gap) = (BEFORE.waiter(&name, &end), BEFORE.place(&who));
                space.set(&WAITER, [&name, &gap], last.clone());
                space.set(&REQUEST_PLACE, [&last], gap);
                space.set(&QUEUE_LENGTH, [&name], end);
                space.set(&REQUEST_STATUS, [&who], Status::Idle.into());
                space.set(&WAIT_TIMER, [&who], false.into());
                space.tell(&who, Answer::Cancelled);
            },
        ),
    ]
}

fn releases() -> Vec<Control> {
    let (who, which) = (BEFORE.who(), BEFORE.which());
    let name = BEFORE.name(&who);
    let current = BEFORE.holding_with(&who, &BEFORE.meant());
    let last = BEFORE.in_phase(Phase::Draining) & only_holder(&who);
    let alone = current.clone() & !contended(&name) & !last.clone();
    let awaited = current.clone() & contended(&name);
    let release = |name, breaks, guard, moves: &dyn Fn(&mut Space)| {
        control(name, breaks, Asked::Release, guard, |space| moves(space))
    };
    let end = |space: &mut Space| space.end_hold(&BEFORE.who(), Answer::Released);
    vec![
        release(
            "barging",
            &[("S3", "nobody who is granted overtakes")],
            awaited.clone(),
            &|space| {
                let latest = BEFORE.waiter(&name, &(BEFORE.queue_length(&name) - 1));
                end(space);
                space.leave_queue(&latest, &name);
                space.grant(&latest, &name, &BEFORE.leased(&latest));
            },
        ),
        release(
            "lost-wake-up",
            &[("S7", "a name that is waited for is held")],
            awaited.clone(),
            &end,
        ),
        release(
            "wait-timer-outlives-the-wait",
            &[("S6", "wait timers = bounded waits")],
            awaited,
            &|space| {
                let next = BEFORE.waiter(&name, &Term::number(0));
                end(space);
                space.hand_over(&name);
                space.set(&WAIT_TIMER, [&next], BEFORE.wait_timer(&next));
            },
        ),
        release(
            "token-counter-goes-with-the-entry",
            &[
                ("S2", "a grant takes the next token, and moves it on"),
                ("S2", "the tokens of holds are below the next"),
            ],
            alone.clone(),
            &|space| {
                end(space);
                space.remove_entry(&name);
                space.set(&NEXT_TOKEN, [], Term::number(1));
            },
        ),
        release(
            "map-is-never-cleaned",
            &[("S5", "a name with an entry is held")],
            alone.clone(),
            &end,
        ),
        release(
            "timers-are-never-cleared",
            &[("S6", "an armed lease timer is of a leased hold")],
            alone.clone(),
            &|space| {
                end(space);
                space.remove_entry(&name);
                let token = BEFORE.meant();
                space.set(&LEASE_TIMER, [&token], BEFORE.lease_timer(&token));
            },
        ),
        release("names-are-miscounted", &[("S10", "names in use are counted")], alone, &|space| {
            end(space);
            space.set(&ENTRY, [&name], false.into());
        }),
        release(
            "release-is-only-told",
            &[("S4", "every grant ends once, Released or Lost")],
            current.clone(),
            &|space| space.tell(&who, Answer::Released),
        ),
        release(
            "drain-does-not-end",
            &[("S9", "draining: somebody still holds")],
            last,
            &|space| {
                end(space);
                space.remove_entry(&name);
            },
        ),
        release(
            "late-release-frees-the-successor",
            &[("S8", "a stale action changes nothing")],
            !current & BEFORE.entry(&which) & !contended(&which) & BEFORE.in_phase(Phase::Open),
            &|space| {
                space.end_hold(&BEFORE.holder(&which), Answer::Released);
                space.remove_entry(&which);
            },
        ),
    ]
}

fn renewals() -> Vec<Control> {
    let (who, which, token) = (BEFORE.who(), BEFORE.which(), BEFORE.meant());
    let ended = BEFORE.owner(&token).is(&who) & BEFORE.status(&who).is(&Status::Idle.into());
    let free = !BEFORE.entry(&which) & BEFORE.in_phase(Phase::Open);
    vec![control(
        "renewal-survives-the-release",
        &[("S8", "a stale action changes nothing")],
        Asked::Renew,
        ended & free,
        |space| {
            space.make_entry(&which);
            space.grant_with(&who, &which, &true.into(), &token);
            space.tell(&who, Answer::Renewed);
        },
    )]
}

fn timers() -> Vec<Control> {
    let who = BEFORE.who();
    let owner = BEFORE.owner(&BEFORE.meant());
    let name = BEFORE.name(&owner);
    let leased = BEFORE.lease_timer(&BEFORE.meant());
    vec![
        control(
            "timed-out-waiter-stays-queued",
            &[("S4", "every acquire gets one final answer")],
            Asked::WaitElapsed,
            BEFORE.wait_timer(&who),
            |space| {
                space.set(&WAIT_TIMER, [&who], false.into());
                space.tell(&who, Answer::TimedOut);
            },
        ),
        control(
            "release-before-body-stops",
            &[("S1", "whose hold ends is told, or asked for it")],
            Asked::LeaseElapsed,
            leased.clone() & contended(&name),
            |space| {
                space.end_hold(&owner, Answer::Released);
                space.hand_over(&name);
            },
        ),
        control(
            "late-lease-end-is-told",
            &[("S8", "a stale action tells only who asked")],
            Asked::LeaseElapsed,
            !leased,
            |space| space.tell(&owner, Answer::LeaseLost),
        ),
    ]
}

fn shutdowns() -> Vec<Control> {
    let open = BEFORE.in_phase(Phase::Open);
    let shutdown = |name, breaks, guard, moves: &dyn Fn(&mut Space)| {
        control(name, breaks, Asked::Shutdown, guard, |space| moves(space))
    };
    let close = |space: &mut Space| {
        space.set(&PHASE, [], Phase::Closed.into());
        space.tell_operator(&OPERATOR_CLOSED);
    };
    vec![
        shutdown(
            "shutdown-leaves-the-queue",
            &[
                ("S9", "nobody waits after shutdown began"),
                ("S9", "queues are empty after shutdown began"),
            ],
            open.clone(),
            &|space| {
                space.set(&PHASE, [], Phase::Draining.into());
                space.set(&GRACE_TIMER, [], true.into());
            },
        ),
        shutdown(
            "nothing-is-cleaned-at-exit",
            &[("S9", "closed: no holder"), ("S9", "closed: no entry"), ("S9", "closed: no timer")],
            open.clone(),
            &close,
        ),
        shutdown(
            "shutdown-clears-the-table",
            &[("S5", "a held name has an entry")],
            open,
            &|space| {
                space.begin_drain();
                space.set_all(&ENTRY, |_, _| false.into());
            },
        ),
        shutdown(
            "grace-timer-outlives-the-drain",
            &[("S6", "the grace timer is armed while draining")],
            BEFORE.in_phase(Phase::Draining),
            &|space| {
                space.revoke_all();
                close(space);
            },
        ),
        shutdown(
            "shutdown-of-the-closed-opens",
            &[("S9", "the phase only moves forward")],
            BEFORE.in_phase(Phase::Closed),
            &|space| space.set(&PHASE, [], Phase::Open.into()),
        ),
    ]
}
