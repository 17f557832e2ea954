//! What an acquire, a wait and a held name take: allocations and bytes, counted exactly, and timers.
//!
//! The allocator counts for each thread apart, so that tests run beside each other and do not meet. What
//! time it takes is not for a test; `impl/peers` measures that.

mod allocations;
mod bytes;
mod timers;

use std::future::IntoFuture;
use std::time::Duration;

use lockspace::{Acquire, AcquireFuture, Guard};
use lockspace_tests::Hand;

/// As long as names usually are.
const NAME: &str = "invoice/00000042";
const HOUR: Duration = Duration::from_secs(3_600);

/// The guard of a request that need not wait.
#[track_caller]
fn at_once<'s>(request: Acquire<'s, '_>) -> Guard<'s> {
    Hand::new(request.into_future()).answer().unwrap()
}

/// A request that waits.
#[track_caller]
fn waits<'s, 'n>(request: Acquire<'s, 'n>) -> Hand<AcquireFuture<'s, 'n>> {
    Hand::new(request.into_future()).waits()
}
