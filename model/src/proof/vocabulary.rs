//! The symbols in which the protocol is told to the solvers.
//!
//! A lockspace is seen from two sides. By request: what it is doing (`status`), for which `name`, at
//! which `place`, with which `token`. By table: the `holder` of a name, the `waiter` at a place of
//! its queue, the `owner` of a token. Each side follows from the other, and the invariants say that
//! they agree. Keeping both makes every claim a plain "for all": neither a search for a witness nor
//! a set to be counted, which is what solvers are bad at.
//!
//! A function has a value everywhere, the protocol does not: an idle request has no place.
//! [`live`] says where a value means something; elsewhere nothing may depend upon it.

use lockspace_spec::{Phase, Wait};

use super::term::{Part, Sort, Symbol, Term, Variable, When};

use Sort::{Bool, Count, Name, Request, Token};

macro_rules! words {
    ($($sort:ident $type:ident $doc:literal: $($word:ident $text:literal),*;)*) => {$(
        #[doc = concat!("The sort of [`", stringify!($type), "`].")]
        pub const $sort: Sort = Sort::Word(stringify!($type), &[$($text),*]);

        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $(#[doc = concat!("`", $text, "`")] $word,)*
        }

        impl From<$type> for Term {
            fn from(word: $type) -> Self {
                Self::literal($sort, word as i64)
            }
        }
    )*};
}

words! {
    STATUS Status "What a request is doing.":
        Idle "idle", Waiting "waiting", Holding "holding";
    ANSWER Answer "What a request is told in a step.":
        Nothing "nothing", Granted "granted", Queued "queued", Busy "busy", TimedOut "timed_out",
        ShuttingDown "shutting_down", AtCapacity "at_capacity", Cancelled "cancelled",
        Released "released", Renewed "renewed", LeaseLost "lease_lost", ForcedLost "forced_lost",
        ShutdownLost "shutdown_lost", NotHeld "not_held";
    ASKED Asked "What kind of action is taken.":
        Acquire "acquire", Cancel "cancel", Release "release", Renew "renew",
        ForceRelease "force_release", Shutdown "shutdown", WaitElapsed "wait_elapsed",
        LeaseElapsed "lease_elapsed", GraceElapsed "grace_elapsed";
}

/// The sort of [`Phase`].
pub const PHASE_OF_LIFE: Sort = Sort::Word("Phase", &["open", "draining", "closed"]);

impl From<Phase> for Term {
    fn from(phase: Phase) -> Self {
        Self::literal(PHASE_OF_LIFE, phase as i64)
    }
}

/// The sort of [`Wait`].
pub const READINESS: Sort = Sort::Word("Wait", &["no_wait", "bounded", "unbounded"]);

impl From<Wait> for Term {
    fn from(wait: Wait) -> Self {
        Self::literal(READINESS, wait as i64)
    }
}

macro_rules! vocabulary {
    ($($part:ident { $($symbol:ident $name:ident($($arg:ident: $sort:ident),*) -> $value:expr,
        $doc:literal;)* })*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($($symbol,)*)* }

        $($(
            #[doc = $doc]
            pub static $symbol: Symbol = Symbol {
                index: Index::$symbol as usize,
                name: stringify!($name),
                part: Part::$part,
                args: &[$($sort),*],
                value: $value,
            };
        )*)*

        /// Every symbol, by its index.
        pub static SYMBOLS: &[&Symbol] = &[$($(&$symbol),*),*];

        /// Something in which the symbols have values.
        pub trait Reads {
            /// The value of `symbol` at `args`.
            fn read(&self, symbol: &'static Symbol, args: &[Term]) -> Term;

            $($(
                #[doc = $doc]
                fn $name(&self, $($arg: &Term),*) -> Term {
                    self.read(&$symbol, &[$($arg),*].map(Term::clone))
                }
            )*)*

            /// Whether `request` waits.
            fn waiting(&self, request: &Term) -> Term {
                self.status(request).is(&Status::Waiting.into())
            }

            /// Whether `request` holds.
            fn holding(&self, request: &Term) -> Term {
                self.status(request).is(&Status::Holding.into())
            }

            /// Whether `request` holds with `token`.
            fn holding_with(&self, request: &Term, token: &Term) -> Term {
                self.holding(request) & self.token(request).is(token)
            }

            /// Whether the lockspace is in `phase`.
            fn in_phase(&self, phase: Phase) -> Term {
                self.phase().is(&phase.into())
            }

            /// Whether `request` is told `answer`.
            fn tells(&self, request: &Term, answer: Answer) -> Term {
                self.told(request).is(&answer.into())
            }
        }
    };
}

vocabulary! {
    State {
        PHASE phase() -> PHASE_OF_LIFE, "Where the lockspace is in its life.";
        NEXT_TOKEN next_token() -> Token, "The token of the next grant.";
        NAMES_IN_USE names_in_use() -> Count, "How many names have an entry.";
        GRACE_TIMER grace_timer() -> Bool, "Whether the grace timer is armed.";
        REQUEST_STATUS status(request: Request) -> STATUS, "What a request is doing.";
        REQUEST_NAME name(request: Request) -> Name, "The name that a request waits for or holds.";
        REQUEST_LEASED leased(request: Request) -> Bool, "Whether its hold has, or is to have, a lease.";
        REQUEST_TIMED timed(request: Request) -> Bool, "Whether its wait is bounded.";
        REQUEST_PLACE place(request: Request) -> Count, "How many waiters are before it.";
        REQUEST_TOKEN token(request: Request) -> Token, "The token of its grant.";
        WAIT_TIMER wait_timer(request: Request) -> Bool, "Whether its wait timer is armed.";
        ENTRY entry(of: Name) -> Bool, "Whether a name has an entry.";
        HOLDER holder(of: Name) -> Request, "Who holds a name that has an entry.";
        QUEUE_LENGTH queue_length(of: Name) -> Count, "How many requests wait for a name.";
        WAITER waiter(of: Name, at: Count) -> Request, "Who waits at a place of its queue.";
        OWNER owner(token: Token) -> Request, "Whom a token was granted to.";
        LEASE_TIMER lease_timer(token: Token) -> Bool, "Whether the lease timer of a grant is armed.";
    }
    Told {
        TOLD told(request: Request) -> ANSWER, "What a request is told.";
        GRANTED_TOKEN granted_token() -> Token, "The token of the grant made in this step, if any.";
        AHEAD ahead() -> Count, "How many waiters the request queued in this step has before it.";
        OPERATOR_RELEASED operator_released() -> Bool, "Whether the operator is told Released.";
        OPERATOR_NOT_HELD operator_not_held() -> Bool, "Whether the operator is told NotHeld.";
        OPERATOR_CLOSED operator_closed() -> Bool, "Whether the operator is told Closed.";
    }
    Action {
        ASKED_FOR asked() -> ASKED, "What kind of action this is.";
        WHO who() -> Request, "The request that acts, or whose wait timer elapses.";
        WHICH which() -> Name, "The name that is acquired or forced.";
        MEANT meant() -> Token, "The token of the grant that is released, renewed or at its lease's end.";
        READY readiness() -> READINESS, "How long an acquire is ready to wait.";
        WANTS_LEASE wants_lease() -> Bool, "Whether an acquire is for a bounded hold.";
        AT_ONCE at_once() -> Bool, "Whether a shutdown is without grace.";
    }
    Limit {
        MOST_NAMES most_names() -> Count, "The most names in use at once.";
        MOST_WAITERS most_waiters() -> Count, "The most waiters of one name.";
    }
}

/// The symbols as they are on one side of a step.
#[derive(Clone, Copy, Debug)]
pub struct Side(pub When);

impl Reads for Side {
    fn read(&self, symbol: &'static Symbol, args: &[Term]) -> Term {
        let when = match symbol.part {
            Part::State => self.0,
            Part::Told => When::After,
            Part::Action | Part::Limit => When::Before,
        };
        Term::apply(symbol, when, args)
    }
}

/// The state before a step, the action and the limits.
pub const BEFORE: Side = Side(When::Before);

/// The state after a step, and what is told in it.
pub const AFTER: Side = Side(When::After);

/// Whether the value of `symbol` at `args` means something in `space`.
#[must_use]
pub fn live(space: &impl Reads, symbol: &'static Symbol, args: &[Term]) -> Term {
    let is = |other: &Symbol| symbol.index == other.index;
    match args {
        [request] if is(&REQUEST_NAME) || is(&REQUEST_LEASED) => {
            space.status(request).is_not(&Status::Idle.into())
        }
        [request] if is(&REQUEST_TIMED) || is(&REQUEST_PLACE) => space.waiting(request),
        [request] if is(&REQUEST_TOKEN) => space.holding(request),
        [name] if is(&HOLDER) => space.entry(name),
        [name, place] if is(&WAITER) => {
            Term::number(0).at_most(place) & place.below(&space.queue_length(name))
        }
        [token] if is(&OWNER) => space.holding_with(&space.owner(token), token),
        [] if is(&GRANTED_TOKEN) => some_request(|r| space.tells(r, Answer::Granted)),
        [] if is(&AHEAD) => some_request(|r| space.tells(r, Answer::Queued)),
        _ => true.into(),
    }
}

/// One variable for each argument of `symbol`, and each of them as a term.
#[must_use]
pub fn variables(symbol: &Symbol) -> (Vec<Variable>, Vec<Term>) {
    let variables: Vec<Variable> =
        ["x", "y"].into_iter().zip(symbol.args.iter().copied()).collect();
    let terms = variables.iter().copied().map(Term::variable).collect();
    (variables, terms)
}

/// The values of `symbol` are the same in `left` and `right` wherever they mean something in `right`.
#[must_use]
pub fn same(symbol: &'static Symbol, left: &impl Reads, right: &impl Reads) -> Term {
    let (variables, args) = variables(symbol);
    let equal = left.read(symbol, &args).is(&right.read(symbol, &args));
    Term::for_every(variables, live(right, symbol, &args).implies(equal))
}

/// Some request is such.
#[must_use]
pub fn some_request(such: impl Fn(&Term) -> Term) -> Term {
    Term::exists(("some", Request), such(&Term::variable(("some", Request))))
}
