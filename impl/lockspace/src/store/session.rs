//! A session's own life: when it must be kept alive, and when it must stop trusting itself.
//!
//! A session is one row, written anew from time to time. Whoever sees it unchanged for the ttl, *by its
//! own clock*, may remove it. So the session counts the other way: what it wrote was there at the
//! earliest when it *sent* the write, so nobody can remove it before `ttl` has passed from then on. Until a
//! margin before that, the session trusts itself, whether it can reach the store or not; from then on it
//! never does again.
//!
//! No clock is compared with another one. That they run at about the same *speed* is assumed: with clocks
//! that are wrong by at most the part ρ, a margin of `ttl · 2ρ / (1 + ρ)` suffices. The usual margin, a
//! tenth of the ttl, allows for 5 %. What breaks if clocks are worse is told in "The protocol over a store",
//! in the documentation of lockspace.
//!
//! The end of the trust is final: not even a late answer that the session was kept alive brings it back,
//! because its users may have been told (upholds S4).

use std::time::Duration;

use super::{Ask, Moment, Reply, Version, record::SessionRecord};

/// The times that a session keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    ttl: Duration,
    margin: Duration,
    renew_every: Duration,
    retry_after: Duration,
}

/// Why times do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Nothing would be left of the ttl.
    #[error("the drift margin must be shorter than the ttl")]
    MarginTooLong,
    /// A session would stop trusting itself before it is kept alive for the first time.
    #[error("a session must be kept alive more often than once in its ttl less the drift margin")]
    RenewedTooSeldom,
}

impl Timing {
    /// A silence of `ttl` (counted in whole milliseconds) ends a session. A tenth of it is the drift
    /// margin, and what is left has time for three attempts to keep the session alive.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let ttl = SessionRecord::new(ttl, "").ttl();
        let margin = ttl / 10;
        let renew_every = (ttl - margin) / 3;
        Self { ttl, margin, renew_every, retry_after: retry_after(renew_every) }
    }

    /// The same with another drift margin.
    ///
    /// # Errors
    /// [`TimingError::MarginTooLong`] if it is not shorter than the ttl.
    pub fn margin(self, margin: Duration) -> Result<Self, TimingError> {
        if margin >= self.ttl {
            return Err(TimingError::MarginTooLong);
        }
        let renew_every = (self.ttl - margin) / 3;
        Ok(Self { margin, renew_every, retry_after: retry_after(renew_every), ..self })
    }

    /// The same, but kept alive so often, and after a failure tried again so soon.
    ///
    /// # Errors
    /// [`TimingError::RenewedTooSeldom`] if a session would not outlive the time between two attempts.
    pub fn renew(self, every: Duration, retry_after: Duration) -> Result<Self, TimingError> {
        if every >= self.trust() {
            return Err(TimingError::RenewedTooSeldom);
        }
        Ok(Self { renew_every: every, retry_after, ..self })
    }

    /// How long a silence may be.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long a session trusts itself after it *sent* a keep-alive that was answered.
    #[must_use]
    pub fn trust(&self) -> Duration {
        self.ttl - self.margin
    }
}

/// So soon is a call tried again that has failed: however long the ttl is, a store that is back is found.
fn retry_after(renew_every: Duration) -> Duration {
    (renew_every / 8).min(Duration::from_secs(1))
}

/// A session, as its own process knows it.
///
/// It is plain data, so that a model can look into it: a process changes it by its functions only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Its times.
    pub timing: Timing,
    /// What its row says.
    pub record: SessionRecord,
    /// Where it is in its life.
    pub life: Life,
    /// The version of its row, as far as it knows; none while it knows of no row.
    pub version: Option<Version>,
    /// Until when it trusts itself. Means nothing unless it is alive.
    pub trusted_until: Moment,
    /// Not before this moment it asks the store for something.
    pub next_ask: Moment,
    /// Whether its row is not as it knows it, so that it must look before it writes.
    pub in_doubt: bool,
    /// Whether a write that expects this version of its row may have been done, or may still be.
    pub unanswered: bool,
    /// What it has asked and not been answered.
    pub asking: Option<Asking>,
}

/// Where a session is in its life. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// Its row has not been written yet. It makes no claims.
    Beginning,
    /// It makes claims, and trusts itself for a time.
    Alive,
    /// It has ended and claims nothing any more. Its row may still be there.
    Ending(End),
    /// Its row is gone.
    Over(End),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// It could not be begun.
    NotBegun,
    /// It was not kept alive in time: the store could not be reached, or the process stood still.
    Outage,
    /// Its row was removed, by somebody to whom it seemed dead or with everything else in the store.
    Removed,
    /// Its row is older than what it wrote, or what it writes has a version that is not greater than those
    /// which its process has seen: the store has lost data, or was restored from a copy.
    StoreWentBack,
    /// Its row was written by somebody else who has its number: its process was copied while it ran, and
    /// the copy keeps the session.
    Copied,
    /// Its row is something that cannot be read, which others see too: they neither end the session nor take
    /// what it holds, and it must not overwrite it.
    Unreadable,
    /// Its process closed it.
    Closed,
}

/// What a session asks the store, about its own row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asking {
    /// To write it.
    Write {
        /// When this was sent.
        sent: Moment,
    },
    /// To look at it.
    Look,
    /// To remove it.
    Remove,
}

impl Session {
    /// A session that begins at `now`.
    #[must_use]
    pub fn new(timing: Timing, label: &str, now: Moment) -> Self {
        Self {
            timing,
            record: SessionRecord::new(timing.ttl, label),
            life: Life::Beginning,
            version: None,
            trusted_until: now,
            next_ask: now,
            in_doubt: false,
            unanswered: false,
            asking: None,
        }
    }

    /// Whether its holds may be relied upon at `now`: nobody else can have been granted what it holds, as
    /// long as clocks keep their speed within the margin (upholds S1).
    #[must_use]
    pub fn trusts_itself(&self, now: Moment) -> bool {
        self.life == Life::Alive && now < self.trusted_until
    }

    /// Ends it: from now on it claims nothing, and its row is removed.
    pub fn close(&mut self, now: Moment) {
        self.tick(now);
        self.end(End::Closed, now);
    }

    /// When something is to be done next if no answer comes before: [`tick`](Self::tick) or
    /// [`ask`](Self::ask). None: nothing.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let ask = self.asking.is_none().then_some(self.next_ask);
        match self.life {
            Life::Alive => Some(ask.map_or(self.trusted_until, |ask| ask.min(self.trusted_until))),
            Life::Beginning | Life::Ending(_) => ask,
            Life::Over(_) => None,
        }
    }

    /// Lets it be `now`. Whatever else happens to the session at a moment, this happens first.
    pub fn tick(&mut self, now: Moment) {
        if self.life == Life::Alive && !self.trusts_itself(now) {
            self.end(End::Outage, now);
        }
    }

    /// The store has shown that it has lost data: it ends.
    pub fn went_back(&mut self, now: Moment) {
        self.end(End::StoreWentBack, now);
    }

    /// What to ask the store about its row now, if anything.
    #[must_use]
    pub fn ask(&mut self, now: Moment) -> Option<Ask<SessionRecord>> {
        self.tick(now);
        if self.asking.is_some() || now < self.next_ask {
            return None;
        }
        let write = |expected| Ask::Swap { expected, new: Some(self.record.clone()) };
        let (asking, ask) = match (self.life, self.version) {
            (Life::Over(_), _) => return None,
            (Life::Beginning, _) => (Asking::Write { sent: now }, write(None)),
            (Life::Alive, version) if !self.in_doubt => {
                (Asking::Write { sent: now }, write(version))
            }
            (Life::Ending(_), Some(version)) if !self.in_doubt => {
                (Asking::Remove, Ask::Swap { expected: Some(version), new: None })
            }
            (Life::Alive | Life::Ending(_), _) => (Asking::Look, Ask::Load),
        };
        self.asking = Some(asking);
        Some(ask)
    }

    /// Takes the store's answer. An answer that it does not wait for is ignored.
    pub fn take(&mut self, reply: &Reply<SessionRecord>, now: Moment) {
        self.tick(now);
        let Some(asked) = self.asking.take() else { return };
        self.next_ask = now;
        self.unanswered |= matches!((asked, reply), (Asking::Write { .. }, Reply::Unknown));
        match (asked, reply) {
            (Asking::Write { sent }, Reply::Swapped(version)) => self.written(*version, sent),
            (Asking::Write { .. }, Reply::Conflict) if self.life == Life::Beginning => {
                self.life = Life::Over(End::NotBegun); // The row is somebody else's.
            }
            // Whether it was written or not, nobody else has this session's number, so it has no claims.
            (Asking::Write { .. }, Reply::Unknown) if self.life == Life::Beginning => {
                self.end(End::NotBegun, now);
            }
            (Asking::Remove, Reply::Swapped(_)) => self.gone(End::Removed),
            (Asking::Write { .. } | Asking::Remove, Reply::Conflict) => self.in_doubt = true,
            (Asking::Look, Reply::Loaded(None)) => self.gone(End::Removed),
            (Asking::Look, Reply::Loaded(Some((version, _)))) => self.seen(*version, now),
            (Asking::Look, Reply::Unreadable) => self.gone(End::Unreadable),
            _ => self.next_ask = now + self.timing.retry_after,
        }
    }

    /// Its row was written. That is known now, and was true for others at the earliest when it was sent:
    /// trust counts from there.
    fn written(&mut self, version: Version, sent: Moment) {
        (self.version, self.unanswered) = (Some(version), false);
        if self.life == Life::Beginning {
            self.life = Life::Alive;
        }
        if self.life == Life::Alive {
            self.trusted_until = sent + self.timing.trust();
            self.next_ask = sent + self.timing.renew_every;
        }
    }

    /// Its row has this version, which it did not expect. A later version is a keep-alive whose answer was
    /// lost, if there is one; it is not counted: the next one will be. If there is none, somebody else has
    /// this session's number, and keeps the row.
    fn seen(&mut self, version: Version, now: Moment) {
        let (went_back, went_on) =
            self.version.map_or((false, false), |known| (version < known, version > known));
        if went_on && !self.unanswered {
            return self.gone(End::Copied);
        }
        self.version = Some(version);
        self.in_doubt = false;
        self.unanswered &= !went_on;
        if went_back {
            self.end(End::StoreWentBack, now);
        }
    }

    /// Its row is not there, or is not its row any more: an end, if it did not end before.
    fn gone(&mut self, end: End) {
        self.life = Life::Over(match self.life {
            Life::Beginning => End::NotBegun,
            Life::Alive => end,
            Life::Ending(end) | Life::Over(end) => end,
        });
    }

    /// Its row is to be removed at once, the first time: whoever says again that it ends does not make it
    /// ask a store that has just failed sooner than it would.
    fn end(&mut self, end: End, now: Moment) {
        if matches!(self.life, Life::Beginning | Life::Alive) {
            self.life = Life::Ending(end);
            self.next_ask = self.next_ask.min(now);
        }
    }
}
