//! The meaning of a lockspace, as a pure function.
//!
//! [`step`](step()) takes the state of a lockspace and one [`Action`], and answers with the state after it
//! and what everybody concerned is told. That is all of the protocol: no clock (time is only "this
//! timer elapsed"), no thread, no I/O, and no panic. A refused or stale action is an outcome.
//!
//! Read it in this order: [`vocab`] (the words), [`action`] (what can happen), [`outcome`] (what is
//! answered), [`state`], [`mod@step`], then [`invariants`] (what must always be true) and
//! [`reachable`] (what must be possible, so that nothing is true for lack of trying). [`owners`] says what
//! is true besides where deadlocks are looked for, and [`history`] has the words in which a running
//! lockspace tells what happened.
//!
//! What this package must not do: depend on anything, read a clock, or import shipping code. The
//! shipping code in turn never calls [`step`](step()): that the two agree is evidence only because they share
//! words and not logic.
//!
//! ```
//! use lockspace_spec::*;
//!
//! let open = State::new(Limits::UNLIMITED);
//! let acquire = |request| {
//!     Action::from(Op::Acquire { request, name: Name(0), wait: Wait::Bounded, lease: Lease::Unbounded })
//! };
//! let (held, outcomes) = step(&open, &acquire(RequestId(1)));
//! assert_eq!(outcomes.of(RequestId(1)), Some(Outcome::Granted(FencingToken::FIRST)));
//!
//! let (queued, outcomes) = step(&held, &acquire(RequestId(2)));
//! assert_eq!(outcomes.of(RequestId(2)), Some(Outcome::Queued { ahead: 0 }));
//! assert!(queued.timers.contains(&Timer::Wait(RequestId(2))));
//!
//! // A release hands over in the same step.
//! let release = Op::Release { request: RequestId(1), token: FencingToken::FIRST };
//! let (_, outcomes) = step(&queued, &release.into());
//! assert_eq!(outcomes.of(RequestId(1)), Some(Outcome::Released));
//! assert_eq!(outcomes.of(RequestId(2)), Some(Outcome::Granted(FencingToken(2))));
//! ```
#![no_std]

extern crate alloc;

pub mod action;
pub mod history;
pub mod invariants;
pub mod outcome;
pub mod owners;
pub mod reachable;
pub mod state;
pub mod step;
pub mod vocab;

pub use action::{Action, Env, Op};
pub use invariants::{Property, SAFETY, Transition};
pub use outcome::{Addressee, Answer, Outcome, Outcomes};
pub use owners::{DEADLOCK, OwnerId, WaitFor};
pub use reachable::REACHABLE;
pub use state::{Hold, Limits, State, Waiter};
pub use step::{apply, step};
pub use vocab::{FencingToken, Grace, Lease, Loss, Name, Phase, Refusal, RequestId, Timer, Wait};
