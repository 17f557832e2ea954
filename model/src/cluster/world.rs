//! A store, the sessions around it, and the messages between them: what there is, and what can happen.
//!
//! The members are the shipping ones; nothing of what they decide is repeated here. This file is the
//! world that they live in: a store that does swaps, messages that are late or lost, processes that stop
//! for ever or for a while, and users who want names and are done with them.

use lockspace::LockName;
use lockspace::store::claimant::Claimant;
use lockspace::store::decide::{Decision, Intent, decide};
use lockspace::store::member::{Answer, Call, Member, News, Rows};
use lockspace::store::record::{Record, SessionId, SessionRecord};
use lockspace::store::session::{Session, Timing};
use lockspace::store::{Ask, Moment, Reply, Version};
use lockspace_spec::FencingToken;

/// Which session: its place among the slots.
pub type Slot = usize;

/// Which name: its place among the names.
pub type Name = usize;

/// What every process's clock shows: the past is counted back from here, so that nothing grows.
pub const NOW: Moment = Moment::from_millis(1_000);

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// What the store has.
    pub store: Stored,
    /// The sessions. A slot is used again once nothing reminds of the session that had it.
    pub slots: Vec<Seat>,
    /// What there is to remember of each name, besides what the store has of it.
    pub names: Vec<Remembered>,
}

/// What is remembered of a name for the sake of judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// The greatest token that was granted.
    pub greatest: Option<FencingToken>,
    /// The token of the last write that the resource behind the lock has taken.
    pub written: Option<FencingToken>,
}

/// What the store has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// The row of each name.
    pub names: Vec<Option<(Version, Record)>>,
    /// The row of each session.
    pub sessions: Vec<Option<(Version, SessionRecord)>>,
    /// Whether a session's row was there and was removed.
    pub removed: Vec<bool>,
    /// The last version that was given.
    pub last: Version,
}

/// A session and its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The session's process; none if it crashed, has ended or has not begun.
    pub member: Option<Member>,
    /// What is on its way between the process and the store.
    pub flights: Vec<Flight>,
    /// What its users remember of each name.
    pub users: Vec<Users>,
}

/// What the users in a process remember of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Users {
    /// The token of the hold that they were told of last. They may write with it, late or not.
    pub guard: Option<FencingToken>,
    /// An operator took away what they hold or wait for, and they have not heard of it.
    pub forced: bool,
    /// For how many ticks they have waited for a dead holder.
    pub behind_the_dead: u64,
}

/// A call on its way to the store, or its answer on its way back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    /// The call.
    pub call: Call,
    /// How far it is.
    pub stage: Stage,
    /// Whether the process still waits for the answer.
    pub awaited: bool,
    /// The version that a faulty store has given to the call before doing it.
    pub drawn: Option<Version>,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The store has not seen it.
    Sent,
    /// A scan that has read the names and not the sessions.
    Half(Rows),
    /// The store has answered.
    Served(Answer),
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A session begins.
    Begin(Slot),
    /// Somebody in the process wants a name.
    Want(Slot, Name),
    /// Nobody there wants it any more; whoever held it is done.
    GiveUp(Slot, Name),
    /// Whoever held it is done, and the next one there wants it.
    PassOn(Slot, Name),
    /// The process looks at the name.
    Look(Slot, Name),
    /// The process looks at everything.
    Sweep(Slot),
    /// The process finds that something is due: to keep its session alive, or to stop trusting it.
    Wake(Slot),
    /// The process closes its session.
    Close(Slot),
    /// The process is no more.
    Crash(Slot),
    /// The store does what a call asks.
    Serve(Slot, usize),
    /// The answer arrives.
    Deliver(Slot, usize),
    /// The call comes to nothing or its answer is lost.
    Fail(Slot, usize, Failure),
    /// An operator takes a name from its holder.
    Force(Name),
    /// Somebody writes to what the name protects, with the token of the last hold that it was told of.
    Write(Slot, Name),
    /// Time passes. A bit for each slot says whether its clock runs fast.
    Tick(u8),
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The store refuses it, and the process hears so.
    Refused,
    /// It is lost, and the process gives up waiting.
    Lost,
    /// It is late: the process gives up waiting, and it is still on its way.
    Late,
}

/// What happened besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Told {
    /// What the store did.
    pub swaps: Vec<Swapped>,
    /// What users were told.
    pub news: Vec<(Slot, News)>,
    /// Whether the resource took a write.
    pub taken: Option<bool>,
}

/// A swap that was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swapped {
    /// By whose call; none if an operator's.
    pub by: Option<Slot>,
    /// Of what, before and after.
    pub what: What,
}

/// What was swapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// The row of a name.
    Name(Name, Option<(Version, Record)>, Option<(Version, Record)>),
    /// The row of a session: whether it was there before, and is now.
    Session(Slot, bool, bool),
}

const NAMES: [&str; 3] = ["red", "green", "blue"];

/// The name at this place.
///
/// # Panics
/// If there are not so many.
#[must_use]
pub fn name(index: Name) -> LockName {
    LockName::new(NAMES[index]).expect("it is a name")
}

/// The place of a name.
///
/// # Panics
/// If it is not one of the model's.
#[must_use]
pub fn index_of(name: &LockName) -> Name {
    NAMES.iter().position(|of| *of == name.as_str()).expect("it is one of the model's names")
}

/// The session of a slot.
#[must_use]
pub fn session(slot: Slot) -> SessionId {
    SessionId(slot as u128 + 1)
}

/// The slot of a session.
#[must_use]
pub fn slot_of(id: SessionId) -> Slot {
    id.0 as Slot - 1
}

impl World {
    /// An empty store and no session.
    #[must_use]
    pub fn new(slots: usize, names: usize) -> Self {
        let store = Stored {
            names: vec![None; names],
            sessions: vec![None; slots],
            removed: vec![false; slots],
            last: Version(0),
        };
        let seat = Seat { users: vec![Users::default(); names], ..Seat::default() };
        Self { store, slots: vec![seat; slots], names: vec![Remembered::default(); names] }
    }

    /// The process in a slot.
    #[must_use]
    pub fn member(&self, slot: Slot) -> Option<&Member> {
        self.slots[slot].member.as_ref()
    }

    /// What the process in a slot has to do with a name.
    #[must_use]
    pub fn claimant(&self, slot: Slot, of: Name) -> Option<&Claimant> {
        self.member(slot)?.names.get(&name(of))
    }

    /// The token by which a slot's users believe to hold a name, and with reason: not if an operator took
    /// it away behind their backs.
    #[must_use]
    pub fn believes(&self, slot: Slot, of: Name) -> Option<FencingToken> {
        let token = self.claimant(slot, of)?.told.filter(|_| !self.slots[slot].users[of].forced)?;
        self.member(slot)?.holds(&name(of), token, NOW).then_some(token)
    }

    /// Whether nothing reminds of the session that had a slot.
    #[must_use]
    pub fn is_forgotten(&self, slot: Slot) -> bool {
        let id = session(slot);
        let seat = &self.slots[slot];
        let in_row = |row: &(Version, Record)| row.1.mentions(id);
        seat.member.is_none()
            && seat.flights.is_empty()
            && self.store.sessions[slot].is_none()
            && !self.store.names.iter().flatten().any(in_row)
            && !self.slots.iter().any(|seat| seat.reminds_of(id))
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let seats = self.slots.iter();
        self.store.names.iter().all(Option::is_none)
            && self.store.sessions.iter().all(Option::is_none)
            && seats.into_iter().all(|seat| seat.member.is_none() && seat.flights.is_empty())
    }
}

impl Seat {
    fn reminds_of(&self, id: SessionId) -> bool {
        let knows = |member: &Member| {
            member.others.sessions.contains_key(&id)
                || member.names.values().any(|claimant| claimant.mentions(id))
        };
        self.member.as_ref().is_some_and(knows) || self.flights.iter().any(|f| f.reminds_of(id))
    }
}

impl Flight {
    /// A call that is sent now.
    #[must_use]
    pub const fn new(call: Call) -> Self {
        Self { call, stage: Stage::Sent, awaited: true, drawn: None }
    }

    /// Whether the store has answered.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        matches!(self.stage, Stage::Served(_))
    }

    /// Whether it would change something in the store if it got there.
    #[must_use]
    pub fn is_swap(&self) -> bool {
        match &self.call {
            Call::Own(ask) | Call::Other(_, ask) => matches!(ask, Ask::Swap { .. }),
            Call::Name(_, ask) => matches!(ask, Ask::Swap { .. }),
            Call::Scan => false,
        }
    }

    fn reminds_of(&self, id: SessionId) -> bool {
        let in_rows = |rows: &Rows| {
            rows.sessions.iter().any(|(of, ..)| *of == id)
                || rows.names.iter().any(|(_, _, record)| record.mentions(id))
        };
        let in_call = match &self.call {
            Call::Other(of, _) => *of == id,
            Call::Name(_, Ask::Swap { new: Some(record), .. }) => record.mentions(id),
            Call::Own(_) | Call::Name(..) | Call::Scan => false,
        };
        in_call
            || match &self.stage {
                Stage::Sent => false,
                Stage::Half(rows) | Stage::Served(Answer::Scan(Some(rows))) => in_rows(rows),
                Stage::Served(Answer::Name(_, Reply::Loaded(Some((_, record))))) => {
                    record.mentions(id)
                }
                Stage::Served(_) => false,
            }
    }
}

/// A session that begins now.
#[must_use]
pub fn newborn(slot: Slot, timing: Timing) -> Member {
    Member::new(session(slot), Session::new(timing, "", NOW))
}

impl Stored {
    /// Does what `call` asks, on behalf of `by`, and answers.
    pub fn serve(&mut self, by: Slot, call: &Call, told: &mut Told) -> Answer {
        match call {
            Call::Own(ask) => Answer::Own(self.serve_session(by, by, ask, told)),
            Call::Other(id, ask) => {
                Answer::Other(*id, self.serve_session(slot_of(*id), by, ask, told))
            }
            Call::Name(of, ask) => Answer::Name(of.clone(), self.serve_name(by, of, ask, told)),
            Call::Scan => Answer::Scan(None),
        }
    }

    fn serve_session(
        &mut self,
        of: Slot,
        by: Slot,
        ask: &Ask<SessionRecord>,
        told: &mut Told,
    ) -> Reply<SessionRecord> {
        let row = &mut self.sessions[of];
        let was_there = row.is_some();
        let reply = serve(row, &mut self.last, ask);
        if matches!(reply, Reply::Swapped(_)) {
            let is_there = row.is_some();
            self.removed[of] |= !is_there;
            told.swaps.push(Swapped { by: Some(by), what: What::Session(of, was_there, is_there) });
        }
        reply
    }

    fn serve_name(
        &mut self,
        by: Slot,
        of: &LockName,
        ask: &Ask<Record>,
        told: &mut Told,
    ) -> Reply<Record> {
        let of = index_of(of);
        let row = &mut self.names[of];
        let before = row.clone();
        let reply = serve(row, &mut self.last, ask);
        if matches!(reply, Reply::Swapped(_)) {
            told.swaps.push(Swapped { by: Some(by), what: What::Name(of, before, row.clone()) });
        }
        reply
    }

    /// An operator takes a name from its holder.
    pub fn force(&mut self, of: Name, told: &mut Told) {
        let before = self.names[of].clone();
        let found = before.as_ref().map(|(version, record)| (*version, record));
        if let Decision::Swap(new) = decide(found, Intent::Force, |_| false) {
            let ask = Ask::Swap { expected: found.map(|(version, _)| version), new };
            let _ = serve(&mut self.names[of], &mut self.last, &ask);
            let what = What::Name(of, before, self.names[of].clone());
            told.swaps.push(Swapped { by: None, what });
        }
    }

    /// The rows of all names.
    #[must_use]
    pub fn scan_names(&self) -> Rows {
        let rows = self.names.iter().enumerate();
        let row = |(of, row): (Name, &Option<(Version, Record)>)| {
            row.as_ref().map(|(version, record)| (name(of), *version, record.clone()))
        };
        Rows { names: rows.filter_map(row).collect(), sessions: Vec::new() }
    }

    /// The rows of all sessions besides.
    #[must_use]
    pub fn scan_sessions(&self, mut rows: Rows) -> Rows {
        for (slot, row) in self.sessions.iter().enumerate() {
            rows.sessions
                .extend(row.as_ref().map(|(v, record)| (session(slot), *v, record.clone())));
        }
        rows
    }
}

/// Does what is asked of a row, as a store owes it.
pub fn serve<T: Clone>(
    row: &mut Option<(Version, T)>,
    last: &mut Version,
    ask: &Ask<T>,
) -> Reply<T> {
    match ask {
        Ask::Load => Reply::Loaded(row.clone()),
        Ask::Swap { expected, new } => {
            if row.as_ref().map(|(version, _)| *version) != *expected {
                return Reply::Conflict;
            }
            last.0 += 1;
            *row = new.clone().map(|new| (*last, new));
            Reply::Swapped(*last)
        }
    }
}
