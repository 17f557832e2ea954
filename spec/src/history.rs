//! Recorded histories: what the users of a lockspace asked, what they were told, and when. Plain data.
//!
//! A call is two events, [`Invoke`](What::Invoke) and [`Return`](What::Return); whatever it did, it did
//! at some moment between them. What a user is told without asking is one event, and happened at some
//! moment before it. So a history is taken at the boundary, with no lock held, and still says enough to
//! be judged: whether there is an order of moments that the specification allows.
//!
//! Two numbers are stamped inside, because no observer outside could know them: the [`Ticket`] with
//! which a request queues (FIFO cannot be told from the times of calls) and the
//! [`FencingToken`] with which it is granted.
//!
//! What this file must not do: judge, read a clock, or write anywhere.

use alloc::sync::Arc;

use crate::vocab::{FencingToken, Grace, Lease, Loss, Refusal, Wait};

/// Somebody who writes down what happens at the boundary of a lockspace.
///
/// Called from whichever thread the event happens on, never under a lock of the lockspace, and also
/// from destructors: it should be quick, must not panic, and must not use the lockspace that it records.
pub trait Recorder: Send + Sync {
    /// Takes one event. Events of different threads may arrive in another order than that of their times.
    fn record(&self, event: Event);

    /// Takes one event of which a history says something else than users saw, or nothing. So it is only with
    /// what a lockspace over a store tells its users of others, whom a history of its own does not show.
    ///
    /// Whoever writes histories down leaves this as it is, and records what is `told`. Whoever counts or
    /// shows what happens takes what was `seen`.
    fn record_seen(&self, seen: Event, told: Option<Event>) {
        let _ = seen;
        if let Some(event) = told {
            self.record(event);
        }
    }
}

/// Which call. Unique in a history; a call's events share it. An acquire's number also names the
/// request, for the calls about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A number that a request draws as it queues, under the same lock. Of two requests of one name in one
/// process, the one with the smaller ticket queued first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something that was seen at the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When: nanoseconds since any fixed moment, by a clock that never goes back and is the same for
    /// the whole history.
    pub at: u64,
    /// Which process saw it.
    pub process: u64,
    /// What.
    pub what: What,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A call is about to begin.
    Invoke(CallId, Call),
    /// An acquire stands in the queue.
    Queued(CallId, Ticket),
    /// A call has ended.
    Return(CallId, Return),
    /// The holder behind this acquire was told that its hold is lost.
    Lost(CallId, Loss),
    /// Somebody was told that the lockspace is closed.
    Closed,
    /// The recorder vouches that nothing moves any more: every answer that was given is written down.
    /// Who has none by now was forgotten.
    Rest,
}

/// What is asked: the specification's [`Op`](crate::Op), in the words of the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Hold a name.
    Acquire {
        /// Which.
        name: Arc<str>,
        /// How long to wait for the grant.
        wait: Wait,
        /// How long the hold may last.
        lease: Lease,
    },
    /// The caller drops its acquire before it has seen an answer.
    Cancel {
        /// Which acquire.
        request: CallId,
    },
    /// The holder is done.
    Release {
        /// The acquire that was granted.
        request: CallId,
    },
    /// The holder asks for its lease to start again.
    Renew {
        /// The acquire that was granted.
        request: CallId,
    },
    /// An operator takes a name from its holder.
    ForceRelease {
        /// Which.
        name: Arc<str>,
    },
    /// Service ends.
    Shutdown {
        /// How long holders may finish.
        grace: Grace,
    },
}

/// How a call ended, as far as its caller can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// It did what was asked.
    Done(Done),
    /// It changed nothing.
    NotDone(NotDone),
    /// Nobody knows: it may have happened, may happen yet, or may never happen.
    Unknown,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// An acquire: the name is held. A system without fencing tokens has none to show.
    Granted(Option<FencingToken>),
    /// A cancel: the request waits no more and holds nothing.
    Cancelled,
    /// A release, or an operator's (with the token of the hold that it ended, if that is known).
    Released(Option<FencingToken>),
    /// A renewal.
    Renewed,
    /// A shutdown: nothing is granted any more, nobody waits; without grace, nothing is held.
    Began,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// An acquire was refused.
    Refused(Refusal),
    /// An acquire was turned down for a reason outside of the protocol, such as a deadlock.
    RuledOut,
    /// There is no such hold; it is not known why.
    NotHeld,
    /// There is no such hold any more, and this is why.
    Lost(Loss),
}
