//! The public interface, one promise a test. What the oracle compares step by step is not repeated here;
//! these tests say what a user relies upon, in the user's own words, and reach what the protocol does
//! not know: errors, threads, runtimes, sections, signals, inspection.

mod blocking;
mod deadlocks;
mod guards;
mod inspection;
mod requests;
mod runtimes;
mod sections;
mod shutdown;
#[cfg(unix)]
mod signals;
mod types;
mod wakers;

use std::time::Duration;

use lockspace::LockName;

/// So many milliseconds.
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The name of this text.
fn named(name: &str) -> LockName {
    LockName::new(name).unwrap()
}
