//! The clock that all processes of a machine share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Now.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Microseconds for each of `times`.
pub(crate) fn each(took: Duration, times: u64) -> f64 {
    took.as_secs_f64() * 1e6 / times as f64
}
