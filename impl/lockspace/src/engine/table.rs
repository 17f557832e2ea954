//! One shard: the entries, holds and waiters of the names that fall into it.
//!
//! Everything here runs under the shard's lock and is plain single-threaded code, but that grants are
//! [posted](super::board): no clock but the one it is handed, no waking, no code of a user (see
//! [`Effects`]). Each action of the protocol is a function of the same name; the moves that they share are
//! those of the specification: [`Table::grant`] is the only place that makes a hold, [`Table::end_hold`] ends
//! one, and [`Table::hand_over`] runs whenever one has ended that somebody waits for. Where an action needs
//! next to nothing of that, it is done [plainly](super::plainly), and comes to the same.
//!
//! Numbered invariants, true whenever the lock is free:
//! 1. A name has an entry exactly while it is held, so there is no "free" entry (upholds S1, S5). Over a
//!    store, that includes names which are [away](super::away): held by a placeholder, and waited for.
//! 2. `names` finds exactly the entries.
//! 3. The queue of an entry is a doubly linked list of exactly its `Queued` waiters (upholds S3, S7).
//! 4. A waiter's slot is its own until its future has seen the answer or is dropped, and only then is it
//!    free. But a grant that is [posted](super::board) frees it at once: so whose key is not that of its slot
//!    any more has a post, and no [`WaitKey`] dangles.
//! 5. The armed timers are exactly those of queued waiters with a bounded wait and of entries with a lease,
//!    each of which knows the place of its own; and the reaper has been told of a time before which none is
//!    due, `NEVER` exactly if there is none (upholds S6, L1, L2).
//! 6. What is left of a hold that was lost is in the place of its entry, or in `lost`, until its guard, or
//!    its unseen grant, is gone.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::task::{Poll, Waker};

use lockspace_spec::{FencingToken, Refusal};

use super::away::{Away, is_wish};
use super::common::{Common, Stage};
use super::drain::Ended;
use super::effects::Effects;
use super::entries::{Entries, NONE};
use super::notes::Detail;
use super::stats::{Counters, Grants};
use super::timers::{Timer, Timers};
use super::wait_for::Spot;
use super::waiter::{Gap, WaiterState, Waiters};
use super::watchers::Watchers;
use super::{Acquired, Ask, HoldKey, Lost, Patience, Released, TurnedAway, WaitKey};
use crate::error::Loss;
use crate::name::LockName;

/// A shard. What every acquire and release writes comes first, up to the first of the entries: two lines of
/// the cache, of which the first has the lock. More would have to follow them to every thread that comes.
#[repr(C)]
pub(super) struct Table {
    /// The token of the next grant. Shards count in steps of their number, each from its own offset, so
    /// no two ever give the same one and nothing is shared (upholds S2).
    next_token: u64,
    pub(super) grants: Grants,
    /// None in a lockspace of one process.
    pub(super) away: Option<Box<Away>>,
    /// What this shard has heard of a shutdown. From `Draining` on the drain counts its holds.
    heard: Stage,
    pub(super) entries: Entries,
    // What everybody comes by who waits, and leaves; then what few do.
    pub(super) waiters: Waiters,
    pub(super) wait_details: BTreeMap<u32, Detail>,
    pub(super) hold_details: BTreeMap<u64, Detail>,
    pub(super) watchers: Watchers<u64>,
    pub(super) counters: Counters,
    pub(super) timers: Timers,
    /// Lost holds whose places others needed.
    lost: BTreeMap<u64, Lost>,
}

/// One function for each action of the protocol.
impl Table {
    pub(super) fn new(index: usize, shards: usize) -> Self {
        Self {
            next_token: (index + shards) as u64,
            grants: Grants::default(),
            away: None,
            heard: Stage::Open,
            entries: Entries::new(),
            waiters: Waiters::new(),
            timers: Timers::new(),
            hold_details: BTreeMap::new(),
            wait_details: BTreeMap::new(),
            lost: BTreeMap::new(),
            watchers: Watchers::new(),
            counters: Counters::default(),
        }
    }

    pub(super) fn acquire(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        ask: &Ask<'_>,
        hash: u64,
    ) -> Result<Acquired, TurnedAway> {
        self.heed_shutdown(common, effects);
        if self.heard > Stage::Open {
            self.counters.refused_shutting_down += 1;
            return Ok(Acquired::Refused(Refusal::ShuttingDown)); // upholds S9
        }
        match self.entries.find(ask.name, hash) {
            None if self.away.is_some() => self.send_for(common, effects, ask, hash),
            None if !common.reserve_name() => Ok(self.at_capacity()),
            None => {
                let entry = self.entries.insert(ask.name, hash);
                let detail = common.detail_of(ask);
                let hold = self.grant_on_terms(common, effects, entry, ask.lease, detail);
                Ok(Acquired::Granted(hold))
            }
            Some(entry) => self.join_queue(common, effects, ask, entry),
        }
    }

    /// The name is held: wait, or be refused.
    fn join_queue(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        ask: &Ask<'_>,
        entry: u32,
    ) -> Result<Acquired, TurnedAway> {
        let Patience::Queue { waker, wait } = ask.patience else {
            self.counters.refused_busy += 1;
            return Ok(Acquired::Refused(Refusal::Busy));
        };
        let held = &self.entries[entry];
        // Of those who wait for a name that is away, the first one is about to hold it.
        let limit = common.waiters_per_name.saturating_add(is_wish(held.token).into());
        if held.queued >= limit {
            return Ok(self.at_capacity());
        }
        // Only what would wait can wait for itself (upholds D1).
        if ask.owner.is_some() && self.owner(held.token) == ask.owner {
            self.counters.refused_self_wait += 1;
            return Err(TurnedAway::SelfWait);
        }
        self.enqueue(common, effects, ask, entry, (waker.clone(), wait, false))
    }

    /// There are as many names or waiters as there may be (upholds S10).
    pub(super) fn at_capacity(&mut self) -> Acquired {
        self.counters.refused_at_capacity += 1;
        Acquired::Refused(Refusal::AtCapacity)
    }

    /// Takes a place at the end of the queue, unless that closes a cycle of waits (upholds D1).
    #[inline(always)]
    pub(super) fn enqueue(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        ask: &Ask<'_>,
        entry: u32,
        (waker, wait, impatient): (Waker, Option<u64>, bool),
    ) -> Result<Acquired, TurnedAway> {
        if let (Some(wait_for), Some(owner)) = (&common.wait_for, ask.owner) {
            if let Err(cycle) = wait_for.lock().wait(owner, self.spot(common, entry)) {
                self.counters.refused_deadlock += 1;
                effects.retire(Some(waker));
                return Err(TurnedAway::Deadlock(cycle));
            }
        }
        let key = self.line_up(common, entry, ask.lease, (waker, impatient));
        if let Some(wait) = wait {
            self.limit(common, effects, key, wait);
        }
        if let Some(detail) = common.detail_of(ask) {
            self.wait_details.insert(key.slot, detail);
        }
        Ok(Acquired::Queued(key))
    }

    /// The future looks whether it has been answered. An answer frees the slot.
    #[inline(always)]
    pub(super) fn poll_wait(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        key: WaitKey,
        waker: &Waker,
    ) -> Poll<Acquired> {
        if !self.waiters.has(key) {
            return Poll::Ready(Acquired::Granted(Self::take_post(common, key)));
        }
        let slot = key.slot;
        let waiter = &mut self.waiters[slot];
        if waiter.is_queued() && !waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            effects.retire(waiter.waker.replace(waker.clone()));
        }
        self.heed_shutdown(common, effects);
        if self.waiters[slot].is_queued() {
            return Poll::Pending;
        }
        Poll::Ready(self.free_waiter(effects, slot).into_answer())
    }

    /// The future is dropped, or a blocked thread gives up: leave the queue, or pass the unseen grant
    /// on (upholds S7). Either way neither slot nor post is its own afterwards.
    pub(super) fn cancel(&mut self, common: &Common, effects: &mut Effects, key: WaitKey) {
        self.heed_shutdown(common, effects);
        if !self.waiters.has(key) {
            return self.cancel_grant(common, effects, Self::take_post(common, key));
        }
        let slot = key.slot;
        match self.waiters[slot].state {
            WaiterState::Queued { .. } => {
                let entry = self.waiters[slot].entry;
                self.unlink(common, effects, slot);
                if !self.wait_details.is_empty() {
                    self.forget_wait(common, slot);
                }
                self.counters.cancelled += 1;
                self.settle(common, effects, entry);
            }
            WaiterState::Granted(hold) => self.cancel_grant(common, effects, hold),
            WaiterState::Refused(_) | WaiterState::TimedOut(_) | WaiterState::Failed(_) => {}
            WaiterState::Vacant => unreachable!("the slot is this waiter's"),
        }
        self.free_waiter(effects, slot);
    }

    /// Nobody has seen the grant, and nobody will.
    fn cancel_grant(&mut self, common: &Common, effects: &mut Effects, hold: HoldKey) {
        let _ = self.release(common, effects, hold);
        self.counters.cancelled += 1;
    }

    /// A blocked thread's own wait timeout ends: it has no timer here. What has been answered in the meantime
    /// stays answered (upholds S8).
    pub(super) fn give_up(&mut self, common: &Common, effects: &mut Effects, key: WaitKey) {
        self.heed_shutdown(common, effects);
        if self.waiters.has(key) && self.waiters[key.slot].is_queued() {
            self.time_out(common, effects, key.slot);
        }
    }

    /// The holder is done. Says `Lost` to one that was overtaken, and forgets that it was.
    #[inline(always)]
    pub(super) fn release(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        hold: HoldKey,
    ) -> Released {
        self.heed_shutdown(common, effects);
        if !self.is_held(hold) {
            return Released::Lost(Box::new(self.forget_lost(hold))); // upholds S8
        }
        self.grants.released += 1;
        self.end_hold(common, effects, hold.entry, Ended::ByItself);
        Released::Released
    }

    #[cold]
    fn forget_lost(&mut self, hold: HoldKey) -> Lost {
        let (name, why) = self.lost_hold(hold);
        if self.lost.remove(&hold.token.0).is_none() {
            self.entries.forget_lost(hold.entry);
        }
        Lost { name, why }
    }

    /// Starts the lease again, with this length. A hold without a lease stays without one.
    pub(super) fn renew(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        hold: HoldKey,
        lease: u64,
    ) -> Result<(), (LockName, Loss)> {
        self.heed_shutdown(common, effects);
        if !self.is_held(hold) {
            return Err(self.lost_hold(hold));
        }
        self.counters.renewed += 1;
        if self.entries[hold.entry].timer != NONE {
            self.renew_lease(common, effects, hold.entry, common.clock.after(lease));
        }
        Ok(())
    }

    /// Takes the name from whoever holds it.
    pub(super) fn force_release(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        name: &str,
        hash: u64,
    ) -> Option<FencingToken> {
        self.heed_shutdown(common, effects);
        let entry = self.held(name, hash)?;
        let token = FencingToken(self.entries[entry].token);
        self.counters.lost_forced += 1;
        self.lose(common, effects, entry, Loss::Forced, Ended::ByItself);
        Some(token)
    }

    /// Hears of a shutdown before anything else is done. So each of its stages begins on all names at
    /// once, at the moment when the stage changes (upholds S9).
    #[inline]
    pub(super) fn heed_shutdown(&mut self, common: &Common, effects: &mut Effects) {
        if !common.is_at(self.heard) {
            self.hear(common, effects, common.stage());
        }
        if self.away.is_some() {
            self.heed_trust(common, effects);
        }
    }

    #[cold]
    fn hear(&mut self, common: &Common, effects: &mut Effects, stage: Stage) {
        let before = std::mem::replace(&mut self.heard, stage);
        let held: Vec<u32> = self.entries.iter().map(|(entry, _)| entry).collect();
        if before == Stage::Open {
            let cancelled =
                held.iter().map(|entry| self.refuse_waiters(common, effects, *entry)).sum();
            for entry in self.all_away() {
                self.remove_entry(common, effects, entry);
            }
            self.forget_all_elsewhere();
            common.drain.lock().count(self.entries.len(), cancelled);
        }
        if stage >= Stage::Revoked {
            let held: Vec<u32> = self.entries.iter().map(|(entry, _)| entry).collect();
            for entry in held {
                self.counters.lost_shutdown += 1;
                self.lose(common, effects, entry, Loss::Shutdown, Ended::Revoked);
            }
        }
    }
}

/// The moves that actions are made of.
impl Table {
    /// Makes a hold of an entry that has none.
    #[inline(always)]
    pub(super) fn grant(&mut self, common: &Common, entry: u32) -> HoldKey {
        let token = self.next_token;
        self.next_token += common.shards as u64;
        self.entries[entry].token = token;
        self.grants.granted += 1;
        HoldKey { token: FencingToken(token), entry }
    }

    /// Makes a hold that has a lease or is noted, if it has or is.
    #[inline(always)]
    fn grant_on_terms(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        entry: u32,
        lease: Option<NonZeroU64>,
        detail: Option<Detail>,
    ) -> HoldKey {
        let hold = self.grant(common, entry);
        if let Some(lease) = lease {
            self.arm(common, effects, common.clock.after(lease.get()), Timer::Lease(entry));
        }
        if let Some(detail) = detail {
            self.note_hold(common, hold, detail);
        }
        hold
    }

    /// Ends a hold that its holder did not release: its guard finds out from what is left of it. That stays
    /// in its place if it can, so that very many that end at once need no memory, which under the lock would
    /// keep others waiting.
    pub(super) fn lose(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        entry: u32,
        why: Loss,
        how: Ended,
    ) {
        let awaited = self.entries[entry].head != NONE;
        if awaited || !self.entries.mark_lost(entry, why) {
            let held = &self.entries[entry];
            self.lost.insert(held.token, Lost { name: held.name.to_name(), why });
        }
        self.end_hold(common, effects, entry, how);
    }

    /// Ends a hold, whatever the reason: once, since its token is nobody's afterwards (upholds S4).
    #[inline(never)]
    fn end_hold(&mut self, common: &Common, effects: &mut Effects, entry: u32, how: Ended) {
        let held = &self.entries[entry];
        let (token, awaited, leased) = (held.token, held.head != NONE, held.timer != NONE);
        if leased {
            self.disarm_untold(Timer::Lease(entry));
        }
        if !self.hold_details.is_empty() {
            self.end_noted_hold(common, token, entry);
        }
        if !self.watchers.is_empty() {
            self.watchers.ended(token, effects);
        }
        if !awaited {
            self.remove_entry(common, effects, entry);
        } else if self.away.is_some() {
            self.send_on(common, effects, entry);
        } else {
            self.hand_over(common, effects, entry);
        }
        if leased {
            self.tell_if_needed(common, effects);
        }
        if self.heard > Stage::Open {
            common.hold_ended(how, effects);
        }
    }

    /// The entry's hold has ended, and somebody waits: the first waiter holds it now (upholds S3, S7).
    pub(super) fn hand_over(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        debug_assert_eq!(self.heard, Stage::Open, "nobody waits once a shutdown is heard of (S9)");
        let head = self.entries[entry].head;
        let lease = self.unlink(common, effects, head);
        let detail = self.end_wait(common, head);
        let hold = self.grant_on_terms(common, effects, entry, lease, detail);
        let ticket = self.waiters[head].ticket;
        match common.boards.place(ticket) {
            Some(place) => {
                place.post(ticket, hold);
                self.wake(effects, head);
                self.waiters.remove(head);
            }
            None => self.answer(effects, head, WaiterState::Granted(hold)),
        }
    }

    /// The grant of a waiter whose slot is not its own any more.
    fn take_post(common: &Common, key: WaitKey) -> HoldKey {
        let posted = common.boards.take(key.ticket);
        posted.expect("only a grant that is posted frees a slot (invariant 4)")
    }

    /// Nobody holds the name and nobody waits for it: nothing is left of it (upholds S5).
    #[inline(always)]
    pub(super) fn remove_entry(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        if !common.plain {
            common.name_left(&self.entries[entry].name, effects);
        }
        self.entries.remove(entry);
    }

    /// Answers a waiter that has left the queue: once, since it leaves only once (upholds S4).
    #[inline(always)]
    pub(super) fn answer(&mut self, effects: &mut Effects, slot: u32, state: WaiterState) {
        self.waiters[slot].state = state;
        self.wake(effects, slot);
    }

    #[inline(always)]
    fn wake(&mut self, effects: &mut Effects, slot: u32) {
        effects.wake(self.waiters[slot].waker.take());
    }

    fn refuse_waiters(&mut self, common: &Common, effects: &mut Effects, entry: u32) -> usize {
        let mut refused = 0;
        while self.entries[entry].head != NONE {
            let slot = self.entries[entry].head;
            self.unlink(common, effects, slot);
            self.end_wait(common, slot);
            self.answer(effects, slot, WaiterState::Refused(Refusal::ShuttingDown));
            refused += 1;
        }
        self.counters.refused_shutting_down += refused as u64;
        refused
    }

    /// Takes a place at the end of the queue.
    #[inline(always)]
    pub(super) fn line_up(
        &mut self,
        common: &Common,
        entry: u32,
        lease: Option<NonZeroU64>,
        (waker, impatient): (Waker, bool),
    ) -> WaitKey {
        self.counters.queued += 1;
        // In steps, as tokens: it says which shard it is of.
        let ticket = self.counters.queued * common.shards as u64 + u64::from(self.index(common));
        let (slot, waiter) = self.waiters.add(ticket);
        waiter.waker = Some(waker);
        waiter.entry = entry;
        waiter.state = WaiterState::Queued { lease, impatient };
        self.push_back(entry, slot);
        WaitKey { ticket: NonZeroU64::new(ticket).expect("counted from one"), slot }
    }

    /// Limits a wait, which has just begun, to so many nanoseconds.
    #[inline(always)]
    pub(super) fn limit(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        key: WaitKey,
        wait: u64,
    ) {
        self.arm(common, effects, common.clock.after(wait), Timer::Wait(key.slot));
    }

    #[inline(always)]
    fn push_back(&mut self, entry: u32, slot: u32) {
        let held = &mut self.entries[entry];
        let last = std::mem::replace(&mut held.tail, slot);
        held.queued += 1;
        if last == NONE {
            held.head = slot;
        } else {
            self.waiters[last].next = slot;
            self.waiters[slot].previous = last;
        }
    }

    /// Takes a waiter out of its queue, wherever it stands, and disarms its timer. Answers the length
    /// of the lease that it wanted.
    #[inline(always)]
    pub(super) fn unlink(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        slot: u32,
    ) -> Option<NonZeroU64> {
        let waiter = &self.waiters[slot];
        let timed = waiter.timer != NONE;
        let WaiterState::Queued { lease, .. } = waiter.state else {
            unreachable!("only queued waiters are linked (invariant 3)")
        };
        let gap = self.waiters.unlink(slot);
        self.close(gap);
        if timed {
            self.disarm(common, effects, Timer::Wait(slot));
        }
        lease
    }

    /// Somebody has left the queue of an entry.
    #[inline(always)]
    pub(super) fn close(&mut self, Gap { entry, previous, next }: Gap) {
        let held = &mut self.entries[entry];
        held.queued -= 1;
        if previous == NONE {
            held.head = next;
        }
        if next == NONE {
            held.tail = previous;
        }
    }

    /// The future is done with the slot. Answers in which state it was.
    #[inline(always)]
    fn free_waiter(&mut self, effects: &mut Effects, slot: u32) -> WaiterState {
        effects.retire(self.waiters[slot].waker.take());
        self.waiters.remove(slot)
    }
}

/// Looking things up.
impl Table {
    pub(super) fn is_held(&self, hold: HoldKey) -> bool {
        self.entries.has_token(hold.entry, hold.token.0)
    }

    /// Why and of what name a hold was lost that is no longer held.
    pub(super) fn lost_hold(&self, hold: HoldKey) -> (LockName, Loss) {
        if let Some((name, why)) = self.entries.lost(hold.entry, hold.token.0) {
            return (name.to_name(), why);
        }
        let lost = self.lost.get(&hold.token.0);
        let lost = lost.expect("a guard's hold is held or lost (invariant 6)");
        (lost.name.clone(), lost.why)
    }

    pub(super) fn count_lost(&self) -> usize {
        self.lost.len() + self.entries.count_lost()
    }

    pub(super) fn name_of(&self, hold: HoldKey) -> LockName {
        match self.entries.get(hold.entry) {
            Some(held) if held.token == hold.token.0 => held.name.to_name(),
            _ => self.lost_hold(hold).0,
        }
    }

    pub(super) fn holder_of(&self, name: &str, hash: u64) -> Option<HoldKey> {
        let entry = self.held(name, hash)?;
        let token = FencingToken(self.entries[entry].token);
        Some(HoldKey { token, entry })
    }

    /// Where the entry of `name` is, if it is held here.
    fn held(&self, name: &str, hash: u64) -> Option<u32> {
        let entry = self.entries.find(name, hash)?;
        (!is_wish(self.entries[entry].token)).then_some(entry)
    }

    /// The next grant has this token: the store has said so.
    pub(super) fn count_next_from(&mut self, token: FencingToken) {
        self.next_token = token.0;
    }

    pub(super) fn spot(&self, common: &Common, entry: u32) -> Spot {
        Spot { shard: self.index(common), entry }
    }

    pub(super) fn index(&self, common: &Common) -> u32 {
        common.shard_of_token(self.next_token)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::{Entries, Table};

    #[test]
    fn what_every_acquire_and_release_writes_lies_in_two_lines_of_the_cache() {
        let lock = size_of::<u64>();
        assert!(lock + offset_of!(Table, entries) + Entries::FIRST_ENDS <= 2 * 64);
    }
}
