//! What actions do, written as the moves that they are made of.
//!
//! A [`Space`] is a lockspace in the course of a step: each symbol has a value that is a term over the
//! state *before* the step. A move replaces values; after the last one, the values are the state
//! after the step. They are definitions, so a step adds no quantifier to what a solver must show.
//!
//! The moves have the names of those in the specification, and are not made from them: that the two
//! agree is checked ([`tie`](super::tie)), edge by edge.

use std::sync::Arc;

use lockspace_spec::Phase;

use super::term::{Part, Symbol, Term};
use super::vocabulary::{
    AHEAD, Answer, BEFORE, ENTRY, GRACE_TIMER, GRANTED_TOKEN, HOLDER, LEASE_TIMER, NAMES_IN_USE,
    NEXT_TOKEN, OPERATOR_CLOSED, OPERATOR_NOT_HELD, OPERATOR_RELEASED, OWNER, PHASE, QUEUE_LENGTH,
    REQUEST_LEASED, REQUEST_NAME, REQUEST_PLACE, REQUEST_STATUS, REQUEST_TIMED, REQUEST_TOKEN,
    Reads, SYMBOLS, Status, TOLD, WAIT_TIMER, WAITER,
};

type Function = Arc<dyn Fn(&[Term]) -> Term + Send + Sync>;

/// A lockspace in the course of a step.
#[derive(Clone)]
pub struct Space(Vec<Function>);

impl core::fmt::Debug for Space {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Space").finish_non_exhaustive()
    }
}

impl Reads for Space {
    fn read(&self, symbol: &'static Symbol, args: &[Term]) -> Term {
        self.0[symbol.index](args)
    }
}

impl Space {
    /// As it was before the step, and nobody has been told anything.
    #[must_use]
    pub fn unchanged() -> Self {
        let value = |symbol: &&'static Symbol| -> Function {
            let symbol = *symbol;
            match symbol.part {
                // False, zero and "nothing" are all the first of their sort.
                Part::Told => Arc::new(move |_| Term::literal(symbol.value, 0)),
                _ => Arc::new(move |args| BEFORE.read(symbol, args)),
            }
        };
        Self(SYMBOLS.iter().map(value).collect())
    }

    /// Open, and nothing has happened in it. Values that mean nothing are whatever they were.
    #[must_use]
    pub fn initial() -> Self {
        let mut space = Self::unchanged();
        space.set(&PHASE, [], Phase::Open.into());
        space.set(&NEXT_TOKEN, [], Term::number(1));
        space.set(&NAMES_IN_USE, [], Term::number(0));
        space.set(&GRACE_TIMER, [], false.into());
        space.set_all(&REQUEST_STATUS, |_, _| Status::Idle.into());
        space.set_all(&ENTRY, |_, _| false.into());
        space.set_all(&QUEUE_LENGTH, |_, _| Term::number(0));
        space.set_all(&WAIT_TIMER, |_, _| false.into());
        space.set_all(&LEASE_TIMER, |_, _| false.into());
        space
    }

    /// Gives `symbol` the `value` at one place.
    pub fn set<const ARGS: usize>(
        &mut self,
        symbol: &'static Symbol,
        at: [&Term; ARGS],
        value: Term,
    ) {
        let at = at.map(Term::clone);
        self.set_all(symbol, move |args, old| {
            if args.is_empty() {
                return value.clone();
            }
            let here = args.iter().zip(&at).map(|(arg, at)| arg.is(at));
            Term::all(here).choose(value.clone(), old)
        });
    }

    /// Gives `symbol` a new value everywhere, from its arguments and the old value there.
    pub fn set_all(
        &mut self,
        symbol: &'static Symbol,
        value: impl Fn(&[Term], Term) -> Term + Send + Sync + 'static,
    ) {
        let old = self.0[symbol.index].clone();
        self.0[symbol.index] = Arc::new(move |args| value(args, old(args)));
    }

    /// `request` is told `answer`.
    pub fn tell(&mut self, request: &Term, answer: Answer) {
        self.set(&TOLD, [request], answer.into());
    }

    /// The operator is told one of the things that operators are told.
    pub fn tell_operator(&mut self, what: &'static Symbol) {
        let operators = [&OPERATOR_CLOSED, &OPERATOR_NOT_HELD, &OPERATOR_RELEASED];
        assert!(operators.iter().any(|symbol| symbol.index == what.index));
        self.set(what, [], true.into());
    }
}

/// The moves.
impl Space {
    /// `name`, which was free, is in use.
    pub fn make_entry(&mut self, name: &Term) {
        self.set(&ENTRY, [name], true.into());
        self.set(&NAMES_IN_USE, [], self.names_in_use() + 1);
    }

    /// `name` is free.
    pub fn remove_entry(&mut self, name: &Term) {
        self.set(&ENTRY, [name], false.into());
        self.set(&NAMES_IN_USE, [], self.names_in_use() - 1);
    }

    /// `request` holds `name`, with the next token.
    pub fn grant(&mut self, request: &Term, name: &Term, leased: &Term) {
        let token = self.next_token();
        self.set(&NEXT_TOKEN, [], token.clone() + 1);
        self.grant_with(request, name, leased, &token);
    }

    /// `request` holds `name`, with this `token`.
    pub fn grant_with(&mut self, request: &Term, name: &Term, leased: &Term, token: &Term) {
        let at = [request];
        self.set(&REQUEST_STATUS, at, Status::Holding.into());
        self.set(&REQUEST_NAME, at, name.clone());
        self.set(&REQUEST_LEASED, at, leased.clone());
        self.set(&REQUEST_TOKEN, at, token.clone());
        self.set(&HOLDER, [name], request.clone());
        self.set(&OWNER, [token], request.clone());
        let armed = self.lease_timer(token) | leased.clone();
        self.set(&LEASE_TIMER, [token], armed);
        self.set(&GRANTED_TOKEN, [], token.clone());
        self.tell(request, Answer::Granted);
    }

    /// `request` waits for `name`, at the end of its queue.
    pub fn queue(&mut self, request: &Term, name: &Term, timed: &Term, leased: &Term) {
        let place = self.queue_length(name);
        let at = [request];
        self.set(&REQUEST_STATUS, at, Status::Waiting.into());
        self.set(&REQUEST_NAME, at, name.clone());
        self.set(&REQUEST_LEASED, at, leased.clone());
        self.set(&REQUEST_TIMED, at, timed.clone());
        self.set(&REQUEST_PLACE, at, place.clone());
        self.set(&WAITER, [name, &place], request.clone());
        self.set(&QUEUE_LENGTH, [name], place.clone() + 1);
        let armed = self.wait_timer(request) | timed.clone();
        self.set(&WAIT_TIMER, at, armed);
        self.set(&AHEAD, [], place);
        self.tell(request, Answer::Queued);
    }

    /// `request` leaves the queue of `name`, and those behind it move up.
    pub fn leave_queue(&mut self, request: &Term, name: &Term) {
        let place = self.place(request);
        self.set(&WAIT_TIMER, [request], false.into());
        self.set(&REQUEST_STATUS, [request], Status::Idle.into());
        self.set(&QUEUE_LENGTH, [name], self.queue_length(name) - 1);
        let before = self.clone();
        let (of, gap) = (name.clone(), place.clone());
        self.set_all(&REQUEST_PLACE, move |args, old| {
            let behind = before.name(&args[0]).is(&of) & gap.below(&old);
            behind.choose(old.clone() - 1, old)
        });
        let before = self.clone();
        let (of, gap) = (name.clone(), place);
        self.set_all(&WAITER, move |args, old| {
            let moved = args[0].is(&of) & gap.at_most(&args[1]);
            moved.choose(before.waiter(&args[0], &(args[1].clone() + 1)), old)
        });
    }

    /// The hold of `request` ends, and it is told `how`.
    pub fn end_hold(&mut self, request: &Term, how: Answer) {
        let token = self.token(request);
        self.set(&LEASE_TIMER, [&token], false.into());
        self.set(&REQUEST_STATUS, [request], Status::Idle.into());
        self.tell(request, how);
    }

    /// The first waiter of `name` holds it.
    pub fn hand_over(&mut self, name: &Term) {
        let next = self.waiter(name, &Term::number(0));
        let leased = self.leased(&next);
        self.leave_queue(&next, name);
        self.grant(&next, name, &leased);
    }

    /// Every waiter is refused: all who waited when the step began, in which nobody else is queued.
    pub fn refuse_all_waiters(&mut self) {
        self.set_all(&REQUEST_STATUS, |args, old| {
            BEFORE.waiting(&args[0]).choose(Status::Idle.into(), old)
        });
        self.set_all(&TOLD, |args, old| {
            BEFORE.waiting(&args[0]).choose(Answer::ShuttingDown.into(), old)
        });
        self.set_all(&WAIT_TIMER, |args, old| old & !BEFORE.waiting(&args[0]));
        self.set_all(&QUEUE_LENGTH, |_, _| Term::number(0));
    }

    /// Every hold is lost, and its name is free: all holds that there were when the step began, in which
    /// nobody is granted anything.
    pub fn revoke_all(&mut self) {
        self.set_all(&REQUEST_STATUS, |args, old| {
            BEFORE.holding(&args[0]).choose(Status::Idle.into(), old)
        });
        self.set_all(&TOLD, |args, old| {
            BEFORE.holding(&args[0]).choose(Answer::ShutdownLost.into(), old)
        });
        self.set_all(&LEASE_TIMER, |args, old| {
            old & !BEFORE.holding_with(&BEFORE.owner(&args[0]), &args[0])
        });
        self.set_all(&ENTRY, |_, _| false.into());
        self.set(&NAMES_IN_USE, [], Term::number(0));
    }

    /// Shutdown begins.
    pub fn begin_drain(&mut self) {
        self.set(&PHASE, [], Phase::Draining.into());
        self.set(&GRACE_TIMER, [], true.into());
        self.refuse_all_waiters();
    }

    /// Nothing is left.
    pub fn close(&mut self) {
        self.set(&PHASE, [], Phase::Closed.into());
        self.set(&GRACE_TIMER, [], false.into());
        self.tell_operator(&OPERATOR_CLOSED);
    }
}
