//! The reaper: the one task, or thread, that acts upon timers when they are due.
//!
//! It exists only while a timer is armed, and holds the lockspace only weakly, so that it never keeps
//! one alive. It runs on the runtime that was current when the first timer was armed, and otherwise on a
//! thread. When that runtime ends before the timers do, a thread takes over: a lease ends in time
//! although the runtime on which it began has ended (upholds L1, L2). Only a runtime that is neither
//! driven nor dropped keeps it.

use std::task::Waker;

use crate::engine::Engine;
use crate::runtime::{self, Next, Sleeper};
use crate::space::Shared;
use crate::sync::Weak;

/// How many stops are made, at each of which a timer is acted upon, before others may run.
const STOPS_PER_ROUND: usize = 64;

pub(crate) struct Reaper {
    space: Weak<Shared>,
    /// Whether another one must take over if it is dropped: not before a thread runs it, since whoever
    /// starts it there hears that there is no thread; and not once it has been counted out.
    is_missed: bool,
}

impl Reaper {
    /// Starts a reaper where the caller runs.
    pub(crate) fn start(space: &Shared) {
        let reaper = Self { space: space.downgrade(), is_missed: true };
        if let Err(reaper) = runtime::run(reaper) {
            reaper.run_on_thread(space);
        }
    }

    /// Where not even a thread can be had, the timers stay armed without a reaper. The audit says so,
    /// and whoever arms a timer next tries again.
    fn run_on_thread(mut self, space: &Shared) {
        self.is_missed = false;
        if runtime::run_on_thread(self).is_err() {
            space.engine().no_reaper();
        }
    }
}

impl Sleeper for Reaper {
    fn round(&mut self, waker: &Waker) -> Next {
        let space = self.space.upgrade();
        self.is_missed = space.is_some();
        let Some(space) = space else {
            return Next::End;
        };
        if (0..STOPS_PER_ROUND).all(|_| space.act(Engine::elapse)) {
            return Next::Yield;
        }
        match space.engine().reaper_sleeps_until(waker) {
            Some(until) => Next::Sleep(until),
            None => {
                self.is_missed = false;
                Next::End
            }
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if !self.is_missed {
            return;
        }
        let Some(space) = self.space.upgrade() else {
            return;
        };
        if space.engine().reaper_died() {
            // The runtime is ending: what it would spawn now, it would drop at once.
            Self { space: self.space.clone(), is_missed: true }.run_on_thread(&space);
        }
    }
}
