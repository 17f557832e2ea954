//! Health: a snapshot judged against limits, with reasons, at three levels.

use std::fmt;
use std::time::Duration;

use crate::engine::{NameSnapshot, Snapshot};
use crate::name::LockName;

/// What is still well. Without a limit a thing is never judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct HealthLimits {
    longest_hold: Option<Duration>,
    longest_wait: Option<Duration>,
    deepest_queue: Option<usize>,
}

impl HealthLimits {
    /// Everything is well.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hold should not last longer. Switches [timing](crate::Builder::timing) on.
    pub fn longest_hold(mut self, limit: Duration) -> Self {
        self.longest_hold = Some(limit);
        self
    }

    /// A request should not wait longer. Switches [timing](crate::Builder::timing) on.
    pub fn longest_wait(mut self, limit: Duration) -> Self {
        self.longest_wait = Some(limit);
        self
    }

    /// No more requests should wait for one name.
    pub fn deepest_queue(mut self, limit: usize) -> Self {
        self.deepest_queue = Some(limit);
        self
    }

    pub(crate) fn need_timing(&self) -> bool {
        self.longest_hold.is_some() || self.longest_wait.is_some()
    }
}

/// How a lockspace is. See [`LockSpace::health`](crate::LockSpace::health).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What is not well; empty means that all is.
    pub reasons: Vec<HealthReason>,
    /// The longest of the current holds, where they are timed.
    pub longest_hold: Option<Duration>,
    /// The longest wait of those who wait now, where waits are timed.
    pub longest_wait: Option<Duration>,
    /// The length of the longest queue.
    pub deepest_queue: usize,
    /// Over a store: how the session is. None in a lockspace of one process.
    pub session: Option<SessionHealth>,
}

/// How the session of a lockspace over a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionHealth {
    /// Whether its holds may be relied upon, and for how long still, in a word.
    pub state: SessionState,
    /// How long ago the last keep-alive was sent that the store has answered; none before the first one.
    pub silent_for: Option<Duration>,
    /// What the last call that failed said. None while the session is fresh: a call that fails now and
    /// then, and is made again, harms nobody.
    pub problem: Option<String>,
}

/// How far a session is from not being trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// It was kept alive lately: less than half of the time for which it trusts itself has passed.
    Fresh,
    /// It was not kept alive when it should have been. Its holds are good still; if the store is not
    /// reached soon they will be lost.
    Suspect,
    /// There is no session that could be trusted: what was held is lost, and nothing is granted. A new one
    /// begins as soon as the store answers.
    Lost,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Suspect => "suspect",
            Self::Lost => "lost",
        })
    }
}

/// How well a lockspace is, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthLevel {
    /// Nothing is beyond its limit.
    Ok,
    /// Names are granted, and something takes longer than it should. A service in this state is still
    /// ready: to take it out would only move its load elsewhere.
    Degraded,
    /// Nothing is granted, or holds cannot be relied upon. A service in this state is not ready.
    Failing,
}

impl fmt::Display for HealthLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        })
    }
}

/// Something that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthReason {
    /// A name has been held for too long.
    LongHold {
        /// The name.
        name: LockName,
        /// The holder's label, if it has one.
        label: Option<String>,
        /// For how long.
        held_for: Duration,
    },
    /// A request has waited for too long.
    LongWait {
        /// The name.
        name: LockName,
        /// For how long.
        waiting_for: Duration,
    },
    /// Too many requests wait for a name.
    DeepQueue {
        /// The name.
        name: LockName,
        /// How many.
        waiters: usize,
    },
    /// The lockspace is shutting down, or has shut down: it grants nothing.
    ShuttingDown,
    /// The session was not kept alive when it should have been.
    SessionSuspect {
        /// For how long.
        silent_for: Duration,
        /// What the last call that failed said, if one has.
        problem: Option<String>,
    },
    /// There is no session: nothing is granted.
    SessionLost {
        /// What the last call that failed said, if one has.
        problem: Option<String>,
    },
}

impl HealthReason {
    /// How bad it is.
    #[must_use]
    pub fn level(&self) -> HealthLevel {
        match self {
            Self::LongHold { .. }
            | Self::LongWait { .. }
            | Self::DeepQueue { .. }
            | Self::SessionSuspect { .. } => HealthLevel::Degraded,
            Self::ShuttingDown | Self::SessionLost { .. } => HealthLevel::Failing,
        }
    }
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongHold { name, label, held_for } => {
                let label = label.as_deref().unwrap_or("somebody without a label");
                write!(f, "{name:?} has been held for {held_for:?} by {label}")
            }
            Self::LongWait { name, waiting_for } => {
                write!(f, "somebody has waited for {name:?} for {waiting_for:?}")
            }
            Self::DeepQueue { name, waiters } => write!(f, "{waiters} wait for {name:?}"),
            Self::ShuttingDown => f.write_str("the lockspace is shutting down"),
            Self::SessionSuspect { silent_for, problem } => {
                write!(f, "the store has not answered the session for {silent_for:?}")?;
                problem.iter().try_for_each(|problem| write!(f, ": {problem}"))
            }
            Self::SessionLost { problem } => {
                f.write_str("the session with the store is lost")?;
                problem.iter().try_for_each(|problem| write!(f, ": {problem}"))
            }
        }
    }
}

/// One line for the level and one for each reason, as a readiness probe may answer it.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level())?;
        self.reasons.iter().try_for_each(|reason| write!(f, "\n{}: {reason}", reason.level()))
    }
}

impl Health {
    /// The level of the worst reason.
    #[must_use]
    pub fn level(&self) -> HealthLevel {
        self.reasons.iter().map(HealthReason::level).max().unwrap_or(HealthLevel::Ok)
    }

    /// Whether nothing is beyond its limit.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.reasons.is_empty()
    }

    pub(crate) fn judge(
        snapshot: &Snapshot,
        session: Option<SessionHealth>,
        limits: &HealthLimits,
    ) -> Self {
        let shutting_down = snapshot.phase != lockspace_spec::Phase::Open;
        let mut reasons = Vec::from_iter(shutting_down.then_some(HealthReason::ShuttingDown));
        // Whoever shuts down ends its session itself.
        reasons.extend(session.as_ref().filter(|_| !shutting_down).and_then(judge_session));
        for name in &snapshot.names {
            reasons.extend(judge_name(name, limits));
        }
        let names = snapshot.names.iter();
        Self {
            reasons,
            longest_hold: names.clone().filter_map(|name| name.holder.held_for).max(),
            longest_wait: names.clone().filter_map(longest_wait).max(),
            deepest_queue: names.map(|name| name.waiters.len()).max().unwrap_or(0),
            session,
        }
    }
}

fn judge_session(session: &SessionHealth) -> Option<HealthReason> {
    let problem = session.problem.clone();
    match session.state {
        SessionState::Fresh => None,
        SessionState::Suspect => {
            let silent_for = session.silent_for.unwrap_or_default();
            Some(HealthReason::SessionSuspect { silent_for, problem })
        }
        SessionState::Lost => Some(HealthReason::SessionLost { problem }),
    }
}

/// The one at the head of the queue has waited longest.
fn longest_wait(name: &NameSnapshot) -> Option<Duration> {
    name.waiters.first()?.waiting_for
}

fn judge_name(
    snapshot: &NameSnapshot,
    limits: &HealthLimits,
) -> impl Iterator<Item = HealthReason> {
    fn beyond<T: PartialOrd>(is: Option<T>, limit: Option<T>) -> Option<T> {
        is.filter(|is| limit.is_some_and(|limit| *is > limit))
    }
    let name = || snapshot.name.clone();
    let long_hold = beyond(snapshot.holder.held_for, limits.longest_hold).map(|held_for| {
        HealthReason::LongHold { name: name(), label: snapshot.holder.label.clone(), held_for }
    });
    let long_wait = beyond(longest_wait(snapshot), limits.longest_wait)
        .map(|waiting_for| HealthReason::LongWait { name: name(), waiting_for });
    let deep_queue = beyond(Some(snapshot.waiters.len()), limits.deepest_queue)
        .map(|waiters| HealthReason::DeepQueue { name: name(), waiters });
    [long_hold, long_wait, deep_queue].into_iter().flatten()
}
