//! The words of the protocol, each with one meaning. Types only: nothing here decides anything.
//!
//! The shipping code uses the same words ([`FencingToken`], [`Refusal`], [`Phase`]; its `Loss` has grown a
//! type of its own, which says more than [`Loss`]); prose uses them as "Vocabulary", in the documentation of
//! lockspace, explains them.

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
///
/// So it travels: as text, and as the signed number that databases keep.
///
/// ```
/// use lockspace_spec::FencingToken;
///
/// let token: FencingToken = "42".parse()?; // Out of a header.
/// assert_eq!((token, token.to_string()), (FencingToken::from(42), "42".into()));
/// assert_eq!(i64::try_from(token)?, 42); // Into a column.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

impl From<u64> for FencingToken {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl core::str::FromStr for FencingToken {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Fails beyond 2^63 - 1, which no lockspace comes to: over a store none may be greater.
impl TryFrom<FencingToken> for i64 {
    type Error = core::num::TryFromIntError;

    fn try_from(token: FencingToken) -> Result<Self, Self::Error> {
        token.0.try_into()
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

impl core::fmt::Display for Phase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Closed => "closed",
        })
    }
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

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::TimedOut => "timed out",
            Self::ShuttingDown => "shutting down",
            Self::AtCapacity => "at capacity",
        })
    }
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
