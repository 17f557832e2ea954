//! What can go wrong, to which name, and what to do about it. Nothing here is lost by an error: a
//! request that is refused leaves nothing behind.

use std::fmt;
use std::time::Duration;

use lockspace_spec::{FencingToken, Refusal};

use crate::engine::Standing;
use crate::name::{LockName, NameError};
use crate::runtime::Owner;
use crate::store::Key;
use crate::store::record::RecordError;

/// Why an acquire did not get the lock. The request is over and has left nothing behind (S4, S5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The name is not one.
    #[error(transparent)]
    InvalidName(#[from] NameError),
    /// A lease of no length would end before it began. Ask for a longer one, or for none.
    #[error("the lease for {name:?} has no length: ask for a longer one, or for none")]
    ZeroLease {
        /// The name.
        name: LockName,
    },
    /// The name is held, and the request would not wait. By whom is not looked up, since to be refused
    /// should cost no more than to be granted: [`snapshot`](crate::LockSpace::snapshot) shows it.
    #[error("{name:?} is held by somebody else: try again later, or wait for it")]
    Busy {
        /// The name.
        name: LockName,
    },
    /// The wait timeout ended before the name came free. Says who held it, and how the request stood in
    /// line.
    #[error(transparent)]
    TimedOut(Box<TimedOut>),
    /// The store could not be reached, and the wait timeout ended. Whether the name is free is not known.
    #[error(transparent)]
    Unreachable(Box<Unreachable>),
    /// Something stands in the store for this name that cannot be read. It is left as it is: see who wrote
    /// it, and remove it if nobody needs it.
    #[error("the row \"lock/{name}\" cannot be read: {problem}")]
    Unreadable {
        /// The name.
        name: LockName,
        /// Why the row cannot be read.
        problem: RecordError,
    },
    /// The name belongs to a session whose row cannot be read: nobody can tell whether that lives, so nobody
    /// takes the name from it, and nobody need wait for it.
    #[error(transparent)]
    UnreadableSession(Box<UnreadableSession>),
    /// The lockspace is shutting down or has shut down. No later request will be granted.
    #[error("{name:?} is not granted: the lockspace is shutting down")]
    ShuttingDown {
        /// The name.
        name: LockName,
    },
    /// A configured limit on names or on waiters per name is reached. Shed load, or raise the limit.
    #[error("{name:?} is not granted: a limit on names or on waiters per name is reached")]
    AtCapacity {
        /// The name.
        name: LockName,
    },
    /// The asking task, thread or [owner](crate::Acquire::owner) itself holds the name, and would wait for
    /// itself. Locks are not reentrant. Only told where
    /// [`detect_self_wait`](crate::Builder::detect_self_wait) or
    /// [`detect_deadlocks`](crate::Builder::detect_deadlocks) is on.
    #[error("{name:?} is held by the very one who asks for it: it would wait for itself")]
    SelfWait {
        /// The name.
        name: LockName,
    },
    /// The request would have closed a cycle of owners that wait for each other (D1). Says who is in it.
    /// Release what you hold, and begin anew. Only told where
    /// [`detect_deadlocks`](crate::Builder::detect_deadlocks) is on.
    #[error(transparent)]
    Deadlock(Box<Deadlock>),
}

impl AcquireError {
    pub(crate) fn refused(refusal: Refusal, name: LockName) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy { name },
            Refusal::TimedOut => unreachable!("who timed out stood somewhere in line"),
            Refusal::ShuttingDown => Self::ShuttingDown { name },
            Refusal::AtCapacity => Self::AtCapacity { name },
        }
    }

    /// The protocol's word for this refusal. `None` where the protocol was not asked: the name, the
    /// lease or the asker itself ruled the request out.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Busy { .. } => Some(Refusal::Busy),
            Self::TimedOut(_) => Some(Refusal::TimedOut),
            Self::Unreachable(wait) if wait.wait_timeout > Duration::ZERO => {
                Some(Refusal::TimedOut)
            }
            Self::ShuttingDown { .. } => Some(Refusal::ShuttingDown),
            Self::AtCapacity { .. } => Some(Refusal::AtCapacity),
            Self::InvalidName(_)
            | Self::ZeroLease { .. }
            | Self::SelfWait { .. }
            | Self::Deadlock(_)
            | Self::Unreachable(_)
            | Self::Unreadable { .. }
            | Self::UnreadableSession(_) => None,
        }
    }
}

/// A cycle that a request would have closed. See [`AcquireError::Deadlock`].
///
/// To be out of it for good, acquire names in one order everywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not granted: nobody would go on, since {}", round(cycle))]
#[non_exhaustive]
pub struct Deadlock {
    /// The name.
    pub name: LockName,
    /// Who would have waited for what, as it was when the request came, looked at in the same step. First
    /// whoever asked; each waits for a name that the next one holds, and the last one for a name that the
    /// first one holds.
    pub cycle: Vec<Waits>,
}

/// One who waits, in a cycle of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// Who.
    pub owner: Owner,
    /// What its hold is labelled with that keeps the one before waiting.
    pub label: Option<String>,
    /// The name that it waits for.
    pub name: LockName,
}

fn round(cycle: &[Waits]) -> String {
    let who = |Waits { owner, label, .. }: &Waits| match label {
        Some(label) => format!("{owner} ({label})"),
        None => owner.to_string(),
    };
    let next = cycle.iter().cycle().skip(1);
    let waits = cycle.iter().zip(next);
    let waits =
        waits.map(|(one, next)| format!("{} waits for {:?} of {}", who(one), one.name, who(next)));
    waits.collect::<Vec<_>>().join(", ")
}

/// A wait that ended in vain. See [`AcquireError::TimedOut`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} did not come free within the wait timeout of {wait_timeout:?}: {standing}")]
#[non_exhaustive]
pub struct TimedOut {
    /// The name.
    pub name: LockName,
    /// How long the request was ready to wait.
    pub wait_timeout: Duration,
    /// How the request stood in line at the moment when its wait ended, noted in the same step.
    pub standing: Standing,
}

/// A wait that ended while nobody knew whether the name was free. See [`AcquireError::Unreachable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} was not granted within the wait timeout of {wait_timeout:?}: the store could not be \
     reached ({problem})"
)]
#[non_exhaustive]
pub struct Unreachable {
    /// The name.
    pub name: LockName,
    /// How long the request was ready to wait.
    pub wait_timeout: Duration,
    /// What the last call that failed said.
    pub problem: String,
}

/// A session stands before the request, and its row cannot be read. See
/// [`AcquireError::UnreadableSession`].
///
/// Nothing is overwritten. See who wrote the row: a newer version will end its session itself; if it is
/// damaged, remove it once its process is gone, and what the session held comes free.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not granted: it belongs to a session whose row {:?} cannot be read: {problem}",
    row.to_string()
)]
#[non_exhaustive]
pub struct UnreadableSession {
    /// The name.
    pub name: LockName,
    /// The key of the row in the store.
    pub row: Key,
    /// Why the row cannot be read.
    pub problem: RecordError,
}

/// The hold has ended, and its holder did not release it. Somebody else may hold the name: stop, and
/// let the resource refuse your fencing token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hold of {name:?} with token {token} was lost: {reason}")]
#[non_exhaustive]
pub struct LostHold {
    /// The name.
    pub name: LockName,
    /// The token of the grant that has ended.
    pub token: FencingToken,
    /// Why.
    pub reason: Loss,
}

/// Why a hold ended although its holder did not release it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// Its lease ended.
    LeaseElapsed,
    /// An operator force-released the name.
    Forced,
    /// A shutdown's grace ended.
    Shutdown,
    /// Over a store: something was written over the name's row that cannot be read. It is left as it is.
    Unreadable,
    /// Over a store: the session that the hold belonged to has ended.
    Session(SessionEnd),
}

/// Why the session of a lockspace over a store has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was not kept alive in time: the store could not be reached, or the process stood still.
    Outage,
    /// Its row was removed: by somebody to whom it seemed dead, or with everything else in the store.
    Removed,
    /// The store has lost what the session had written, or was restored from a copy, or gives versions that
    /// are not greater than those it has given before. In the last case nothing is granted in this process
    /// until they are: "A store that goes back", in "The protocol over a store" in the documentation of
    /// lockspace, says what an operator must do.
    StoreWentBack,
    /// Its row was written by somebody else who has its number: the process was copied while it ran, as
    /// when a snapshot of a virtual machine is started beside the machine. The copy keeps the session, and
    /// holds what was held when it was made: "A process that is copied", in "The protocol over a store" in
    /// the documentation of lockspace, says what that means.
    Copied,
    /// Something was written over its row that cannot be read. It is left as it is, and so is what the
    /// session held: until somebody removes the row, whoever asks for that is told
    /// [which](AcquireError::UnreadableSession).
    Unreadable,
}

/// The word of the protocol. It knows no sessions: what ends with one ends by itself, as a lease does.
impl From<Loss> for lockspace_spec::Loss {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::LeaseElapsed | Loss::Unreadable | Loss::Session(_) => Self::LeaseElapsed,
            Loss::Forced => Self::Forced,
            Loss::Shutdown => Self::Shutdown,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaseElapsed => f.write_str("its lease ended"),
            Self::Forced => f.write_str("it was force-released"),
            Self::Shutdown => f.write_str("the lockspace shut down and its grace ended"),
            Self::Unreadable => f.write_str("its row in the store cannot be read any more"),
            Self::Session(end) => end.fmt(f),
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outage => "the session was not kept alive in time",
            Self::Removed => "the session was removed from the store",
            Self::StoreWentBack => "the store has lost data",
            Self::Copied => "the process was copied, and the copy keeps the session",
            Self::Unreadable => "the session's row cannot be read any more",
        })
    }
}

/// Why a lease was not renewed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// There is nothing left to renew.
    #[error(transparent)]
    Lost(#[from] LostHold),
    /// A lease of no length; the hold goes on as it was.
    #[error("the lease for {name:?} cannot be renewed for no time at all")]
    ZeroLease {
        /// The name.
        name: LockName,
    },
}

/// Why [`wait_until_released`](crate::LockSpace::wait_until_released) ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The name is not one.
    #[error(transparent)]
    InvalidName(#[from] NameError),
    /// The hold did not end within the limit.
    #[error("the hold of {name:?} did not end within {limit:?}")]
    TimedOut {
        /// The name.
        name: LockName,
        /// How long the caller was ready to wait.
        limit: Duration,
    },
}

/// Why a critical section has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// The lock was not granted; the body did not run.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The body ran for longer than it may. It was stopped, and then the lock was released.
    #[error("the critical section on {name:?} was stopped at its time limit of {limit:?}")]
    TimeLimit {
        /// The name.
        name: LockName,
        /// How long the body was allowed to run.
        limit: Duration,
    },
    /// A body that may run for no time at all; it did not run.
    #[error("the critical section on {name:?} has a time limit of zero")]
    ZeroTimeLimit {
        /// The name.
        name: LockName,
    },
    /// The lock was taken away while the body ran. An async body was stopped; a blocking one ran to its
    /// end, partly without the lock.
    #[error(transparent)]
    Lost(#[from] LostHold),
    /// The runtime ended before a blocking body began.
    #[error("the critical section on {name:?} did not run: the runtime is shutting down")]
    NotRun {
        /// The name.
        name: LockName,
    },
}
