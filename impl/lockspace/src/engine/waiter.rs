//! What stands in a queue: a request, in its slot.

use std::num::NonZeroU64;
use std::task::Waker;

use lockspace_spec::Refusal;

use super::entries::NONE;
use super::{Acquired, Failure, HoldKey};
use crate::error::TimedOut;

/// A request that has been queued, until its future has seen the answer. It fills a line of the cache:
/// whoever leaves a long queue touches its own line and those of its neighbours.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Waiter {
    pub(super) waker: Option<Waker>,
    pub(super) entry: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    /// The place of the timer of its wait; none, if it has none.
    pub(super) timer: u32,
    /// How many requests had queued in this shard when it did, itself included: its place in history.
    pub(super) ticket: u64,
    pub(super) state: WaiterState,
}

#[derive(Debug)]
pub(super) enum WaiterState {
    /// In the queue. `lease` is the length that the hold is to have, in nanoseconds.
    /// `impatient`: only until the store has answered once.
    Queued { lease: Option<NonZeroU64>, impatient: bool },
    /// Granted, and the future has not seen it. From here on it is a hold like any other.
    Granted(HoldKey),
    /// Refused, and the future has not seen it.
    Refused(Refusal),
    /// The same, since its wait timeout ended.
    TimedOut(Box<TimedOut>),
    /// Given up because of the store, and the future has not seen it.
    Failed(Failure),
}

impl Waiter {
    /// Of no request yet: it is written where it stays, since one that is put together elsewhere and moved
    /// is read before it has reached the cache.
    pub(super) const BLANK: Self = Self {
        waker: None,
        entry: NONE,
        previous: NONE,
        next: NONE,
        timer: NONE,
        ticket: 0,
        state: WaiterState::Queued { lease: None, impatient: false },
    };
}

impl WaiterState {
    /// What the future is told, once it is not queued any more.
    #[inline(always)]
    pub(super) fn into_answer(self) -> Acquired {
        match self {
            Self::Granted(hold) => Acquired::Granted(hold),
            Self::Refused(why) => Acquired::Refused(why),
            Self::TimedOut(told) => Acquired::TimedOut(told),
            Self::Failed(failure) => Acquired::Failed(failure),
            Self::Queued { .. } => unreachable!("it has not been answered"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_waiter_fills_a_line_of_the_cache() {
        assert_eq!(size_of::<super::Waiter>(), 64);
        assert_eq!(size_of::<Option<super::Waiter>>(), 64, "a free slot costs no more");
    }
}
