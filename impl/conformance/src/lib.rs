//! Certifies a store for `lockspace`: one named test for each promise, and a report.
//!
//! Whoever writes a [`Store`](lockspace::store::Store) says in a few lines how to get at one, a
//! [`Harness`], and has a test for every case of the [list](CASES):
//!
//! ```
//! # mod example {
//! use lockspace_conformance::{Harness, NotRun};
//! # use std::sync::Arc;
//! # use lockspace::store::{Row, Store, StoreError, Swap, Version};
//! # #[derive(Clone)] pub struct MyStore;
//! # impl MyStore { async fn connect(_: &str) -> Self { Self } }
//! # impl Store for MyStore {
//! #     async fn load(&self, _: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> { Ok(None) }
//! #     async fn swap(&self, _: &str, _: Option<Version>, _: Option<&[u8]>) -> Result<Swap, StoreError> {
//! #         Ok(Swap::Conflict)
//! #     }
//! #     async fn scan(&self, _: &str) -> Result<Vec<Row>, StoreError> { Ok(Vec::new()) }
//! # }
//!
//! struct Mine {
//!     namespace: String,
//! }
//!
//! impl Harness for Mine {
//!     const NAME: &str = "my store";
//!     type Store = MyStore;
//!
//!     async fn start() -> Result<Self, NotRun> {
//!         Ok(Self { namespace: format!("test-{}", fastrand::u64(..)) })
//!     }
//!
//!     async fn open(&self) -> MyStore {
//!         MyStore::connect(&self.namespace).await
//!     }
//! }
//!
//! lockspace_conformance::suite!(Mine);
//! # }
//! ```
//!
//! A harness that can also restart, kill or disturb its server, set its version, or tell other processes
//! where it is, says so by more functions, and more cases can look. "Writing a backend", in the documentation
//! of lockspace, walks through all of it.
//!
//! # What comes of a case
//! | [`Verdict`] | the test | |
//! |---|---|---|
//! | proved | passes | the case looked, and found nothing against the promise |
//! | claimed, not proved | passes | the store promises it, and the harness does not let the case look |
//! | not claimed | passes | the store does not promise it |
//! | not run | passes, and says so | the harness had no server |
//! | refuted | fails | the store does something else than it promises |
//! | undecided | fails | so it seems, and it may be because the machine or the store stood still |
//!
//! Cases have limits of real time. Where one was exceeded and the machine stood still meanwhile, which a
//! thread measures, the case looks again, three times at most.
//!
//! "Proved" means what a test can: in so many runs nothing spoke against it. With
//! `LOCKSPACE_CONFORMANCE_REPORT` set to a folder, the [report](Report) is kept there, as Markdown and as
//! JSON, written anew after each case.
//!
//! What this package must not do: know any store, or how a store keeps its promises.

mod cases;
mod client;
mod harness;
mod judge;
mod line;
mod part;
mod place;
mod process;
mod report;
mod run;
mod still;
mod suite;

pub use cases::{CASES, is_about_locks};
pub use harness::{Harness, NotOffered, NotRun};
pub use report::{Report, Verdict};
#[doc(hidden)]
pub use run::test;
pub use run::{play_part, run, run_again, run_some};
