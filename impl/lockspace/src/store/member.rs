//! The whole of a process's part in a lockspace over a store, as one machine that does nothing by itself.
//!
//! Whoever runs it tells it what happens (somebody here wants a name, the store has answered, time has
//! passed, there was a hint), and then asks it what to say to the store and what to tell the users. It
//! keeps no clock, starts nothing and waits for nothing, so a model can run it through all that can happen
//! to it, and a program needs only few lines around it:
//!
//! 1. After each call of one of its functions, take [`news`](Member::news) until there is none, and carry
//!    out each [`call`](Member::call) until there is none, all at the same time; whatever comes of one
//!    goes to [`answered`](Member::answered). A call that takes too long is dropped, and its answer is
//!    [`Reply::Unknown`].
//! 2. At [`next_wake`](Member::next_wake) at the latest, call [`tick`](Member::tick).
//! 3. In intervals, call [`look`](Member::look) for each name in [`waiting`](Member::waiting), with some
//!    jitter, and soon after a call about a name has failed. Whenever there is a hint, call
//!    [`hinted`](Member::hinted).
//! 4. In longer intervals, call [`sweep`](Member::sweep).
//! 5. Before a user relies upon a hold, ask the session whether it
//!    [trusts itself](Session::trusts_itself) *now*.
//! 6. Keep the greatest version that it has seen, over all sessions. A row that is written and a wish that is
//!    granted has a greater version than was seen when that was asked; if not, do not tell of it, and call
//!    [`went_back`](Member::went_back).
//! 7. When [`is_over`](Member::is_over), begin again with a new session, if anybody here wants anything.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use lockspace_spec::FencingToken;

use super::claimant::{Around, Claimant, Turn};
use super::due::{Due, Kind};
use super::others::Others;
use super::record::{Record, SessionId, SessionRecord};
use super::session::{End, Life, Session};
use super::{Ask, Moment, Reply, Version};
use crate::LockName;

/// A session and all that it does.
///
/// It is plain data, so that a model can look into it: a process changes it by its functions only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Which session.
    pub id: SessionId,
    /// Its own life.
    pub session: Session,
    /// What it knows of others.
    pub others: Others,
    /// Every name that it has to do with.
    pub names: BTreeMap<LockName, Claimant>,
    /// Those of them that it does not hold, however many it holds.
    pub waiting: BTreeSet<LockName>,
    /// Which of them something has happened to since it was looked what that comes to: nothing is told and
    /// nothing is asked about any other. So a thousand names that wait cost an answer nothing.
    pub due: Due,
    /// The number of its next claim.
    pub next_number: u64,
    /// How far its sweep has come.
    pub sweep: Sweep,
    /// It closes: it makes no new claims, and its session ends when the last one is given back.
    pub closing: bool,
    /// That the session has begun or ended, if this has not been told yet.
    pub untold: Option<News>,
}

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sweep {
    /// There is none.
    #[default]
    Idle,
    /// It is wanted.
    Wanted,
    /// The store was asked for all rows.
    Asking,
}

/// A call that a member wants made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// About the row of its own session.
    Own(Ask<SessionRecord>),
    /// About the row of another session.
    Other(SessionId, Ask<SessionRecord>),
    /// About the row of a name.
    Name(LockName, Ask<Record>),
    /// For all rows: *first* those of names, and when they are there those of sessions. So a session that
    /// has a claim and no row is dead.
    Scan,
}

/// What came of a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To [`Call::Own`].
    Own(Reply<SessionRecord>),
    /// To [`Call::Other`].
    Other(SessionId, Reply<SessionRecord>),
    /// To [`Call::Name`].
    Name(LockName, Reply<Record>),
    /// To [`Call::Scan`]. None: it failed.
    Scan(Option<Rows>),
}

/// All rows of a lockspace, without those that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rows {
    /// The names.
    pub names: Vec<(LockName, Version, Record)>,
    /// The sessions.
    pub sessions: Vec<(SessionId, Version, SessionRecord)>,
}

/// Something to tell the users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum News {
    /// The session has begun: wishes can be made.
    Begun,
    /// The name is held, with this token.
    Granted(LockName, FencingToken),
    /// The hold with this token has ended, because somebody took the name away.
    Lost(LockName, FencingToken),
    /// Nothing of this session is left in the row of the name.
    Left(LockName),
    /// The row of the name cannot be read. A wish for it ends, and so does a hold of it.
    Unreadable(LockName),
    /// The session has ended: every hold is lost, and every wish must be made again, by a new session.
    Ended(End),
}

impl Member {
    /// A session that is about to begin. No other one ever had this number.
    #[must_use]
    pub fn new(id: SessionId, session: Session) -> Self {
        Self {
            id,
            session,
            others: Others::default(),
            names: BTreeMap::new(),
            waiting: BTreeSet::new(),
            due: Due::default(),
            next_number: 1,
            sweep: Sweep::Idle,
            closing: false,
            untold: None,
        }
    }

    /// The next claim has this number or a greater one. A program that knows the time says so before it wants
    /// anything: then people see from a [claim](super::record::Claim::asked) when it was made. The time
    /// may go backwards, the numbers do not.
    pub fn number_from(&mut self, number: u64) {
        self.next_number = self.next_number.max(number);
    }

    /// Somebody here wants to hold `name`. Answers whether that is a new wish: not if the session does not
    /// live, or closes, or has a wish for the name already.
    pub fn want(&mut self, name: &LockName) -> bool {
        let may = self.session.life == Life::Alive && !self.closing;
        if !may || self.names.get(name).is_some_and(|claimant| claimant.wish.is_some()) {
            return false;
        }
        let number = self.next_number();
        self.names.entry(name.clone()).or_default().wish(number);
        self.happened(name);
        true
    }

    /// Nobody here wants to hold `name` any more: whoever held it is done, whoever waited is gone.
    pub fn give_up(&mut self, name: &LockName) {
        if let Some(claimant) = self.names.get_mut(name) {
            claimant.give_up();
            self.happened(name);
        }
    }

    /// Whoever held `name` is done, and the next one here wants it. If no other session waits, the name
    /// stays here, with a new token; if one does, it goes there, and this session waits behind all of them.
    pub fn pass_on(&mut self, name: &LockName) {
        let number = self.next_number();
        match self.names.get_mut(name) {
            Some(claimant) if !self.closing => claimant.wish(number),
            Some(claimant) => claimant.give_up(),
            None => return,
        }
        self.happened(name);
    }

    /// Whether `name` is somebody else's, as far as is known: whoever wants it here must wait.
    #[must_use]
    pub fn must_wait(&self, name: &LockName) -> bool {
        let around = Around { me: self.id, others: &self.others };
        self.names.get(name).is_some_and(|claimant| claimant.must_wait(&around))
    }

    /// The names that are wanted here and that `session` stands before, as far as is known.
    pub fn behind(&self, session: SessionId) -> impl Iterator<Item = &LockName> {
        let behind = move |own: &Claimant| own.ahead(self.id).any(|before| before == session);
        self.waiting.iter().filter(move |name| self.names.get(*name).is_some_and(behind))
    }

    /// It is time to look at the row of `name`, and at the sessions that stand before this one.
    pub fn look(&mut self, name: &LockName) {
        self.look_by(name, Claimant::look);
    }

    /// There was a hint that the row of `name` has changed. It costs a look at the row, and none at sessions
    /// of which something is known: all who wait hear of whoever comes or goes, and if each of them looked
    /// at all who stand before it, that would cost the square of their number every time.
    pub fn hinted(&mut self, name: &LockName) {
        self.look_by(name, Claimant::look_at_row);
    }

    fn look_by(&mut self, name: &LockName, look: impl FnOnce(&mut Claimant)) {
        let Some(claimant) = self.names.get_mut(name) else { return };
        look(claimant);
        self.due.tell.insert(name.clone());
        // A name that is given back is no look's business only: somebody else may wait for it.
        let line = if claimant.wish.is_some() { &mut self.due.look } else { &mut self.due.ask };
        line.join(name);
    }

    /// It is time to look at all rows: for sessions that died, for what they left behind, for claims of
    /// this session that it does not know, and whether its holds are still its own.
    pub fn sweep(&mut self) {
        if self.session.life == Life::Alive && self.sweep == Sweep::Idle {
            self.sweep = Sweep::Wanted;
        }
    }

    /// The store has shown that it has lost data, otherwise than by this session's own row: a version is not
    /// greater than one that was seen before. What it says of this session's claims counts for nothing.
    pub fn went_back(&mut self, now: Moment) {
        let before = self.session.life;
        self.session.went_back(now);
        self.after(before);
    }

    /// All users are gone: gives everything back, and then ends the session.
    pub fn close(&mut self) {
        self.closing = true;
        // What cannot be given back, the store being out of reach, ends with the session.
        self.names.retain(|_, claimant| !claimant.resting);
        self.names.values_mut().for_each(Claimant::give_up);
        self.waiting = self.names.keys().cloned().collect();
        self.names.keys().for_each(|name| self.due.insert(name));
    }

    /// Whether there is nothing left to do, for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.session.life, Life::Over(_)) && self.untold.is_none()
    }

    /// Whether `name` is held here with this token, and may be relied upon at `now` (upholds S1).
    #[must_use]
    pub fn holds(&self, name: &LockName, token: FencingToken, now: Moment) -> bool {
        let told = self.names.get(name).and_then(|claimant| claimant.told);
        told == Some(token) && self.session.trusts_itself(now)
    }

    /// When to call [`tick`](Self::tick) if nothing else happens before. None: not at all.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        self.session.next_wake()
    }

    /// Lets it be `now`.
    pub fn tick(&mut self, now: Moment) {
        let before = self.session.life;
        self.session.tick(now);
        if self.closing && self.names.is_empty() {
            self.session.close(now);
        }
        self.after(before);
    }

    /// Takes what came of a call.
    pub fn answered(&mut self, answer: Answer, now: Moment) {
        self.tick(now);
        let before = self.session.life;
        match answer {
            Answer::Own(reply) => self.session.take(&reply, now),
            Answer::Other(id, reply) => {
                self.others.take(id, &reply, now);
                if self.others.is_dead(id) {
                    let mentions = |name: &&LockName| {
                        self.names.get(*name).is_some_and(|own| own.mentions(id))
                    };
                    self.waiting.iter().filter(mentions).for_each(|name| self.due.insert(name));
                }
            }
            Answer::Name(name, reply) => self.answered_name(&name, reply),
            Answer::Scan(rows) => {
                if let Some(rows) = rows.filter(|_| self.sweep == Sweep::Asking) {
                    self.swept(rows, now);
                }
                self.sweep = Sweep::Idle;
            }
        }
        self.after(before);
        self.tick(now);
    }

    /// The next thing to tell the users, if there is one.
    #[must_use]
    pub fn news(&mut self, now: Moment) -> Option<News> {
        self.tick(now);
        if let Some(news) = self.untold.take() {
            return Some(news);
        }
        let (name, turn) = self.turn()?;
        if matches!(turn, Turn::Finished | Turn::Unreadable) {
            self.names.remove(&name);
        }
        self.happened(&name);
        Some(match turn {
            Turn::Granted(token) => News::Granted(name, token),
            Turn::Lost(token) => News::Lost(name, token),
            Turn::Finished => News::Left(name),
            Turn::Unreadable => News::Unreadable(name),
        })
    }

    /// The next call to make, if there is one. The caller makes them all at the same time, or as many as it
    /// can: that of its own session comes first, and the others in turns.
    #[must_use]
    pub fn call(&mut self, now: Moment) -> Option<Call> {
        self.tick(now);
        if let Some(ask) = self.session.ask(now) {
            return Some(Call::Own(ask));
        }
        for kind in self.due.turns() {
            if let Some(call) = self.call_of(kind, now) {
                self.due.made(kind);
                return Some(call);
            }
        }
        self.due.all_asked();
        None
    }

    fn call_of(&mut self, kind: Kind, now: Moment) -> Option<Call> {
        let line = match kind {
            Kind::Ask => &mut self.due.ask,
            Kind::Look => &mut self.due.look,
            Kind::Other => return self.others.ask(now).map(|(id, ask)| Call::Other(id, ask)),
            Kind::Sweep if self.sweep == Sweep::Wanted => {
                self.sweep = Sweep::Asking;
                return Some(Call::Scan);
            }
            Kind::Sweep => return None,
        };
        let around = Around { me: self.id, others: &self.others };
        while let Some(name) = line.next() {
            if let Some(ask) = self.names.get_mut(&name).and_then(|own| own.ask(&around)) {
                return Some(Call::Name(name, ask));
            }
        }
        None
    }

    fn answered_name(&mut self, name: &LockName, reply: Reply<Record>) {
        if let Some(claimant) = self.names.get_mut(name) {
            let shown = matches!(reply, Reply::Loaded(_));
            claimant.take(reply);
            if shown {
                let all = take(&mut claimant.looks_ahead);
                let ahead = claimant.ahead(self.id);
                let wanted: Vec<_> = ahead.filter(|id| all || !self.others.knows(*id)).collect();
                wanted.into_iter().for_each(|session| self.others.want(session));
            }
            if self.closing && claimant.resting {
                self.names.remove(name); // As in `close`.
            }
            self.happened(name);
        }
        self.forget_others();
    }

    /// Something has happened to `name`.
    fn happened(&mut self, name: &LockName) {
        self.due.insert(name);
        if self.names.get(name).is_some_and(|claimant| claimant.told.is_none()) {
            self.waiting.insert(name.clone());
        } else {
            self.waiting.remove(name);
        }
    }

    fn turn(&mut self) -> Option<(LockName, Turn)> {
        let around = Around { me: self.id, others: &self.others };
        while let Some(name) = self.due.tell.pop_first() {
            if let Some(turn) = self.names.get_mut(&name).and_then(|own| own.turn(&around)) {
                return Some((name, turn));
            }
        }
        None
    }

    fn next_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// Draws the consequences if the session's life is not what it was.
    fn after(&mut self, before: Life) {
        match (before, self.session.life) {
            (Life::Beginning, Life::Alive) => self.untold = Some(News::Begun),
            (Life::Beginning | Life::Alive, Life::Ending(end) | Life::Over(end)) => {
                // Nothing is given back: the claims of a session that has ended count for nothing.
                self.names.clear();
                self.waiting.clear();
                self.due = Due::default();
                self.others = Others::default();
                self.sweep = Sweep::Idle;
                self.untold = Some(News::Ended(end));
            }
            _ => {}
        }
    }

    /// All rows were seen, each at some moment of the sweep.
    fn swept(&mut self, rows: Rows, now: Moment) {
        for (id, version, record) in rows.sessions.iter().filter(|(id, ..)| *id != self.id) {
            self.others.swept(*id, *version, record, now);
        }
        let living: BTreeSet<_> = rows.sessions.iter().map(|(id, ..)| *id).collect();
        let lives = |id: SessionId| id == self.id || living.contains(&id);
        let seen: BTreeSet<_> = rows.names.iter().map(|(name, ..)| name).collect();
        for (_, claimant) in self.names.iter_mut().filter(|(name, _)| !seen.contains(name)) {
            claimant.see(self.id, None);
        }
        for (name, version, record) in rows.names {
            let dead: Vec<_> = record.line().map(|c| c.session).filter(|id| !lives(*id)).collect();
            if !dead.is_empty() || record.mentions(self.id) || self.names.contains_key(&name) {
                let claimant = self.names.entry(name.clone()).or_default();
                claimant.see(self.id, Some((version, record)));
                if claimant.told.is_none() {
                    self.waiting.insert(name);
                }
            }
            dead.into_iter().for_each(|id| self.others.died(id));
        }
        self.others.keep(|id, other| !other.swept || lives(id));
        // What is to be looked at has its turn then.
        let due = self.names.keys().filter(|name| !self.due.look.contains(name));
        due.cloned().collect::<Vec<_>>().iter().for_each(|name| self.due.insert(name));
        self.forget_others();
    }

    /// Forgets the sessions that are in nobody's way, as far as that is known.
    fn forget_others(&mut self) {
        // Those that the sweep has met are kept: where there are no others, no name is looked at.
        let others = self.others.sessions.iter().filter(|(_, other)| !other.swept);
        let mut unneeded: BTreeSet<_> = others.map(|(id, _)| *id).collect();
        if unneeded.is_empty() || self.is_any_in_doubt() {
            return;
        }
        let waiting = self.waiting.iter().filter_map(|name| self.names.get(name));
        for session in waiting.flat_map(Claimant::sessions) {
            if unneeded.remove(&session) && unneeded.is_empty() {
                return;
            }
        }
        self.others.keep(|id, _| !unneeded.contains(&id));
    }

    /// Whether there is a name that waits and of which it is not known what stands in its row.
    fn is_any_in_doubt(&self) -> bool {
        let in_doubt = |name: &LockName| self.names.get(name).is_some_and(Claimant::is_in_doubt);
        // Of many that are asked for at the same time, the next one in line is, as a rule. So the answer
        // about each costs no look at all of them.
        let next = [self.due.ask.first(), self.due.look.first()].into_iter().flatten();
        next.filter(|name| self.waiting.contains(*name)).any(in_doubt)
            || self.waiting.iter().any(in_doubt)
    }
}
