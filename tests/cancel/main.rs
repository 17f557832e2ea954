//! Cancellation: every future is dropped after every number of polls, while others move before and after
//! the drop; every runtime is ended at a bad moment. Nothing may be left, and whoever is next must get
//! its turn.

mod acquire;
mod runtimes;
mod sections;
mod stores;
mod watchers;

use std::future::Future;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace_tests::Hand;

/// So many milliseconds.
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Longer than any test.
const LONG: Duration = ms(3_600_000);

/// Polls a future so often, or until it is ready, and drops it.
fn drop_after<F: Future>(polls: usize, future: F) {
    let mut hand = Hand::new(future);
    for _ in 0..polls {
        if hand.poll().is_ready() {
            return;
        }
    }
}

/// Whoever asks now is granted the name.
#[track_caller]
fn assert_free(space: &LockSpace, name: &str) {
    let granted = space.try_acquire(name);
    assert!(granted.is_ok(), "{name} is not free: {:?}", space.snapshot());
    drop(granted);
    let audit = space.audit();
    assert!(audit.is_clean(), "{audit}");
}
