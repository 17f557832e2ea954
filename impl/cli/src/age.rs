//! How long ago something was: between this process's looks by its own clock, and against what others have
//! written, whose clocks may be wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// By so much another clock may be ahead of this one and still be believed.
const AHEAD: Duration = Duration::from_secs(60);

/// The time since the beginning of 1970, by this machine's clock.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How long before `now` a moment was that somebody else has written, both counted from the beginning of
/// 1970. None if it was not written, or lies so far ahead that one of the two clocks must be wrong.
pub(crate) fn ago(written: Option<Duration>, now: Duration) -> Option<Duration> {
    written.filter(|written| *written <= now + AHEAD).map(|written| now.saturating_sub(written))
}

/// A time as people read it, in its two greatest units.
pub(crate) fn brief(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, brief};
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_time_is_told_in_its_two_greatest_units() {
        for (seconds, told) in [
            (0.9, "0s"),
            (59.0, "59s"),
            (60.0, "1m00s"),
            (3_599.0, "59m59s"),
            (3_660.0, "1h01m"),
            (86_400.0, "1d00h"),
            (2_000_000_000.0, "23148d03h"),
        ] {
            assert_eq!(brief(Duration::from_secs_f64(seconds)), told);
        }
    }

    #[test]
    fn a_clock_that_is_a_little_ahead_is_believed_and_one_that_is_far_ahead_is_not() {
        let now = 1_000 * SECOND;
        assert_eq!(ago(Some(990 * SECOND), now), Some(10 * SECOND));
        assert_eq!(ago(Some(1_060 * SECOND), now), Some(Duration::ZERO));
        assert_eq!(ago(Some(1_061 * SECOND), now), None);
        assert_eq!(ago(None, now), None);
    }
}
