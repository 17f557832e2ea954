//! The public interface under many schedules: tasks, threads, time and the reaper, in whatever order
//! shuttle's schedulers choose.
//!
//! ```sh
//! RUSTFLAGS="--cfg lockspace_shuttle" CARGO_TARGET_DIR=target/shuttle \
//!     cargo test -p lockspace --lib --release schedules -- --nocapture
//! ```
//!
//! `--nocapture` shows how many schedules each test explored and what came out of them. A failure prints
//! its schedule; with that in `LOCKSPACE_SCHEDULE`, the test runs it and no other.
//! `LOCKSPACE_SCHEDULES=10` explores ten times as many, and `SHUTTLE_RANDOM_SEED` chooses others.
//!
//! One test is one scenario: two or three tasks that meet at the brink of something, or sixteen that do
//! as they please. What is true of all schedules is checked by [`place`]; which schedules there are, how
//! many and what must come out, by [`portfolio`]. That the schedulers find mistakes is shown by
//! [`canaries`], and that the tests do, by faults of the lockspace: each file of
//! `faults`, and some of `engine/tests/faults`, breaks it in one place and names the test here that must
//! then fail. `.ci/faults` sees to it that it does.
//!
//! | File | Who meets whom |
//! |---|---|
//! | [`turns`] | a release, its waiters, newcomers |
//! | [`cancel`] | a future that is dropped, and whatever happens to its request |
//! | [`time`] | a wait timeout or the end of a lease, and a grant, a release, a renewal |
//! | [`section`] | a critical section that ends, in every way in which it can, and the next one |
//! | [`shutdown`] | a shutdown or the end of its grace, and everybody |
//! | [`reaper`] | timers that come and go, and a reaper that sleeps, ends or dies |
//! | [`crowd`] | sixteen tasks |
//!
//! # What shuttle does not see
//! - Most schedules. It draws a sample, the same at every run; only where a test says so it takes all.
//! - Orders that only weak memory allows: every atomic is as if it were SeqCst. Loom looks at those.
//! - tokio. What the lockspace uses of it is [`stand_in`]'s here: there is no cooperation budget, a runtime
//!   ends only where a test ends it, and the blocking pool has room for everybody.
//! - Moments between two steps of which neither touches a mutex, an atomic, a waker or an await.

pub(crate) mod stand_in;

#[cfg(test)]
mod canaries;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod place;
#[cfg(test)]
mod portfolio;
#[cfg(test)]
mod reaper;
#[cfg(test)]
mod resource;
#[cfg(test)]
mod section;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod time;
#[cfg(test)]
mod turns;
