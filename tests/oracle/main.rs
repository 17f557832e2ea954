//! The oracle: the specification beside the real lockspace, step by step.
//!
//! Sequences of moves are generated, made on both sides under paused time, and compared after every
//! move: what the mover is told, who is woken, holders and queues and their ages, what the audit counts,
//! the counters and the report of a shutdown. What fails is shrunk and told as a story.
//!
//! `PROPTEST_CASES` says how many sequences are tried. Sequences that once failed are kept in `regressions`.

mod control;
mod generated;
mod over_store;
mod plan;
mod regressions;
mod scenarios;
