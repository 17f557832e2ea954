//! Waiting in tests: for a condition, never for a while.

use std::time::{Duration, Instant};

/// Lets every task of a current-thread runtime run that can: what was woken before this call has been
/// polled when it returns. No time passes.
///
/// A task that yields is polled after all that were ready when it yielded; the second round is for those
/// whom the first one woke.
pub async fn let_tasks_run() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// Waits, as a thread, until other threads have made `condition` true.
///
/// # Panics
/// After a minute: the test would hang otherwise. No test depends upon how long it takes.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came true that {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}
