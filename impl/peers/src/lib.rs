//! Measures lockspace beside its peers: every other keyed lock that is published, those that people write
//! themselves, and *floors*, which are not locks but the least that a lock could cost.
//!
//! - `peers` (`src/main.rs`) measures time. Everybody runs every workload in one run, in turns, and what
//!   counts are the ratios.
//! - `instructions` counts instructions, system calls and cache lines under valgrind. Its numbers for
//!   lockspace are pinned.
//! - `memory` counts bytes and allocations.
//!
//! `lockspace-store-peers` measures stores in the same way, with [`command`],
//! [`measure`], [`report`] and [`clock`].
//!
//! What this package must not do: be used by any but that one, or be built by those who do not ask for it.

#[macro_use]
mod lists;
mod by_hand;
pub mod clock;
pub mod command;
pub mod measure;
mod peer;
pub mod peers;
pub mod report;
pub mod targets;
pub mod workloads;

pub use by_hand::{now_or_wait, poll_once, runtime};
pub use peer::{BlockingPeer, NAME_LENGTH, Peer, names};
