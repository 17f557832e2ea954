//! What is left to do once a shard is unlocked.
//!
//! Waking and dropping a waker runs code that we do not know, and that code may come straight back (a
//! task that is dropped drops its guards). So neither ever happens under a shard lock: actions collect
//! wakers here, and whoever called the engine carries the effects out after it has returned.

use std::mem::ManuallyDrop;
use std::task::Waker;

/// Wakers to wake and to drop, and whether a reaper must be started.
///
/// An uncontended acquire or release leaves it empty, and pays for no more than finding that out: the
/// fields are not dropped but taken, by [`carry_out`](Self::carry_out), which every action ends with.
#[derive(Default)]
#[must_use = "a grant whose waker is not woken is a lost wake-up"]
pub(crate) struct Effects {
    /// Nearly always enough: a release wakes one waiter.
    first: ManuallyDrop<Option<Waker>>,
    /// A waker that nobody needs any more; kept only to be dropped in the open.
    retired: ManuallyDrop<Option<Waker>>,
    /// Whoever else is to be woken.
    others: ManuallyDrop<Vec<Waker>>,
    start_reaper: bool,
}

impl Effects {
    /// Has `waker` woken after the unlock.
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.first.is_none() {
            *self.first = Some(waker);
        } else {
            self.others.push(waker);
        }
    }

    /// Has `waker` dropped after the unlock.
    pub(crate) fn retire(&mut self, waker: Option<Waker>) {
        if self.retired.is_none() {
            *self.retired = waker;
        } else {
            // Never in practice: one action retires one waker. Waking in vain is harmless.
            self.wake(waker);
        }
    }

    /// Has a reaper started after the unlock: a timer was armed, and nobody watches the timers.
    pub(crate) fn start_reaper(&mut self) {
        self.start_reaper = true;
    }

    /// Wakes whom it must. Answers whether a reaper must be started.
    #[inline]
    pub(crate) fn carry_out(&mut self) -> bool {
        if self.first.is_some() || self.retired.is_some() {
            self.wake_and_retire();
        }
        self.start_reaper
    }

    fn wake_and_retire(&mut self) {
        let others = std::mem::take(&mut *self.others);
        self.first.take().into_iter().chain(others).for_each(Waker::wake);
        drop(self.retired.take());
    }
}
