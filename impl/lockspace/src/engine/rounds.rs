//! What the reaper goes by: for each shard when it is needed there next.
//!
//! The *reaper* is the task or thread that sleeps until the first timer of a lockspace is due, and then
//! goes its rounds: to each shard where something is due, which acts upon it. It exists only while a
//! timer is armed (upholds S6). Who tells of the first timer starts it; who tells that the last has gone
//! wakes it, so that it ends.
//!
//! A shard tells of a timer that is due before all of which it has told, and when it has none any more;
//! it says nothing of one that has gone while others are left, or is due later than it was. So what is
//! noted of a shard may be too early, and then the reaper finds nothing due there, and is told better. It
//! is never too late. A shard tells under its own lock, so what it has told last is what is noted here.
//!
//! What this file must not do: know a timer. It knows times.

use std::task::Waker;

use super::effects::Effects;
use crate::clock::Tick;

/// Where the reaper is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// In the shard with this index.
    Shard(usize),
    /// The grace of a shutdown has ended.
    Grace,
}

/// Whether somebody serves the timers.
#[derive(Debug)]
enum Reaper {
    /// Nobody; whoever tells of a timer must start one.
    Absent,
    /// Somebody was started, or is awake: it will look by itself before it sleeps.
    Awake,
    /// Somebody sleeps until `until`, and this wakes it before that.
    Asleep { until: Tick, waker: Waker },
}

/// The stops of the reaper, and the reaper.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// For each shard a time before which nothing is due there; `NEVER` exactly if no timer is armed there.
    /// The last one is of no shard: it is the end of the grace.
    due: Box<[Tick]>,
    /// How many of them are not `NEVER`.
    needed: usize,
    reaper: Reaper,
}

impl Rounds {
    pub(super) fn new(shards: usize) -> Self {
        let due = std::iter::repeat_n(Tick::NEVER, shards + 1).collect();
        Self { due, needed: 0, reaper: Reaper::Absent }
    }

    /// The first timer of a shard is due then; never, if it has none.
    pub(super) fn tell(&mut self, shard: usize, first: Tick, effects: &mut Effects) {
        let before = std::mem::replace(&mut self.due[shard], first);
        self.needed += usize::from(before == Tick::NEVER);
        self.needed -= usize::from(first == Tick::NEVER);
        match &self.reaper {
            Reaper::Absent if first < Tick::NEVER => {
                self.reaper = Reaper::Awake;
                effects.start_reaper();
            }
            Reaper::Asleep { until, .. } if first < *until || self.needed == 0 => {
                self.rouse(effects);
            }
            Reaper::Absent | Reaper::Awake | Reaper::Asleep { .. } => {}
        }
    }

    /// The grace of a shutdown ends then; never, if nobody has set an end, or nobody needs it any more.
    pub(super) fn tell_grace(&mut self, end: Tick, effects: &mut Effects) {
        self.tell(self.grace(), end, effects);
    }

    /// The reaper is awake, and asks where something may be due: it goes where that is longest ago.
    pub(super) fn due(&mut self, now: Tick, effects: &mut Effects) -> Option<Stop> {
        if let Some(waker) = self.awake() {
            effects.retire(Some(waker));
        }
        let first = self.due.iter().min().filter(|first| **first <= now)?;
        let stop = self.due.iter().position(|due| due == first)?;
        Some(if stop == self.grace() { Stop::Grace } else { Stop::Shard(stop) })
    }

    /// The reaper asks how long it may sleep. `None` means that it must end: it is counted out from
    /// here on, and must not look again.
    pub(super) fn sleep_until(&mut self, waker: &Waker) -> Option<Tick> {
        let first = self.due.iter().min().copied().filter(|first| *first < Tick::NEVER);
        self.reaper = match first {
            Some(until) => Reaper::Asleep { until, waker: waker.clone() },
            None => Reaper::Absent,
        };
        first
    }

    /// The reaper is gone before its work was done (its runtime has ended). Answers whether another
    /// one must be started.
    pub(super) fn reaper_died(&mut self) -> bool {
        let needed = self.needed > 0;
        self.reaper = if needed { Reaper::Awake } else { Reaper::Absent };
        needed
    }

    /// No reaper could be started; whoever tells of a timer next has one started.
    pub(super) fn no_reaper(&mut self) {
        self.reaper = Reaper::Absent;
    }

    /// Wakes a sleeping reaper, so that it looks again.
    pub(super) fn rouse(&mut self, effects: &mut Effects) {
        let waker = self.awake();
        effects.wake(waker);
    }

    /// A reaper that was asleep is awake from here on: nobody need wake it. Answers what would have.
    fn awake(&mut self) -> Option<Waker> {
        if !matches!(self.reaper, Reaper::Asleep { .. }) {
            return None;
        }
        match std::mem::replace(&mut self.reaper, Reaper::Awake) {
            Reaper::Asleep { waker, .. } => Some(waker),
            Reaper::Absent | Reaper::Awake => None,
        }
    }

    fn grace(&self) -> usize {
        self.due.len() - 1
    }

    /// Whether a reaper exists, as far as is known here.
    pub(super) fn has_reaper(&self) -> bool {
        !matches!(self.reaper, Reaper::Absent)
    }

    /// What a shard has told.
    pub(super) fn told_by(&self, shard: usize) -> Tick {
        self.due[shard]
    }

    /// When the grace ends.
    pub(super) fn grace_end(&self) -> Tick {
        self.due[self.grace()]
    }
}
