//! Histories of locks: recorded where they are used, judged against the specification.
//!
//! A history says who asked for what, what they were told, and when. It is correct if there is an order
//! of moments, one for each call between its beginning and its end, in which the specification gives
//! everybody the answers that they got. This package looks for that order.
//!
//! ```
//! use lockspace_history::{Budget, History, Verdict, judge};
//!
//! let text = r#"{"format":"lockspace-history","version":1}
//! {"at":10,"event":"acquire","call":1,"name":"a","wait":"unbounded","lease":"unbounded"}
//! {"at":20,"event":"return","call":1,"answer":"granted","token":1}
//! {"at":30,"event":"acquire","call":2,"name":"a","wait":"no","lease":"unbounded"}
//! {"at":40,"event":"return","call":2,"answer":"granted","token":2}
//! "#;
//! let history = History::read(text.as_bytes())?;
//! let Verdict::Rejected(why) = judge(&history, Budget::default()) else { unreachable!() };
//! assert_eq!((why.property, why.line), (Some("S1"), 5)); // Two holders.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three judges, each simpler and faster than the next. The first sees what needs no order at all: a call
//! answered twice, a token used twice. The second takes the order from fencing tokens and queue
//! tickets, and is done in one sweep. The third knows everything that the specification knows, and
//! tries orders until one fits, none is left, or its [`Budget`] is spent. There are three verdicts, and
//! [`Undecided`](Verdict::Undecided) is never a pass.
//!
//! What this package must not do: judge by anything but the specification and what it is known to imply.

mod calls;
mod format;
mod history;
mod recorders;
mod references;
mod search;
mod verdict;
mod witness;

pub use history::{FormatError, FormatFault, Header, History, MAX_LINE, ReadError};
pub use recorders::{Collector, NdjsonRecorder};
pub use verdict::{Budget, Rejection, Summary, Undecided, Verdict, judge, judge_by_witness};

#[doc(no_inline)]
pub use lockspace_spec::history::{
    Call, CallId, Done, Event, NotDone, Recorder, Return, Ticket, What,
};
