//! Proof for any size: the safety properties as inductive invariants, discharged by two solvers.
//!
//! Exploring a bounded graph says nothing of the thousandth client. Here the protocol is a formula
//! over *any* number of requests and names, and each claim is shown to hold of the initial state and
//! of every step from a state in which all invariants hold; so it holds of every behaviour.
//!
//! Read it in this order:
//! - [`term`]: the language, and [`vocabulary`]: its words for the protocol;
//! - [`moves`] and [`cases`]: what each action does, and when;
//! - [`claims`]: what is proved;
//! - [`obligations`]: what the solvers are asked, and [`smt`], [`solver`]: how;
//! - [`controls`]: the faulty designs that must be refuted, and [`several_steps`]: those that the proof
//!   does not know as such;
//! - [`finite`], [`showing`], [`tie`], [`nonedges`]: why the formula is the specification. It is the
//!   *same* [`Term`](term::Term) that is sent to the solvers and that is evaluated on every edge of
//!   the bounded graph.
//!
//! Nothing here calls the specification's `step` but [`tie`], which compares with it.
//! `docs/proof.md` says what is proved, what is assumed and what lies outside.

pub mod cases;
pub mod claims;
pub mod controls;
pub mod finite;
pub mod moves;
pub mod nonedges;
pub mod obligations;
pub mod several_steps;
pub mod showing;
pub mod smt;
pub mod solver;
pub mod term;
pub mod tie;
pub mod vocabulary;
