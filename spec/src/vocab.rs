//! The words of the protocol, each with one meaning. Types only: nothing here decides anything.
//!
//! The shipping code uses the same words ([`FencingToken`], [`Refusal`], [`Phase`]; its `Loss` has grown a
//! type of its own, which says more than [`Loss`]); prose uses them as `docs/vocabulary.md` explains them.

/// Which lock. An implementation's names are text; the protocol only compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u16);

/// One wish to hold one name: from its acquire until its grant has ended (or it was refused).
///
/// A request id may be used again once its request is over, so that a model needs only as many ids
/// as there are clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u16);

/// A number given with each grant that only grows (property S2), so that a resource which remembers
/// the greatest token it has seen can refuse a holder that has been overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// The token of the first grant. Zero is never granted.
    pub const FIRST: Self = Self(1);

    /// The token after this one. At a grant a nanosecond, `u64` lasts for 584 years; should it end
    /// all the same, the number stands still rather than starting again.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl core::fmt::Display for FencingToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a request is ready to wait. A zero wait timeout *is* [`Wait::No`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// Not at all: granted at once or refused as [`Refusal::Busy`].
    No,
    /// Until its wait timer elapses.
    Bounded,
    /// For as long as it takes.
    Unbounded,
}

/// How long a hold may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lease {
    /// Until it is released.
    Unbounded,
    /// Until its lease timer elapses, unless it is renewed or released before.
    Bounded,
}

/// How long a shutdown lets holders finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grace {
    /// Not at all: every hold is revoked at once.
    No,
    /// Until the grace timer elapses.
    Bounded,
}

/// Something armed that will elapse one day. Time exists in the protocol only as these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The wait timeout of a queued request.
    Wait(RequestId),
    /// The lease of the hold with this token.
    Lease(FencingToken),
    /// The grace of a shutdown.
    Grace,
}

/// Where a lockspace is in its life. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Requests are granted.
    Open,
    /// Shutdown has begun: nothing is granted, nobody waits, holders may finish.
    Draining,
    /// Quiescent for good: no holder, waiter or timer.
    Closed,
}

/// Why an acquire was not granted. Each is a final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The name is held and the request would not wait.
    Busy,
    /// The wait timeout ended before the name came free.
    TimedOut,
    /// The lockspace is shutting down, or has shut down.
    ShuttingDown,
    /// A configured limit on names or on waiters is reached.
    AtCapacity,
}

/// Why a hold ended although its holder did not release it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Its lease ended.
    LeaseElapsed,
    /// An operator force-released the name.
    Forced,
    /// A shutdown's grace ended.
    Shutdown,
}
