//! The armed timers of a lockspace: one ordered set, with one reaper to serve it.
//!
//! A timer is a member of this set and nothing else: no runtime handle, no task of its own. It is armed
//! and disarmed under the lock of the shard whose state it belongs to, so at any moment the set holds
//! exactly the bounded waits that are queued, the leases of current holds, and the grace (upholds S6).
//!
//! The *reaper* is the task or thread that sleeps until the first timer is due. It exists only while
//! the set is not empty. Who arms the first timer starts it; who disarms the last wakes it, so that it
//! ends.

use std::collections::BTreeSet;
use std::task::Waker;

use super::WaitKey;
use super::effects::Effects;
use crate::clock::Tick;
use crate::engine::HoldKey;

/// What a timer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// The wait of a queued request.
    Wait(WaitKey),
    /// The lease of a hold.
    Lease(HoldKey),
    /// The grace of a shutdown.
    Grace,
}

/// Whether somebody serves the timers.
#[derive(Debug)]
enum Reaper {
    /// Nobody; whoever arms a timer must start one.
    Absent,
    /// Somebody was started, and has not slept yet or is awake: it will look at the set by itself.
    Awake,
    /// Somebody sleeps until `until`, and this wakes it before that.
    Asleep { until: Tick, waker: Waker },
}

/// The armed timers, ordered by when they are due.
#[derive(Debug)]
pub(crate) struct Timers {
    armed: BTreeSet<(Tick, Target)>,
    /// The timer that the reaper has taken out and not yet acted upon.
    firing: Option<(Tick, Target)>,
    reaper: Reaper,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { armed: BTreeSet::new(), firing: None, reaper: Reaper::Absent }
    }

    /// Arms a timer.
    pub(crate) fn arm(&mut self, at: Tick, target: Target, effects: &mut Effects) {
        debug_assert!(at < Tick::NEVER, "what never ends needs no timer");
        self.armed.insert((at, target));
        match &self.reaper {
            Reaper::Absent => {
                self.reaper = Reaper::Awake;
                effects.start_reaper();
            }
            Reaper::Asleep { until, .. } if at < *until => self.rouse(effects),
            Reaper::Awake | Reaper::Asleep { .. } => {}
        }
    }

    /// Disarms a timer; one that has fired is disarmed already.
    pub(crate) fn disarm(&mut self, at: Tick, target: Target, effects: &mut Effects) {
        debug_assert!(at < Tick::NEVER, "what never ends has no timer");
        self.armed.remove(&(at, target));
        if self.armed.is_empty() {
            self.rouse(effects);
        }
    }

    /// Takes out one timer that is due, if there is one. The reaper must act upon it and come back,
    /// which tells that it has.
    pub(crate) fn take_due(&mut self, now: Tick) -> Option<Target> {
        let due = self.armed.first().is_some_and(|(at, _)| *at <= now);
        self.firing = if due { self.armed.pop_first() } else { None };
        self.firing.map(|(_, target)| target)
    }

    /// The reaper asks how long it may sleep. `None` means that it must end: it is counted out from
    /// here on, and must not look again.
    pub(crate) fn sleep_until(&mut self, waker: &Waker) -> Option<Tick> {
        let first = self.armed.first().map(|(at, _)| *at);
        self.reaper = match first {
            Some(until) => Reaper::Asleep { until, waker: waker.clone() },
            None => Reaper::Absent,
        };
        first
    }

    /// The reaper is gone before its work was done (its runtime has ended). Answers whether another
    /// one must be started.
    pub(crate) fn reaper_died(&mut self) -> bool {
        let needed = !self.armed.is_empty();
        self.reaper = if needed { Reaper::Awake } else { Reaper::Absent };
        needed
    }

    /// No reaper could be started; whoever arms the next timer tries again.
    pub(crate) fn no_reaper(&mut self) {
        self.reaper = Reaper::Absent;
    }

    /// Wakes a sleeping reaper, so that it looks again.
    pub(crate) fn rouse(&mut self, effects: &mut Effects) {
        if let Reaper::Asleep { .. } = self.reaper {
            let asleep = std::mem::replace(&mut self.reaper, Reaper::Awake);
            if let Reaper::Asleep { waker, .. } = asleep {
                effects.wake(Some(waker));
            }
        }
    }

    /// Whether a reaper exists, as far as the timers know.
    pub(crate) fn has_reaper(&self) -> bool {
        !matches!(self.reaper, Reaper::Absent)
    }

    /// How many timers are armed.
    #[cfg(feature = "metrics")]
    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }

    /// Every armed timer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Tick, Target)> {
        self.armed.iter().copied()
    }

    /// The timer that is being acted upon, if there is one.
    pub(crate) fn firing(&self) -> Option<(Tick, Target)> {
        self.firing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Effects, Target, Timers};
    use crate::clock::{Clock, clamp};

    #[test]
    fn the_first_timer_starts_a_reaper_and_the_last_one_ends_it() {
        let clock = Clock::start();
        let at = clock.after(clamp(Duration::from_secs(1)));
        let waker = std::task::Waker::noop();
        let mut timers = Timers::new();
        let mut effects = Effects::default();
        timers.arm(at, Target::Grace, &mut effects);
        assert!(effects.carry_out(), "nobody serves the timers yet");

        assert_eq!(timers.sleep_until(waker), Some(at));
        timers.disarm(at, Target::Grace, &mut Effects::default());
        assert_eq!(timers.sleep_until(waker), None);
        assert!(!timers.has_reaper());
    }

    #[test]
    fn a_reaper_that_died_is_replaced_only_while_a_timer_is_armed() {
        let at = Clock::start().after(1);
        let mut timers = Timers::new();
        let mut effects = Effects::default();
        timers.arm(at, Target::Grace, &mut effects);
        assert!(effects.carry_out());
        assert!(timers.reaper_died(), "a timer is armed, so another reaper must serve it");

        timers.disarm(at, Target::Grace, &mut Effects::default());
        assert!(!timers.reaper_died());
        assert!(!timers.has_reaper());
    }
}
