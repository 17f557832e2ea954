//! What a session does about one name: from the wish to hold it until nothing of the session is left in
//! its row.
//!
//! It has at most one call under way, knows the row as it was last seen, and has [`decide`](super::decide)
//! say what the row must become. A conflict or a lost answer makes it look again. It never concludes
//! anything from a call whose outcome it does not know, and needs no memory of such calls either:
//!
//! - A swap that expects a version can take effect only while the row has it. To act upon the row is
//!   therefore always to swap it, and each wish has a claim with a number of its own: a row that a late
//!   swap could still change is never one that says what the current wish wants.
//! - A swap that expects *no row* may take effect at any later time when there is none. Its claim then
//!   stands in the row though nobody wants it; a sweep finds it and gives it back.

use std::mem::take;

use lockspace_spec::FencingToken;

use super::decide::{Decision, Intent, Standing, decide};
use super::others::Others;
use super::record::{Claim, Record, SessionId};
use super::{Ask, Reply, Version};

/// A session's side of one name.
///
/// It is plain data, so that a model can look into it: a process changes it by its functions only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Claimant {
    /// The number of the claim that the session wants to hold the name by. None: it wants no claim.
    pub wish: Option<u64>,
    /// The token of the hold that was told to whoever wishes.
    pub told: Option<FencingToken>,
    /// What is known of the row.
    pub known: Known,
    /// What was asked and has not been answered.
    pub asking: Option<Asking>,
    /// A call has failed: nothing more is asked before somebody [looks](Self::look) again.
    pub resting: bool,
    /// When the row is shown next, it is time to look at all sessions that stand before this one.
    pub looks_ahead: bool,
}

/// What is known of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Known {
    /// Nothing; it has never been looked at. Most names are free, so that is what is tried first.
    #[default]
    Nothing,
    /// That what was known is no longer so, or may not be.
    Changed,
    /// That it was so.
    Row(Option<(Version, Record)>),
    /// That there is one which cannot be read.
    Unreadable,
}

/// What a claimant asks the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asking {
    /// To show the row.
    Look,
    /// To swap the row for this one, or to remove it.
    Swap(Option<Record>),
}

/// What a claimant comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The wish has come true: the session holds the name, with this token.
    Granted(FencingToken),
    /// The hold that was told has ended without its session: somebody took the name from it.
    Lost(FencingToken),
    /// Nothing of the session is left in the row, or ever was.
    Finished,
    /// The row cannot be read, so nothing can be said of the name and nothing is done about it.
    Unreadable,
}

/// The session that a claimant belongs to, and what that knows of others.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The session.
    pub me: SessionId,
    /// The others.
    pub others: &'a Others,
}

impl Around<'_> {
    fn decide(&self, found: Option<(Version, &Record)>, wish: Option<Claim>) -> Decision {
        let intent = wish.map_or(Intent::Leave(self.me), Intent::Hold);
        decide(found, intent, |session| self.others.is_dead(session))
    }
}

impl Claimant {
    /// Somebody wishes to hold the name, by the session's claim of this number.
    pub fn wish(&mut self, number: u64) {
        self.wish = Some(number);
        self.told = None;
        self.looks_ahead = true;
    }

    /// Nobody wishes to hold the name any more: whoever held it is done, whoever waited is gone.
    pub fn give_up(&mut self) {
        self.wish = None;
        self.told = None;
        self.looks_ahead = false;
    }

    /// It is time to look at the row, and at the sessions that stand before this one: some time has passed
    /// since they were looked at, or since a call failed.
    pub fn look(&mut self) {
        self.looks_ahead |= self.wish.is_some() && self.told.is_none();
        self.look_at_row();
    }

    /// There was a hint that the row has changed. That says nothing new of the sessions in it.
    pub fn look_at_row(&mut self) {
        self.resting = false;
        if self.known != Known::Nothing {
            self.known = Known::Changed;
        }
    }

    /// The row was seen in passing, and perhaps some time ago. None: there was no row.
    pub fn see(&mut self, me: SessionId, seen: Option<(Version, Record)>) {
        let found = seen.as_ref().map(|(version, record)| (*version, record));
        // It may have been written since it was not there. Whoever only has a claim to give back would then
        // forget it; whoever wishes to hold the name finds out by trying.
        let is_left = self.wish.is_none() && seen.is_none();
        if self.told.is_some_and(|token| !holds(found, self.claim(me), token)) {
            self.look();
        } else if self.asking.is_none()
            && matches!(self.known, Known::Nothing | Known::Changed)
            && !is_left
        {
            self.known = Known::Row(seen);
        }
    }

    /// What there is to tell, once for each thing. Grants are told only if the session trusts itself,
    /// which its caller sees to.
    #[must_use]
    pub fn turn(&mut self, around: &Around<'_>) -> Option<Turn> {
        if self.asking.is_some() {
            return None;
        }
        let found = match &self.known {
            Known::Nothing if self.wish.is_none() => return Some(Turn::Finished),
            Known::Nothing | Known::Changed => return None,
            Known::Unreadable => return Some(Turn::Unreadable),
            Known::Row(found) => found.as_ref().map(|(version, record)| (*version, record)),
        };
        // Most names are held, and there is nothing to tell of them.
        if self.told.is_some_and(|token| holds(found, self.claim(around.me), token)) {
            return None;
        }
        match (around.decide(found, self.claim(around.me)), self.told) {
            (Decision::Stand(Standing::Holds(token)), None) => {
                self.told = Some(token);
                self.looks_ahead = false;
                Some(Turn::Granted(token))
            }
            (Decision::Stand(Standing::Out), _) => Some(Turn::Finished),
            // Only an answer that the claim holds by this token says that the hold goes on.
            (_, Some(token)) if !holds(found, self.claim(around.me), token) => {
                self.give_up();
                Some(Turn::Lost(token))
            }
            _ => None,
        }
    }

    /// What to ask the store now, if anything.
    #[must_use]
    pub fn ask(&mut self, around: &Around<'_>) -> Option<Ask<Record>> {
        if self.asking.is_some() || self.resting {
            return None;
        }
        let found = match &self.known {
            Known::Changed => {
                self.asking = Some(Asking::Look);
                return Some(Ask::Load);
            }
            // Whoever holds the name has nothing to do until it is done.
            Known::Row(_) if self.told.is_some() => return None,
            Known::Unreadable => return None,
            Known::Nothing => None,
            Known::Row(found) => found.as_ref().map(|(version, record)| (*version, record)),
        };
        let Decision::Swap(new) = around.decide(found, self.claim(around.me)) else {
            return None;
        };
        let expected = found.map(|(version, _)| version);
        self.known = Known::Changed;
        self.asking = Some(Asking::Swap(new.clone()));
        Some(Ask::Swap { expected, new })
    }

    /// Takes the store's answer.
    pub fn take(&mut self, reply: Reply<Record>) {
        let Some(asked) = take(&mut self.asking) else { return };
        match (asked, reply) {
            (Asking::Look, Reply::Loaded(row)) => self.known = Known::Row(row),
            (Asking::Look, Reply::Unreadable) => self.known = Known::Unreadable,
            (Asking::Swap(new), Reply::Swapped(version)) => {
                self.known = Known::Row(new.map(|record| (version, record)));
            }
            (Asking::Swap(_), Reply::Conflict) => self.known = Known::Changed,
            _ => self.resting = true,
        }
    }

    /// The version of the row, if there is one as far as is known.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        match &self.known {
            Known::Row(Some((version, _))) => Some(*version),
            _ => None,
        }
    }

    /// Whether the name is somebody else's, as far as is known: the wish must wait, or would have to.
    #[must_use]
    pub fn must_wait(&self, around: &Around<'_>) -> bool {
        let Known::Row(Some((version, record))) = &self.known else { return false };
        let undecided = self.wish.is_some() && self.told.is_none() && self.asking.is_none();
        undecided
            && match around.decide(Some((*version, record)), self.claim(around.me)) {
                Decision::Swap(row) => row.is_some_and(|row| row.holder.session != around.me),
                Decision::Stand(standing) => standing == Standing::Waits,
            }
    }

    /// Who else holds the name, if that is known: the session, its token, and how many other sessions wait
    /// before this one.
    #[must_use]
    pub fn held_elsewhere(&self, me: SessionId) -> Option<(SessionId, FencingToken, usize)> {
        let Known::Row(Some((version, record))) = &self.known else { return None };
        let others = record.line().take_while(|claim| claim.session != me).count();
        let ahead = others.checked_sub(1)?;
        Some((record.holder.session, record.token_at(*version), ahead))
    }

    /// The sessions in the row that stand before this one and could be in its way.
    pub fn ahead(&self, me: SessionId) -> impl Iterator<Item = SessionId> + '_ {
        let waits = self.wish.is_some() && self.told.is_none();
        self.sessions().take_while(move |session| waits && *session != me)
    }

    /// Whether the row, as it is known, has a claim of `session`.
    #[must_use]
    pub fn mentions(&self, session: SessionId) -> bool {
        matches!(&self.known, Known::Row(Some((_, record))) if record.mentions(session))
    }

    /// The sessions that have a claim in the row, as it is known.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        let row = match &self.known {
            Known::Row(Some((_, record))) => Some(record),
            _ => None,
        };
        row.into_iter().flat_map(Record::line).map(|claim| claim.session)
    }

    /// Whether it is not known what stands in the row.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !matches!(self.known, Known::Row(_))
    }

    fn claim(&self, me: SessionId) -> Option<Claim> {
        self.wish.map(|number| Claim { session: me, number })
    }
}

fn holds(found: Option<(Version, &Record)>, claim: Option<Claim>, token: FencingToken) -> bool {
    found.is_some_and(|(version, record)| {
        Some(record.holder) == claim && record.token_at(version) == token
    })
}
