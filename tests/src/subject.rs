//! What is under test, as the judge sees it: moves go in, replies and observations come out.
//!
//! Plain data only. Requests and names are numbered as in the specification; tokens are the subject's
//! own numbers. Time is in whole milliseconds since the subject was made.

use std::fmt;

use lockspace_spec::{Limits, Loss, Name, OwnerId, Phase, Refusal, RequestId};

/// Milliseconds.
pub type Ms = u64;

/// Something that claims to be a lockspace.
///
/// To drive it along a path of a model, give every acquire of the path a number of its own, and each wait,
/// lease and grace the length after which the path has it end; what never ends gets none.
pub trait Subject {
    /// Carries out one move, to its end: when it returns, whatever the move set going has come to rest.
    fn apply(&mut self, what: &Move) -> Reply;

    /// The requests that were woken since this was last asked, once for each wake-up, in any order.
    fn woken(&mut self) -> Vec<RequestId>;

    /// Everything there is to be seen.
    fn observe(&self) -> Observation;
}

/// Makes a subject with such settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The limits on names and waiters.
    pub limits: Limits,
    /// How many shards the table has, where there is one.
    pub shards: usize,
    /// Whether holds are timed.
    pub timing: bool,
    /// Whether deadlocks are looked for.
    pub detect_deadlocks: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { limits: Limits::UNLIMITED, shards: 2, timing: true, detect_deadlocks: false }
    }
}

/// What somebody does, or that time passes. Every acquire has a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Request a name: makes the acquire's future and polls it once.
    Ask {
        /// The number of the request.
        request: RequestId,
        /// The name.
        name: Name,
        /// The wait timeout.
        wait: Option<Ms>,
        /// The lease.
        lease: Option<Ms>,
        /// Whose the request is; `None`: nobody's.
        owner: Option<OwnerId>,
    },
    /// Poll the future of a request that has not seen its answer.
    Look {
        /// The request.
        request: RequestId,
        /// Whether with another waker than before.
        elsewhere: bool,
    },
    /// Drop the future of a request that has not seen its answer.
    Leave {
        /// The request.
        request: RequestId,
    },
    /// Release a guard, and hear whether it was still held.
    Release {
        /// The request that was granted.
        request: RequestId,
    },
    /// Drop a guard.
    Drop {
        /// The request that was granted.
        request: RequestId,
    },
    /// Renew a lease.
    Renew {
        /// The request that was granted.
        request: RequestId,
        /// The length of the lease from now on.
        lease: Ms,
    },
    /// Take a name from its holder.
    Force {
        /// The name.
        name: Name,
    },
    /// Begin to shut down.
    ShutDown {
        /// The grace; zero for none.
        grace: Ms,
    },
    /// Let time pass, all at once: the reaper sees all that was due at the end of it.
    Pass {
        /// How much.
        time: Ms,
    },
}

/// What whoever moved is told. Others are told by being woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: the move has no answer.
    Nothing,
    /// No answer yet.
    Pending,
    /// Granted, with this token.
    Granted(u64),
    /// Not granted.
    Refused(Refusal),
    /// Not even asked for, since that would close a cycle of owners that wait for each other.
    TurnedAway,
    /// The hold was current, and has ended.
    Released,
    /// The lease has started again.
    Renewed,
    /// The hold had ended before.
    Lost(Loss),
    /// The hold with this token was ended by force, or there was none.
    Forced(Option<u64>),
}

/// Everything that can be seen of a lockspace at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Where it is in its life.
    pub phase: Phase,
    /// The names in use, in the order of their numbers.
    pub names: Vec<NameSeen>,
    /// What is left to account for.
    pub ledger: Ledger,
    /// What has happened so far.
    pub counts: Counts,
    /// The report of the shutdown, once closed.
    pub report: Option<Report>,
}

/// A name in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSeen {
    /// The name.
    pub name: Name,
    /// Who holds it.
    pub holder: RequestId,
    /// The token of the hold.
    pub token: u64,
    /// How long it has been held, where holds are timed.
    pub held_for: Option<Ms>,
    /// What is left of the lease.
    pub lease_left: Option<Ms>,
    /// Who waits, first come first.
    pub waiters: Vec<WaiterSeen>,
}

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaiterSeen {
    /// Who.
    pub request: RequestId,
    /// For how long it has waited, where waits are timed.
    pub waiting_for: Option<Ms>,
    /// What is left of its wait timeout.
    pub wait_left: Option<Ms>,
}

/// What is left to account for: all of it is to be zero in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Names in use.
    pub held: usize,
    /// Requests in a queue.
    pub waiting: usize,
    /// Answers that have not been looked at.
    pub unseen: usize,
    /// Lost holds whose guards, or unseen grants, still exist.
    pub lost: usize,
    /// Armed timers.
    pub timers: usize,
    /// Whether somebody serves the timers.
    pub reaper: bool,
    /// Tasks that run for the lockspace.
    pub tasks: usize,
    /// What is out of place, in words.
    pub faults: Vec<String>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Grants.
    pub granted: u64,
    /// Requests that had to wait.
    pub queued: u64,
    /// Refusals because the name was held.
    pub busy: u64,
    /// Refusals because the wait timeout ended.
    pub timed_out: u64,
    /// Refusals because of a shutdown.
    pub shutting_down: u64,
    /// Refusals at a limit.
    pub at_capacity: u64,
    /// Acquires that were dropped before they saw an answer, unless it was a refusal.
    pub cancelled: u64,
    /// Holds that were released.
    pub released: u64,
    /// Renewals.
    pub renewed: u64,
    /// Holds lost at the end of their lease.
    pub lost_lease: u64,
    /// Holds lost to force.
    pub lost_forced: u64,
    /// Holds lost to a shutdown.
    pub lost_shutdown: u64,
    /// Waits whose length was taken, up to the answer.
    pub waits_timed: u64,
    /// Holds whose length was taken.
    pub holds_timed: u64,
}

/// The report of a shutdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Holds that ended during the grace.
    pub released: usize,
    /// Waiters that were refused.
    pub cancelled: usize,
    /// Holds that were revoked.
    pub revoked: usize,
    /// How long it took.
    pub took: Ms,
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.phase)?;
        for name in &self.names {
            writeln!(f, "    {name:?}")?;
        }
        writeln!(f, "    {:?}", self.ledger)?;
        writeln!(f, "    {:?}", self.counts)?;
        write!(f, "    {:?}", self.report)
    }
}

/// As whom a request is seen. Every other one carries no label, and is somebody: it goes the short ways of
/// those who want nothing but the name.
pub(crate) fn seen_as(request: RequestId) -> RequestId {
    if request.0.is_multiple_of(2) { request } else { SOMEBODY }
}

/// Whoever says nothing of itself.
pub(crate) const SOMEBODY: RequestId = RequestId(u16::MAX);
