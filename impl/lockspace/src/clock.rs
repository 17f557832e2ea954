//! The only file that reads time.
//!
//! Inside the lockspace a moment is a [`Tick`]: nanoseconds since the lockspace was made. The clock is
//! tokio's, which is the system's monotonic clock unless a test has paused it; so a test that pauses
//! tokio's time controls every timer of its tasks. A thread that waits, and a reaper that runs as one, go
//! by the system's clock. Under shuttle it is the tests' own, which stands still until one of their tasks
//! lets it pass.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A moment, in nanoseconds since its [`Clock`] started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tick(u64);

impl Tick {
    /// The end of time: what has no end ends then. No timer is ever armed for it.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The time since the clock started.
    pub(crate) fn moment(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The moment that is so long after the clock started.
    pub(crate) fn at(moment: Duration) -> Self {
        Self(clamp(moment))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration as this file counts it. Whatever is longer than a century becomes a century: a timer that
/// far away never fires in practice, and no addition can overflow.
pub(crate) fn clamp(duration: Duration) -> u64 {
    const CENTURY_NS: u64 = 100 * 366 * 24 * 3600 * 1_000_000_000;
    u64::try_from(duration.as_nanos()).map_or(CENTURY_NS, |ns| ns.min(CENTURY_NS))
}

/// How long something may take, if there is a limit to it. As small as a duration that is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(u64);

impl Limit {
    pub(crate) const NONE: Self = Self(u64::MAX);
    pub(crate) const ZERO: Self = Self(0);

    /// At most this long, or a [century](clamp).
    pub(crate) fn of(duration: Duration) -> Self {
        Self(clamp(duration))
    }

    pub(crate) fn nanoseconds(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }

    pub(crate) fn duration(self) -> Option<Duration> {
        self.nanoseconds().map(Duration::from_nanos)
    }
}

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: current() }
    }

    /// Now. Under loom time stands still: what elapses there is a thread's own decision.
    pub(crate) fn now(&self) -> Tick {
        if cfg!(lockspace_loom) {
            return Tick(0);
        }
        Tick(clamp(current() - self.origin))
    }

    /// So many nanoseconds, at most a [century](clamp), from now.
    pub(crate) fn after(&self, nanoseconds: u64) -> Tick {
        Tick(self.now().0.saturating_add(nanoseconds).min(Tick::NEVER.0 - 1))
    }

    /// The moment as the runtime's timers know it.
    pub(crate) fn instant(&self, tick: Tick) -> Instant {
        self.origin + Duration::from_nanos(tick.0)
    }
}

#[cfg(not(lockspace_shuttle))]
fn current() -> Instant {
    Instant::now()
}

#[cfg(lockspace_shuttle)]
use crate::schedules::stand_in::time::now as current;

/// The same for a thread that keeps its own time, which nobody pauses.
fn current_of_thread() -> std::time::Instant {
    if cfg!(lockspace_shuttle) { current().into_std() } else { std::time::Instant::now() }
}

/// Nanoseconds since a fixed moment, for recorded histories. The system's clock, also where a test has
/// paused tokio's: what was recorded happened in real time.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn nanoseconds(&self) -> u64 {
        clamp(self.0.elapsed())
    }
}

/// What the system's calendar says, for people to read: it may be set, forwards and backwards, and nothing
/// may depend upon it. In tests that must find the same each time it stands still.
pub(crate) fn microseconds_since_1970() -> u64 {
    if cfg!(any(lockspace_loom, lockspace_shuttle)) {
        return 0;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Far enough below the end of numbers that counting on from there never reaches it.
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

/// So long from now, for a thread that keeps its own time; `None` if that is beyond all time.
pub(crate) fn deadline(from_now: Duration) -> Option<std::time::Instant> {
    current_of_thread().checked_add(from_now)
}

pub(crate) fn has_passed(deadline: std::time::Instant) -> bool {
    deadline <= current_of_thread()
}

#[cfg(test)]
mod tests {
    use super::{Clock, Tick, clamp};
    use std::time::Duration;

    #[test]
    fn the_longest_duration_neither_overflows_nor_means_never() {
        let clock = Clock::start();
        let end = clock.after(clamp(Duration::MAX));
        assert!(end < Tick::NEVER);
        assert!(clock.instant(end) > clock.instant(clock.now()));
    }

    #[test]
    fn an_earlier_moment_is_no_time_after_a_later_one() {
        assert_eq!(Tick(3).since(Tick(5)), Duration::ZERO);
        assert_eq!(Tick(5).since(Tick(3)), Duration::from_nanos(2));
    }
}
