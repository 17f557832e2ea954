//! Names of a lockspace over a store, as far as the engine is concerned.
//!
//! The engine stands in front of the driver that speaks to the store. A name that somebody here wants and
//! that the store has not granted has an entry like any other, but what holds it is a *placeholder*: the
//! name is **away**. So all that is true of queues is true of it too: whoever wants it waits in line, can be
//! cancelled, timed out and counted, and a thousand who wait here are one at the store.
//!
//! A placeholder has a *wish* in place of a token: a number that is new for each, so that an answer to an
//! earlier wish does nothing (upholds S8). A grant of the store ends the placeholder, and the first waiter
//! holds the name with the token that the store gave. The engine never calls the driver: it leaves it
//! [notices](Notice), in the order in which things have happened, and has it woken after the unlock.
//!
//! Over a store there is one shard: one order of notices, and round trips cost more than any lock.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::take;
use std::task::{Poll, Waker};

use lockspace_spec::{FencingToken, Refusal};

use super::common::Common;
use super::drain::Ended;
use super::effects::Effects;
use super::entries::NONE;
use super::table::Table;
use super::waiter::WaiterState;
use super::{Acquired, Ask, Engine, Patience, TurnedAway};
use crate::clock::Tick;
use crate::error::{Loss, SessionEnd};
use crate::name::LockName;
use crate::store::HeldElsewhere;
use crate::store::record::RecordError;
use crate::sync::Mutex;

/// Which wish for a name. Its top bit is set, which it is in no token: versions of a store have 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wish(u64);

impl Wish {
    const MARK: u64 = 1 << 63;
}

/// Whether what stands in an entry for its token is a wish: whether the name is away.
pub(super) const fn is_wish(token: u64) -> bool {
    token & Wish::MARK != 0
}

/// What the driver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Somebody here wants a name that nobody here held or wanted.
    Want(LockName, Wish),
    /// A hold has ended, and the next one here wants the name.
    PassOn(LockName, Wish),
    /// Nobody here holds or wants the name any more.
    GiveUp(LockName),
    /// A shutdown has begun, and no hold is left.
    Drained,
    /// Nobody has the lockspace any more.
    Gone,
}

/// Where the engine leaves notices for the driver.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Letters>);

#[derive(Default)]
struct Letters {
    notices: Vec<Notice>,
    driver: Option<Waker>,
}

impl Inbox {
    pub(crate) fn put(&self, notice: Notice, effects: &mut Effects) {
        let mut letters = self.0.lock();
        letters.notices.push(notice);
        effects.wake(letters.driver.take());
    }

    /// All notices since the last time; `Pending` if there is none.
    pub(crate) fn poll(&self, driver: &Waker) -> Poll<Vec<Notice>> {
        let mut letters = self.0.lock();
        if letters.notices.is_empty() {
            letters.driver = Some(driver.clone());
            return Poll::Pending;
        }
        Poll::Ready(take(&mut letters.notices))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

/// Why a request was not decided by the protocol, but given up because of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request would not wait, and the store did not answer.
    Unreachable,
    /// The row of the name cannot be read.
    Unreadable(RecordError),
    /// The row of a session that stands before the request cannot be read. Which: its place in the
    /// [list](crate::store::open::Status::unreadable) of them, since it is too large to be carried about.
    UnreadableSession(u32),
}

/// What a shard keeps only over a store.
#[derive(Debug)]
pub(super) struct Away {
    next_wish: u64,
    /// When the session that the holds of this shard belong to stops trusting itself: from then on they
    /// are lost, whether or not anybody has been told. `None` once they have been lost for it, and before
    /// there is a session: nothing that is granted then is a hold. Under the shard's lock like the holds
    /// themselves, so a hold is never judged by the trust of another session than its own.
    trusted_until: Option<Tick>,
    /// Who elsewhere holds what is away, by the wishes for it, as far as the driver has seen it.
    held_elsewhere: BTreeMap<u64, HeldElsewhere>,
}

impl Away {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            next_wish: Wish::MARK,
            trusted_until: None,
            held_elsewhere: BTreeMap::new(),
        })
    }
}

/// What the driver tells. A wish that is not the current one of its name is over, and nothing happens.
impl Engine {
    /// The store has granted the name. Answers whether anybody here still had this wish. A grant that comes
    /// when the session does not trust itself any more is lost at once (upholds S1).
    pub(crate) fn granted(
        &self,
        name: &LockName,
        wish: Wish,
        token: FencingToken,
        effects: &mut Effects,
    ) -> bool {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        let Some(entry) = shard.away(&self.common, name, wish) else { return false };
        shard.forget_elsewhere(wish.0);
        shard.count_next_from(token);
        shard.hand_over(&self.common, effects, entry);
        if shard.away.as_ref().is_some_and(|away| away.trusted_until.is_none()) {
            shard.lose_all(&self.common, effects, SessionEnd::Outage);
        }
        true
    }

    /// The store has shown who elsewhere holds a name that is wanted here.
    pub(crate) fn held_elsewhere(&self, name: &LockName, wish: Wish, by: HeldElsewhere) {
        let mut shard = self.only_shard();
        if shard.away(&self.common, name, wish).is_some() {
            if let Some(away) = &mut shard.away {
                away.held_elsewhere.insert(wish.0, by);
            }
        }
    }

    /// The store has answered a wish, and has not granted it: whoever would not wait is refused.
    pub(crate) fn not_at_once(
        &self,
        name: &LockName,
        wish: Wish,
        why: Result<Refusal, Failure>,
        effects: &mut Effects,
    ) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        if let Some(entry) = shard.away(&self.common, name, wish) {
            shard.refuse_impatient(&self.common, effects, entry, why);
        }
    }

    /// The store cannot be reached at all: nobody who would not wait is kept waiting.
    pub(crate) fn nothing_at_once(&self, effects: &mut Effects) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        for entry in shard.all_away() {
            shard.refuse_impatient(&self.common, effects, entry, Err(Failure::Unreachable));
        }
    }

    /// Nothing can be said of the name: all who wait for it are told why.
    pub(crate) fn unreadable(
        &self,
        name: &LockName,
        wish: Wish,
        why: Failure,
        effects: &mut Effects,
    ) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        if let Some(entry) = shard.away(&self.common, name, wish) {
            shard.fail_waiters(&self.common, effects, entry, why);
        }
    }

    /// Somebody has taken the name from the hold with this token.
    pub(crate) fn taken_away(&self, name: &str, token: FencingToken, effects: &mut Effects) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        let entry = shard.entries.find(name, self.common.hash(name));
        if let Some(entry) = entry.filter(|entry| shard.entries[*entry].token == token.0) {
            shard.counters.lost_forced += 1;
            shard.lose(&self.common, effects, entry, Loss::Forced, Ended::ByItself);
        }
    }

    /// The row of a name cannot be read: if it is held here, nothing says so any more.
    pub(crate) fn hold_unreadable(&self, name: &str, effects: &mut Effects) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        let entry = shard.entries.find(name, self.common.hash(name));
        if let Some(entry) = entry.filter(|entry| !is_wish(shard.entries[*entry].token)) {
            shard.counters.lost_forced += 1;
            shard.lose(&self.common, effects, entry, Loss::Unreadable, Ended::ByItself);
        }
    }

    /// The session trusts itself until then. Holds that were not trusted any more before this are lost,
    /// although the session goes on: their users may have been told (upholds S4).
    pub(crate) fn trust_until(&self, until: Tick, effects: &mut Effects) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        shard.away.as_mut().expect("only over a store").trusted_until = Some(until);
    }

    /// The session has ended, and every hold with it.
    pub(crate) fn session_ended(&self, why: SessionEnd, effects: &mut Effects) {
        let mut shard = self.only_shard();
        shard.heed_shutdown(&self.common, effects);
        shard.lose_all(&self.common, effects, why);
    }

    /// The driver has given everything back, but for so many names, and has ended.
    pub(crate) fn driver_ended(
        &self,
        unreturned: usize,
        session_left: bool,
        effects: &mut Effects,
    ) {
        let mut drain = self.common.drain.lock();
        drain.driver_ended(unreturned, session_left);
        self.common.close_if_drained(&mut drain, effects);
    }

    fn only_shard(&self) -> crate::sync::MutexGuard<'_, Table> {
        self.shards[0].lock()
    }
}

impl Common {
    pub(super) fn notify(&self, notice: Notice, effects: &mut Effects) {
        if let Some(inbox) = &self.inbox {
            inbox.put(notice, effects);
        }
    }
}

impl Table {
    /// Nobody here holds or wants the name: the store is asked, and the request is the first that waits.
    pub(super) fn send_for(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        ask: &Ask<'_>,
        hash: u64,
    ) -> Result<Acquired, TurnedAway> {
        let (waker, wait, impatient) = match ask.patience {
            Patience::No { waker } => (waker.clone(), None, true),
            Patience::Queue { waker, wait } => (waker.clone(), wait, false),
        };
        if !common.reserve_name() {
            effects.retire(Some(waker));
            return Ok(self.at_capacity());
        }
        let entry = self.entries.insert(ask.name, hash);
        let wish = self.new_wish(entry);
        common.notify(Notice::Want(self.entries[entry].name.to_name(), wish), effects);
        self.enqueue(common, effects, ask, entry, (waker, wait, impatient))
    }

    /// A hold has ended that somebody waits for: it is for the store to say who is next.
    pub(super) fn send_on(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        let wish = self.new_wish(entry);
        common.notify(Notice::PassOn(self.entries[entry].name.to_name(), wish), effects);
    }

    /// Somebody has left the queue: a placeholder that nobody waits for goes (upholds S5).
    #[inline(always)]
    pub(super) fn settle(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        if self.away.is_some() {
            self.settle_away(common, effects, entry);
        }
    }

    fn settle_away(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        let token = self.entries[entry].token;
        if is_wish(token) && self.entries[entry].head == NONE {
            self.forget_elsewhere(token);
            self.remove_entry(common, effects, entry);
        }
    }

    /// Who elsewhere holds what there is this wish for, as far as that is known.
    pub(super) fn held_elsewhere(&self, wish: u64) -> Option<&HeldElsewhere> {
        self.away.as_ref()?.held_elsewhere.get(&wish)
    }

    fn forget_elsewhere(&mut self, wish: u64) {
        if let Some(away) = &mut self.away {
            away.held_elsewhere.remove(&wish);
        }
    }

    /// Nothing is known any more of who holds what is away.
    pub(super) fn forget_all_elsewhere(&mut self) {
        if let Some(away) = &mut self.away {
            away.held_elsewhere.clear();
        }
    }

    pub(super) fn all_away(&self) -> Vec<u32> {
        let away = self.entries.iter().filter(|(_, entry)| is_wish(entry.token));
        away.map(|(place, _)| place).collect()
    }

    /// Whether the holds of this shard may be relied upon now (upholds S1).
    pub(super) fn is_trusted(&self, common: &Common) -> bool {
        self.away
            .as_ref()
            .is_none_or(|away| away.trusted_until.is_some_and(|until| common.clock.now() < until))
    }

    /// As [`heed_shutdown`](Self::heed_shutdown), for the end of the session's trust.
    #[cold]
    pub(super) fn heed_trust(&mut self, common: &Common, effects: &mut Effects) {
        let until = self.away.as_ref().and_then(|away| away.trusted_until);
        if until.is_some_and(|until| until <= common.clock.now()) {
            self.lose_all(common, effects, SessionEnd::Outage);
        }
    }

    fn lose_all(&mut self, common: &Common, effects: &mut Effects, why: SessionEnd) {
        if let Some(away) = &mut self.away {
            away.trusted_until = None;
        }
        self.forget_all_elsewhere();
        let held = self.entries.iter().filter(|(_, entry)| !is_wish(entry.token));
        let held: Vec<u32> = held.map(|(place, _)| place).collect();
        for entry in held {
            self.counters.lost_session += 1;
            self.lose(common, effects, entry, Loss::Session(why), Ended::ByItself);
        }
    }

    fn refuse_impatient(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        entry: u32,
        why: Result<Refusal, Failure>,
    ) {
        // Such a request comes first if at all: it is one that found no entry.
        let slot = self.entries[entry].head;
        let head = self.waiters.get(slot).map(|waiter| &waiter.state);
        if matches!(head, Some(WaiterState::Queued { impatient: true, .. })) {
            self.unlink(common, effects, slot);
            self.end_wait(common, slot);
            self.counters.refused_busy += u64::from(why.is_ok());
            let state = why.map_or_else(WaiterState::Failed, WaiterState::Refused);
            self.answer(effects, slot, state);
            self.settle(common, effects, entry);
        }
    }

    fn fail_waiters(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        entry: u32,
        failure: Failure,
    ) {
        while self.entries[entry].head != NONE {
            let slot = self.entries[entry].head;
            self.unlink(common, effects, slot);
            self.end_wait(common, slot);
            self.answer(effects, slot, WaiterState::Failed(failure));
        }
        self.settle(common, effects, entry);
    }

    /// Where the name is, if there is still this wish for it. Once a shutdown is heard of there is none.
    fn away(&self, common: &Common, name: &LockName, wish: Wish) -> Option<u32> {
        let entry = self.entries.find(name.as_str(), common.hash(name.as_str()))?;
        (self.entries[entry].token == wish.0).then_some(entry)
    }

    fn new_wish(&mut self, entry: u32) -> Wish {
        let away = self.away.as_mut().expect("only over a store");
        away.next_wish += 1;
        self.entries[entry].token = away.next_wish;
        Wish(away.next_wish)
    }
}
