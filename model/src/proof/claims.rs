//! What is proved: the invariants, and what every step keeps to.
//!
//! Each claim bears the ID of the safety property that it is part of. An *invariant* speaks of one
//! state: the initial state has it, and every step from a state with all invariants leads to one.
//! A *promise* speaks of a step: every step from a state with all invariants keeps it. That the
//! claims of an ID say no less than the specification's own function of that ID is checked by
//! [`tie`](super::tie).

use lockspace_spec::Phase;

use super::term::{Part, Sort, Term};
use super::vocabulary::{
    AFTER, Answer, Asked, BEFORE, Reads, SYMBOLS, Side, Status, same, some_request,
};

use Sort::{Count, Name, Request, Token};

/// Something to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The safety property that it is part of.
    pub id: &'static str,
    /// What it says, in a few words.
    pub name: &'static str,
    /// What it says.
    pub says: Says,
}

/// What a claim speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// Of a state.
    Invariant(fn(&Side) -> Term),
    /// Of a step.
    Promise(fn() -> Term),
}

impl Claim {
    /// What it says of the state before a step, if it speaks of states.
    #[must_use]
    pub fn before(&self) -> Option<Term> {
        match self.says {
            Says::Invariant(says) => Some(says(&BEFORE)),
            Says::Promise(_) => None,
        }
    }

    /// What it says of a step, or of the state after it.
    #[must_use]
    pub fn after(&self) -> Term {
        match self.says {
            Says::Invariant(says) => says(&AFTER),
            Says::Promise(says) => says(),
        }
    }
}

macro_rules! claims {
    ($($id:literal $kind:ident $name:literal: $says:expr;)*) => {
        /// Every claim.
        pub const CLAIMS: &[Claim] = &[$(
            Claim { id: $id, name: $name, says: Says::$kind($says) },
        )*];
    };
}

claims! {
    "S1" Invariant "a name has at most one holder": |s| each_two_requests(|r, q| {
        (s.holding(r) & s.holding(q) & s.name(r).is(&s.name(q))).implies(r.is(q))
    });
    "S1" Invariant "a held name's holder is its holder": |s| each_request(|r| {
        s.holding(r).implies(s.holder(&s.name(r)).is(r))
    });
    "S1" Promise "whose hold ends is told, or asked for it": || each_request(|r| {
        let asked = BEFORE.who().is(r) & (asks(Asked::Release) | asks(Asked::Cancel));
        AFTER.tells(r, Answer::Released).implies(asked)
    });

    "S2" Invariant "the tokens of holds are below the next": |s| each_request(|r| {
        let (one, token, next) = (Term::number(1), s.token(r), s.next_token());
        one.at_most(&next) & s.holding(r).implies(one.at_most(&token) & token.below(&next))
    });
    "S2" Invariant "no two holds have one token": |s| each_two_requests(|r, q| {
        (s.holding(r) & s.holding(q) & s.token(r).is(&s.token(q))).implies(r.is(q))
    });
    "S2" Invariant "a hold's token is owned by its request": |s| each_request(|r| {
        s.holding(r).implies(s.owner(&s.token(r)).is(r))
    });
    "S2" Promise "a grant takes the next token, and moves it on": || {
        let (before, after) = (BEFORE.next_token(), AFTER.next_token());
        let granted = AFTER.granted_token();
        let takes = granted.is(&before) & granted.below(&after);
        before.at_most(&after) & each_request(|r| AFTER.tells(r, Answer::Granted).implies(
            takes.clone() & AFTER.holding_with(r, &granted)
        ))
    };

    "S3" Invariant "no two waiters have one place": |s| each_two_requests(|r, q| {
        let one_place = s.name(r).is(&s.name(q)) & s.place(r).is(&s.place(q));
        (s.waiting(r) & s.waiting(q) & one_place).implies(r.is(q))
    });
    "S3" Promise "waiters keep their order": || each_two_stayers(|r, q| {
        BEFORE.place(r).below(&BEFORE.place(q)).implies(AFTER.place(r).below(&AFTER.place(q)))
    });
    "S3" Promise "a waiter that stays is as it was": || each_request(|r| {
        let timed = BEFORE.timed(r).is(&AFTER.timed(r));
        stays(r).implies(timed & BEFORE.leased(r).is(&AFTER.leased(r)))
    });
    "S3" Promise "newcomers wait behind": || each_two_requests(|r, q| {
        let comes = !BEFORE.waiting(q) & AFTER.waiting(q) & AFTER.name(q).is(&AFTER.name(r));
        (stays(r) & comes).implies(AFTER.place(r).below(&AFTER.place(q)))
    });
    "S3" Promise "nobody who is granted overtakes": || each_two_requests(|r, q| {
        let new = AFTER.holding(r) & BEFORE.next_token().at_most(&AFTER.token(r));
        let granted = (AFTER.tells(r, Answer::Granted) | new) & AFTER.name(r).is(&BEFORE.name(q));
        let was_ahead = BEFORE.waiting(r)
            & BEFORE.name(r).is(&BEFORE.name(q))
            & BEFORE.place(r).below(&BEFORE.place(q));
        (granted & stays(q)).implies(was_ahead)
    });

    "S4" Promise "every acquire gets one final answer": || each_request(|r| {
        let asks = asks(Asked::Acquire) & BEFORE.who().is(r) & idle(r);
        let open = BEFORE.waiting(r) | asks;
        let answered = told_one_of(r, &[
            Answer::Granted, Answer::Busy, Answer::TimedOut, Answer::ShuttingDown,
            Answer::AtCapacity, Answer::Cancelled,
        ]);
        let stays_open = AFTER.waiting(r);
        open.is(&(answered.clone() | stays_open.clone())) & !(answered & stays_open)
    });
    "S4" Promise "every grant ends once, Released or Lost": || each_request(|r| {
        let one_if = |it: Term| it.choose(Term::number(1), Term::number(0));
        let granted = AFTER.tells(r, Answer::Granted);
        let begun = one_if(BEFORE.holding(r)) + one_if(granted);
        begun.is(&(one_if(told_end(r)) + one_if(AFTER.holding(r))))
    });

    "S5" Invariant "a name with an entry is held": |s| each_name(|n| {
        let holder = s.holder(n);
        s.entry(n).implies(s.holding(&holder) & s.name(&holder).is(n))
    });
    "S5" Invariant "a held name has an entry": |s| each_request(|r| {
        s.holding(r).implies(s.entry(&s.name(r)))
    });
    "S5" Invariant "a waiter is where the queue says": |s| each_request(|r| {
        let (name, place) = (s.name(r), s.place(r));
        let within = Term::number(0).at_most(&place) & place.below(&s.queue_length(&name));
        s.waiting(r).implies(within & s.waiter(&name, &place).is(r))
    });
    "S5" Invariant "a queue has waiters only, without gaps": |s| each_name(|n| each_place(|p| {
        let r = s.waiter(n, p);
        let within = Term::number(0).at_most(p) & p.below(&s.queue_length(n));
        within.implies(s.waiting(&r) & s.name(&r).is(n) & s.place(&r).is(p))
    }));

    "S6" Invariant "wait timers = bounded waits": |s| each_request(|r| {
        s.wait_timer(r).is(&(s.waiting(r) & s.timed(r)))
    });
    "S6" Invariant "a leased hold's timer is armed": |s| each_request(|r| {
        (s.holding(r) & s.leased(r)).implies(s.lease_timer(&s.token(r)))
    });
    "S6" Invariant "an armed lease timer is of a leased hold": |s| each_token(|t| {
        let owner = s.owner(t);
        s.lease_timer(t).implies(s.holding_with(&owner, t) & s.leased(&owner))
    });
    "S6" Invariant "the grace timer is armed while draining": |s| {
        s.grace_timer().is(&s.in_phase(Phase::Draining))
    };

    "S7" Invariant "a name that is waited for is held": |s| each_request(|r| {
        let holder = s.holder(&s.name(r));
        s.waiting(r).implies(s.entry(&s.name(r)) & s.holding(&holder) & s.name(&holder).is(&s.name(r)))
    });
    "S7" Promise "the end of a hold grants the first waiter": || each_request(|r| {
        let name = BEFORE.name(r);
        let first = BEFORE.waiter(&name, &Term::number(0));
        let waited_for = Term::number(0).below(&BEFORE.queue_length(&name));
        let ends = BEFORE.holding(r) & told_end(r) & AFTER.in_phase(Phase::Open);
        let granted = AFTER.tells(&first, Answer::Granted) & AFTER.name(&first).is(&name);
        (ends & waited_for).implies(granted)
    });

    "S8" Promise "a stale action changes nothing": || stale().implies(nothing_changes());
    "S8" Promise "a stale action tells only who asked": || {
        let answers = asks(Asked::Release) | asks(Asked::Renew) | asks(Asked::Cancel);
        stale().implies(no_operator_is_told() & each_request(|r| {
            let asked = answers.clone() & BEFORE.who().is(r);
            AFTER.told(r).is(&asked.choose(Answer::NotHeld.into(), Answer::Nothing.into()))
        }))
    };

    "S9" Invariant "nobody waits after shutdown began": |s| each_request(|r| {
        s.waiting(r).implies(s.in_phase(Phase::Open))
    });
    "S9" Invariant "queues are empty after shutdown began": |s| each_name(|n| {
        Term::number(0).below(&s.queue_length(n)).implies(s.in_phase(Phase::Open))
    });
    "S9" Invariant "closed: no holder": |s| each_request(|r| {
        s.holding(r).implies(!s.in_phase(Phase::Closed))
    });
    "S9" Invariant "closed: no entry": |s| each_name(|n| {
        s.entry(n).implies(!s.in_phase(Phase::Closed))
    });
    "S9" Invariant "closed: no timer": |s| {
        let requests = each_request(|r| !s.wait_timer(r));
        let tokens = each_token(|t| !s.lease_timer(t));
        s.in_phase(Phase::Closed).implies(requests & tokens & !s.grace_timer())
    };
    "S9" Invariant "draining: somebody still holds": |s| {
        s.in_phase(Phase::Draining).implies(some_request(|r| s.holding(r)))
    };
    "S9" Promise "the phase only moves forward": || {
        let was = |phase| BEFORE.in_phase(phase);
        let is = |phase| AFTER.in_phase(phase);
        was(Phase::Draining).implies(!is(Phase::Open)) & was(Phase::Closed).implies(is(Phase::Closed))
    };
    "S9" Promise "nothing is granted after shutdown began": || each_request(|r| {
        AFTER.tells(r, Answer::Granted).implies(AFTER.in_phase(Phase::Open))
    });

    "S10" Invariant "queues are within the limit": |s| each_name(|n| {
        let length = s.queue_length(n);
        Term::number(0).at_most(&length) & length.at_most(&s.most_waiters())
    });
    "S10" Invariant "names are within the limit": |s| s.names_in_use().at_most(&s.most_names());
    "S10" Promise "names in use are counted": counted;
    "S10" Promise "AtCapacity only at a limit": || each_request(|r| {
        let which = BEFORE.which();
        let names = BEFORE.most_names().at_most(&BEFORE.names_in_use());
        let waiters = BEFORE.most_waiters().at_most(&BEFORE.queue_length(&which));
        let full = asks(Asked::Acquire) & BEFORE.entry(&which).choose(waiters, names);
        AFTER.tells(r, Answer::AtCapacity).implies(full)
    });
}

fn each(name: &'static str, sort: Sort, says: impl FnOnce(&Term) -> Term) -> Term {
    Term::for_all((name, sort), says(&Term::variable((name, sort))))
}

fn each_request(says: impl FnOnce(&Term) -> Term) -> Term {
    each("r", Request, says)
}

fn each_two_requests(says: impl FnOnce(&Term, &Term) -> Term) -> Term {
    each("r", Request, |r| each("q", Request, |q| says(r, q)))
}

fn each_name(says: impl FnOnce(&Term) -> Term) -> Term {
    each("n", Name, says)
}

fn each_place(says: impl FnOnce(&Term) -> Term) -> Term {
    each("p", Count, says)
}

fn each_token(says: impl FnOnce(&Term) -> Term) -> Term {
    each("t", Token, says)
}

fn asks(asked: Asked) -> Term {
    BEFORE.asked().is(&asked.into())
}

fn idle(request: &Term) -> Term {
    BEFORE.status(request).is(&Status::Idle.into())
}

fn told_one_of(request: &Term, answers: &[Answer]) -> Term {
    Term::any(answers.iter().map(|answer| AFTER.tells(request, *answer)))
}

fn told_end(request: &Term) -> Term {
    let ends = [Answer::Released, Answer::LeaseLost, Answer::ForcedLost, Answer::ShutdownLost];
    told_one_of(request, &ends)
}

/// `request` waits before and after the step, for the same name.
fn stays(request: &Term) -> Term {
    let same = BEFORE.name(request).is(&AFTER.name(request));
    BEFORE.waiting(request) & AFTER.waiting(request) & same
}

fn each_two_stayers(says: impl FnOnce(&Term, &Term) -> Term) -> Term {
    each_two_requests(|r, q| {
        let together = BEFORE.name(r).is(&BEFORE.name(q));
        (stays(r) & stays(q) & together).implies(says(r, q))
    })
}

/// The action is upon something that has ended.
fn stale() -> Term {
    let (who, token) = (BEFORE.who(), BEFORE.meant());
    let not_held = !BEFORE.holding_with(&who, &token);
    let nobodys = !BEFORE.holding_with(&BEFORE.owner(&token), &token);
    Term::any([
        (asks(Asked::Release) | asks(Asked::Renew)) & not_held,
        asks(Asked::Cancel) & idle(&who),
        asks(Asked::WaitElapsed) & !BEFORE.waiting(&who),
        asks(Asked::LeaseElapsed) & nobodys,
        asks(Asked::GraceElapsed) & !BEFORE.in_phase(Phase::Draining),
    ])
}

fn nothing_changes() -> Term {
    let state = SYMBOLS.iter().filter(|symbol| symbol.part == Part::State);
    Term::all(state.map(|symbol| same(symbol, &AFTER, &BEFORE)))
}

fn no_operator_is_told() -> Term {
    !Term::any([AFTER.operator_released(), AFTER.operator_not_held(), AFTER.operator_closed()])
}

/// No name but the one that the action is about gains or loses its entry, and the count follows; or
/// all names lose theirs. By induction over the steps the count is the number of entries.
fn counted() -> Term {
    let (who, owner) = (BEFORE.who(), BEFORE.owner(&BEFORE.meant()));
    let by_request = asks(Asked::Cancel) | asks(Asked::Release) | asks(Asked::WaitElapsed);
    let other = asks(Asked::LeaseElapsed).choose(BEFORE.name(&owner), BEFORE.which());
    let touched = by_request.choose(BEFORE.name(&who), other);
    let one_if = |it: Term| it.choose(Term::number(1), Term::number(0));
    let alone = each_name(|n| n.is(&touched) | AFTER.entry(n).is(&BEFORE.entry(n)));
    let before = BEFORE.names_in_use() + one_if(AFTER.entry(&touched));
    let after = AFTER.names_in_use() + one_if(BEFORE.entry(&touched));
    let none_left = each_name(|n| !AFTER.entry(n)) & AFTER.names_in_use().is(&Term::number(0));
    (alone & before.is(&after)) | none_left
}
