//! What the reaper goes by: for each shard when it is needed there next.
//!
//! The *reaper* is the task or thread that sleeps until the first timer of a lockspace is due, and then goes
//! its rounds: to each shard where something is due, which acts upon it. It exists only while a timer is armed
//! (upholds S6). Who tells of the first timer starts it; who tells that the last has gone wakes it, so that it
//! ends.
//!
//! A shard tells of a timer that is due before all of which it has told, and when it has none any more; it says
//! nothing of one that has gone while others are left, or is due later than it was. So what is noted of a shard
//! may be too early, and then the reaper finds nothing due there, and is told better. It is never too late. A
//! shard tells under its own lock, so what it has told last is what is noted here.
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
    /// Where the round goes on, so that each has its turn.
    next: usize,
    reaper: Reaper,
}

impl Rounds {
    pub(super) fn new(shards: usize) -> Self {
        let due = std::iter::repeat_n(Tick::NEVER, shards + 1).collect();
        Self { due, needed: 0, next: 0, reaper: Reaper::Absent }
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

    /// The reaper is awake, and asks where something may be due.
    pub(super) fn due(&mut self, now: Tick, effects: &mut Effects) -> Option<Stop> {
        if let Some(waker) = self.awake() {
            effects.retire(Some(waker));
        }
        let (before, from) = self.due.split_at(self.next);
        let is_due = |due: &Tick| *due <= now;
        let later = from.iter().position(is_due).map(|place| place + before.len());
        let stop = later.or_else(|| before.iter().position(is_due))?;
        let is_grace = stop == self.grace();
        self.next = if is_grace { 0 } else { stop + 1 };
        Some(if is_grace { Stop::Grace } else { Stop::Shard(stop) })
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

    /// No reaper could be started; whoever tells of a timer next tries again.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::{Effects, Rounds, Stop, Tick};

    fn tick(at: u64) -> Tick {
        Tick::at(Duration::from_nanos(at))
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells, and answers whether a reaper must be started.
    fn tell(rounds: &mut Rounds, shard: usize, first: Tick) -> bool {
        let mut effects = Effects::default();
        rounds.tell(shard, first, &mut effects);
        effects.carry_out()
    }

    #[test]
    fn the_first_timer_starts_a_reaper_and_the_last_one_ends_it() {
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut rounds = Rounds::new(2);
        assert!(tell(&mut rounds, 1, tick(5)), "nobody serves the timers yet");
        assert!(!tell(&mut rounds, 0, tick(3)), "somebody was started");
        assert_eq!(rounds.sleep_until(&waker), Some(tick(3)));

        tell(&mut rounds, 0, Tick::NEVER);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "another timer is left");
        tell(&mut rounds, 1, Tick::NEVER);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(rounds.sleep_until(&waker), None);
        assert!(!rounds.has_reaper());
        assert!(!tell(&mut rounds, 1, Tick::NEVER), "nothing is armed");
        assert!(tell(&mut rounds, 1, tick(9)));
    }

    #[test]
    fn a_reaper_that_sleeps_is_woken_for_what_is_earlier_and_for_nothing_else() {
        for (at, wakes) in [(1, 1), (2, 0), (3, 0)] {
            let woken = Arc::new(Count::default());
            let mut rounds = Rounds::new(2);
            assert!(tell(&mut rounds, 0, tick(2)));
            assert!(rounds.sleep_until(&Waker::from(Arc::clone(&woken))).is_some());
            tell(&mut rounds, 1, tick(at));
            assert_eq!(woken.0.load(Ordering::Relaxed), wakes);
            tell(&mut rounds, 1, tick(0));
            assert_eq!(woken.0.load(Ordering::Relaxed), 1, "one who is awake is not woken again");
        }
    }

    #[test]
    fn a_reaper_that_is_up_is_not_woken() {
        let woken = Arc::new(Count::default());
        let mut rounds = Rounds::new(2);
        assert!(tell(&mut rounds, 0, tick(2)));
        assert!(rounds.sleep_until(&Waker::from(Arc::clone(&woken))).is_some());
        let mut effects = Effects::default();
        assert_eq!(rounds.due(tick(1), &mut effects), None);
        tell(&mut rounds, 1, tick(0));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&woken), 2, "its waker is dropped in the open");
        let _ = effects.carry_out();
        assert_eq!(Arc::strong_count(&woken), 1);
    }

    #[test]
    fn each_shard_and_the_grace_has_its_turn() {
        let mut rounds = Rounds::new(3);
        for shard in [0, 2] {
            tell(&mut rounds, shard, tick(1));
        }
        rounds.tell_grace(tick(1), &mut Effects::default());
        tell(&mut rounds, 1, tick(7));
        let mut stop = || rounds.due(tick(1), &mut Effects::default());
        let round = [Some(Stop::Shard(0)), Some(Stop::Shard(2)), Some(Stop::Grace)];
        assert_eq!([stop(), stop(), stop()], round);
        assert_eq!([stop(), stop(), stop()], round);
        for shard in [0, 2] {
            tell(&mut rounds, shard, Tick::NEVER);
        }
        rounds.tell_grace(Tick::NEVER, &mut Effects::default());
        assert_eq!(rounds.due(tick(6), &mut Effects::default()), None);
        assert_eq!(rounds.due(tick(7), &mut Effects::default()), Some(Stop::Shard(1)));
    }

    #[test]
    fn a_reaper_that_died_is_replaced_only_while_it_is_needed() {
        let mut rounds = Rounds::new(1);
        assert!(tell(&mut rounds, 0, tick(1)));
        assert!(rounds.reaper_died(), "a timer is armed, so another reaper must serve it");
        tell(&mut rounds, 0, Tick::NEVER);
        assert!(!rounds.reaper_died());
        assert!(!rounds.has_reaper());
    }
}
