//! Named locks that provably leave nothing behind.
//!
//! A [`LockSpace`] is an isolated set of named, exclusive locks: "only one at a time, by name". A name
//! takes memory only while it is held. Waiting is first come, first served; every wait, hold and
//! shutdown can be given a limit; every future can be dropped at any moment.
//!
//! ```
//! use std::time::Duration;
//! use lockspace::LockSpace;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), lockspace::AcquireError> {
//! let space = LockSpace::new();
//!
//! // Hold a name; whoever else wants it waits in line.
//! let guard = space.acquire("invoice/42").wait_timeout(Duration::from_secs(5)).await?;
//! println!("only me, and the proof of it is {}", guard.fencing_token());
//! drop(guard); // Released; nothing is left of the name.
//!
//! assert!(space.audit().is_quiescent());
//! # Ok(()) }
//! ```
//!
//! Three ways to use it: a [guard](LockSpace::acquire), in a task or in a [thread](Acquire::blocking); a
//! [critical section](LockSpace::critical_section) around a body of code. Services end with a
//! [graceful shutdown](LockSpace::shutdown).
//!
//! The guarantees that the documentation cites by ID (S1 exclusion, S2 fencing, S3 FIFO, S4 exactly once,
//! S5 no residue, S6 no stray timer, S7 no lost wake-up, S8 stale is harmless, S9 shutdown, S10 bounded,
//! L1 to L4 progress) are those of the specification, the package `lockspace-spec`.
//!
//! What users ask and are told can be [recorded](Builder::recorder), and the history judged afterwards.
//!
//! # What is not promised
//! A lock cannot stop code that does not look: a holder whose hold was lost (its lease ended, an operator
//! forced it, a shutdown revoked it) may run on until it next looks or yields. Where that matters, let the
//! resource check the [fencing token](Guard::fencing_token). Locks are not reentrant.
//!
//! # Features
//! - `signals`, on by default: [`LockSpace::shutdown_on_signals`], for SIGINT and SIGTERM.
//! - `metrics`: `observe::Metrics` tells counters, histograms and gauges to whichever exporter the service
//!   installs.
//! - `tracing`: `observe::Traces` makes a span of each acquire and hold, and notes where in the code names
//!   were acquired.
//!
//! # Beyond one process
//! [`LockSpace::new`] makes a lockspace of one process. [`LockSpace::open`] opens one that many processes
//! share, over a [`store`]: a SQLite file (`lockspace-sqlite`), Redis (`lockspace-redis`), PostgreSQL
//! (`lockspace-postgres`), etcd (`lockspace-etcd`), or one of yours.

mod clock;
mod engine;
mod error;
mod guard;
mod health;
mod name;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub mod observe;
mod reaper;
mod record;
mod request;
mod runtime;
#[cfg(lockspace_shuttle)]
mod schedules;
mod section;
mod shutdown;
mod space;
pub mod store;
mod sync;
#[cfg(all(test, not(any(lockspace_loom, lockspace_shuttle))))]
mod tests;

pub use engine::{
    Audit, Fault, HolderSnapshot, Latency, NameSnapshot, ShutdownReport, Snapshot, Standing, Stats,
    WaiterSnapshot, WantedSnapshot,
};
pub use error::{
    AcquireError, Deadlock, Loss, LostHold, RenewError, SectionError, SessionEnd, TimedOut,
    Unreachable, UnreadableSession, WaitError, Waits,
};
pub use guard::{Guard, LostFuture};
pub use health::{Health, HealthLevel, HealthLimits, HealthReason, SessionHealth, SessionState};
pub use name::{LockName, NameError};
pub use request::{Acquire, AcquireFuture};
pub use runtime::Owner;
pub use section::SectionOptions;
pub use shutdown::ClosedFuture;
pub use space::{Builder, LockSpace};

#[doc(no_inline)]
pub use lockspace_spec::history::Recorder;
#[doc(no_inline)]
pub use lockspace_spec::{FencingToken, Phase, Refusal};
