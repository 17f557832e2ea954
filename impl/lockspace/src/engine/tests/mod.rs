//! The engine's own code under every interleaving.
//!
//! ```sh
//! RUSTFLAGS="--cfg lockspace_loom" CARGO_TARGET_DIR=target/loom \
//!     cargo test -p lockspace --lib --release engine::tests -- --nocapture
//! ```
//!
//! `--nocapture` shows how many executions each test explored and what came out of them. Under plain
//! `cargo test` each test runs once, with the system's threads. One test is one race: a few threads in
//! an engine that was brought to the brink of it. What is true of all executions (S1 to S9) is checked
//! by [`world`], [`waiter`] and [`resource`]; how thoroughly a test explores, and what may come out, is
//! stated by the test and checked by [`harness`]. Each file of `faults` breaks the engine in one place
//! and names the test that must then fail; `.ci/faults` sees to it that it does.
//!
//! | File | Who meets whom |
//! |---|---|
//! | [`hand_over`] | a release, its waiters, newcomers |
//! | [`cancel`] | a dropped future, and whatever happens to its request |
//! | [`time`] | a wait timeout or the end of a lease, and a grant, a release, a renewal |
//! | [`shutdown`] | a shutdown or the end of its grace, and everybody |
//! | [`force`] | a forced release or a watcher, and a release |
//! | [`deadlock`] | owners who want two names the other way round |
//! | [`names`] | two names in one shard or two, and the limit on names |
//! | [`reaper`] | timers that come and go, and a reaper that sleeps, ends or dies |
//! | [`callers`] | the public futures, guards and blocked threads |
//!
//! # What loom does not see
//! - Anything outside the shim `sync.rs`: tokio, crossbeam's parker, the system. A blocked thread waits
//!   on loom's own notification here, and the reaper is a thread that does what `reaper.rs` does, without
//!   its runtime.
//! - Time. It stands still; a thread decides when it is how late. That a timer is due early enough on a
//!   real clock is not shown.
//! - More threads than there are here. Five are all that loom has.
//! - What plain memory holds. There is none to see: outside its mutexes the engine shares two atomics.
//! - Orders that the hardware allows and loom does not: it knows no load that sees a later store, and
//!   takes SeqCst for AcqRel. The engine uses neither.
//!
//! An exploration without a bound is complete up to commuting steps that do not touch the same memory. A
//! loom test can end after one execution and look passed (its issue 392: a thread that begins with an
//! atomic load); so each states how many executions are the least, and all outcomes. The least are about
//! half of what was measured: engines change, and an exploration that breaks off leaves far fewer.

#[cfg(not(lockspace_loom))]
mod away;
mod callers;
mod cancel;
mod deadlock;
#[cfg(not(lockspace_loom))]
mod disorder;
mod force;
mod hand_over;
mod harness;
#[cfg(not(lockspace_loom))]
mod moments;
mod names;
#[cfg(not(lockspace_loom))]
mod noted;
#[cfg(not(lockspace_loom))]
mod plain;
#[cfg(not(lockspace_loom))]
mod plainly;
mod reaper;
mod resource;
#[cfg(not(lockspace_loom))]
mod rounds;
mod shutdown;
mod time;
mod waiter;
mod whole;
mod world;
