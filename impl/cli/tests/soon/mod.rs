//! Waiting for what real processes do soon: a test that waits in vain fails, and does not hang.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything takes that is waited for, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// Until it is so. Only whoever is asked knows, so it is asked again.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "in vain: {what}");
        sleep(Duration::from_millis(5));
    }
}
