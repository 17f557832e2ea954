//! Other sessions, as one process sees them: when one may be declared dead.
//!
//! A session that has shown the same version for its whole ttl, counted by this process's own clock from
//! when it first *saw* that version, has been silent for that long, and has stopped trusting itself.
//! Its row may be removed: by a swap that names that version, so that a session which was kept alive in
//! the meantime stays. A session whose row is gone never comes back, since nobody uses its number again.
//!
//! Nothing happens here by itself: a process looks at another session when somebody
//! [wants](Others::want) to know of it, and again when it is wanted again. In between, only time passes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{SessionId, SessionRecord};
use super::{Ask, Moment, Reply, Version};

/// Every other session that this process has a reason to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Others {
    /// What is known of each.
    pub sessions: BTreeMap<SessionId, Other>,
}

/// What is known of another session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Other {
    /// When its row was first seen as it was seen last.
    pub seen: Option<Seen>,
    /// Its row is known to be gone.
    pub dead: bool,
    /// Somebody wants to know of it, and the store has not been asked since.
    pub wanted: bool,
    /// Whether the store has been asked and has not answered.
    pub asking: bool,
    /// Whether the last sweep has met it: the next one will want to know for how long it has been silent.
    pub swept: bool,
}

/// That a session's row has a version, and since when this has been known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The version.
    pub version: Version,
    /// The ttl that stands in the row.
    pub ttl: Duration,
    /// When the row was first *seen* to have this version: the moment of the answer, not of the question.
    pub since: Moment,
}

impl Others {
    /// Whether the session is known to be dead.
    #[must_use]
    pub fn is_dead(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|other| other.dead)
    }

    /// Somebody wants to know how the session is.
    pub fn want(&mut self, id: SessionId) {
        let other = self.sessions.entry(id).or_default();
        other.wanted |= !other.dead && !other.asking;
    }

    /// The session is known to be dead, by a scan that should have shown its row.
    pub fn died(&mut self, id: SessionId) {
        self.sessions.entry(id).or_default().die();
    }

    /// Forgets all sessions that are not needed and that no answer is awaited for.
    pub fn keep(&mut self, is_needed: impl Fn(SessionId, &Other) -> bool) {
        self.sessions.retain(|id, other| other.asking || is_needed(*id, other));
    }

    /// What to ask the store about another session now, if anything: to remove it if it has been silent
    /// for long enough, else to show it.
    #[must_use]
    pub fn ask(&mut self, now: Moment) -> Option<(SessionId, Ask<SessionRecord>)> {
        let mut others = self.sessions.iter_mut();
        let (id, other) = others.find(|(_, other)| other.wanted && !other.asking)?;
        other.wanted = false;
        other.asking = true;
        let ask = match other.seen {
            Some(seen) if seen.is_silent(now) => {
                Ask::Swap { expected: Some(seen.version), new: None }
            }
            _ => Ask::Load,
        };
        Some((*id, ask))
    }

    /// Takes the store's answer about a session.
    pub fn take(&mut self, id: SessionId, reply: &Reply<SessionRecord>, now: Moment) {
        let Some(other) = self.sessions.get_mut(&id) else { return };
        other.asking = false;
        match reply {
            Reply::Loaded(None) | Reply::Swapped(_) => other.die(),
            Reply::Loaded(Some((version, record))) => other.see(*version, record, now),
            // It lives, or somebody else was faster: what was seen is no longer so.
            Reply::Conflict => (other.seen, other.wanted) = (None, true),
            // What cannot be read is not judged. What failed is tried again when it is wanted again.
            Reply::Unreadable => other.seen = None,
            Reply::NotDone | Reply::Unknown => {}
        }
    }

    /// The row of a session was met by a sweep, and perhaps some time ago: older than what is known, it
    /// says nothing. Only of one that has been silent for long enough more is to be known: whether it can be
    /// removed.
    pub fn swept(&mut self, id: SessionId, version: Version, record: &SessionRecord, now: Moment) {
        let other = self.sessions.entry(id).or_default();
        other.swept = true;
        if other.seen.is_none_or(|seen| seen.version < version) {
            other.see(version, record, now);
        }
        if other.seen.is_some_and(|seen| seen.is_silent(now)) {
            self.want(id);
        }
    }

    /// Whether anything is known of the session.
    #[must_use]
    pub fn knows(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id)
    }
}

impl Seen {
    /// Whether the session has been silent for its whole ttl.
    fn is_silent(&self, now: Moment) -> bool {
        now.saturating_sub(self.since) >= self.ttl
    }
}

impl Other {
    fn die(&mut self) {
        *self = Self { dead: true, ..Self::default() };
    }

    fn see(&mut self, version: Version, record: &SessionRecord, now: Moment) {
        let as_before = self.seen.is_some_and(|seen| seen.version == version);
        if !as_before && !self.dead {
            self.seen = Some(Seen { version, ttl: record.ttl(), since: now });
        }
    }
}
