//! Model checking of the lockspace protocol.
//!
//! The protocol is the [specification](lockspace_spec)'s own step, run by any number of acquires of a
//! few clients over a few names until no new state appears, every transition judged by every safety
//! property on the way. Two explorers that share nothing but the [`machine`] must find the same
//! number of states and transitions; [`progress`] is checked on the whole graph; and faulty designs
//! ([`defects`]) show that each property can fail.
//!
//! Read it in this order: [`machine`] (what an explorer needs), [`world`] (a lockspace and its
//! clients), [`protocol`] (the abstraction that makes it finite) and [`plain`] (the same without
//! abstraction), [`explorer`] and [`checker`] (the two explorers), [`path`] and [`story`] (from a
//! violation to something that a person can read) and [`witness`], [`progress`], [`breakable`] (what
//! can be broken), [`defects`] and [`stepwise`] (a lock whose operations take several steps, in which
//! some of them show), [`engine`] (the engine's algorithm, which refines the protocol), [`owners`] (who
//! waits for whom, and how a deadlock is kept from coming about), and last [`any`], [`manifest`] and
//! [`verify`](mod@verify), which pin all results. [`proof`] stands apart: what it shows is bounded by
//! nothing.
//!
//! What this package must not do: import shipping code into the protocol's model, decide anything by
//! wall time, or let a search that was cut short look like one that was not.

pub mod any;
pub mod breakable;
pub mod checker;
pub mod cluster;
mod components;
pub mod defects;
pub mod engine;
pub mod explorer;
pub mod machine;
pub mod manifest;
pub mod owners;
mod packing;
pub mod path;
pub mod plain;
pub mod progress;
pub mod proof;
pub mod protocol;
pub mod stepwise;
pub mod story;
pub mod verify;
pub mod witness;
pub mod world;
