//! What the test suites share: a lockspace under test as a [`Subject`], the [`Judge`] that runs the
//! specification beside it, and a [`Hand`] to poll futures with.
//!
//! A subject is anything that claims to be a lockspace. The judge knows none in particular, so the same
//! judgement serves generated sequences (the oracle), hand-written scenarios, every edge of a model's
//! state graph, and a lockspace over a store.
//!
//! What this package must not do: know anything of a lockspace's inside. It sees what a user sees.

mod books;
mod docs;
mod hand;
mod in_process;
mod judge;
mod over_store;
mod patience;
mod story;
mod subject;

pub use books::{Client, Stage};
pub use hand::Hand;
pub use in_process::InProcess;
pub use judge::{Disagreement, Judge};
pub use over_store::{OverStore, timer_by_timer};
pub use patience::{let_tasks_run, until};
pub use subject::{
    Counts, Ledger, Move, Ms, NameSeen, Observation, Reply, Report, Setup, Subject, WaiterSeen,
};
