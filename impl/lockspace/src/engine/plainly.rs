//! The plain ways to acquire, to release and to cancel: where nothing is concerned but the name, its hold and
//! its queue. Nearly all are such, so they are tried before anything else is put together.
//!
//! A plain way does the same, in the same critical section, as the action of [`Table`] that it stands for, or
//! it does nothing and says so; then the action does it. What it must know for that it asks first: that no
//! shutdown has begun, that nothing is noted of any hold or wait of the shard, that the reaper has nothing to
//! hear. So it has no [effects](super::effects) but one waker, which it answers. What it upholds is what the
//! action upholds, by the same moves.
//!
//! What this file must not do: read a clock, lock anything, or know what the general way is like.

use std::task::Waker;

use super::common::{Common, Stage};
use super::entries::NONE;
use super::table::Table;
use super::waiter::WaiterState;
use super::{Entangled, HoldKey, WaitKey};

impl Table {
    /// An acquire of a free name that has no consequences but the hold (upholds S1, S2); `None` if it were
    /// not that.
    #[inline(always)]
    pub(super) fn take_free(&mut self, common: &Common, name: &str, hash: u64) -> Option<HoldKey> {
        if !common.is_at(Stage::Open) || !common.plain || self.entries.has_hash(hash) {
            return None;
        }
        let entry = self.entries.insert(name, hash);
        Some(self.grant(common, entry))
    }

    /// The same of a held name: a place at the end of its queue, and nothing that would be noted of it
    /// (upholds S3).
    #[inline(always)]
    pub(super) fn take_place(
        &mut self,
        common: &Common,
        name: &str,
        hash: u64,
        waker: &Waker,
    ) -> Option<WaitKey> {
        if !common.is_at(Stage::Open) || !common.plain {
            return None;
        }
        let entry = self.entries.find(name, hash)?;
        if self.entries[entry].queued >= common.waiters_per_name {
            return None;
        }
        Some(self.line_up(common, entry, None, (waker.clone(), false)))
    }

    /// The future is dropped of a request that waits, without a timer: it leaves the queue, and its slot is
    /// free (upholds S5). Answers its waker; `None` if it were not that.
    #[inline(always)]
    pub(super) fn leave(&mut self, common: &Common, key: WaitKey) -> Option<Waker> {
        let plain = common.is_at(Stage::Open) && common.plain && self.wait_details.is_empty();
        if !plain || !self.waiters.has(key) {
            return None;
        }
        let waiter = &self.waiters[key.slot];
        if !waiter.is_queued() || waiter.timer != NONE {
            return None;
        }
        let (gap, waker) = self.waiters.withdraw(key.slot);
        self.close(gap);
        self.counters.cancelled += 1;
        Some(waker)
    }

    /// A release that has no consequences but that the name is free (upholds S5), or the first waiter's. Of
    /// a hold that was lost it knows nothing (upholds S8).
    #[inline(always)]
    pub(super) fn give_back(
        &mut self,
        common: &Common,
        hold: HoldKey,
    ) -> Result<Option<Waker>, Entangled> {
        let plain = common.is_at(Stage::Open)
            && common.plain
            && self.is_held(hold)
            && self.hold_details.is_empty()
            && self.watchers.is_empty();
        if !plain {
            return Err(Entangled);
        }
        let held = &self.entries[hold.entry];
        if held.timer != NONE {
            return Err(Entangled);
        }
        if held.head != NONE {
            return self.hand_on(common, hold.entry).map(Some).ok_or(Entangled);
        }
        self.grants.released += 1;
        self.entries.remove(hold.entry);
        Ok(None)
    }

    /// The hold ends, and the first waiter holds the name now (upholds S3, S7), if it wants no lease, and its
    /// grant can be posted. Answers its waker; `None` if it were not that.
    #[inline(always)]
    fn hand_on(&mut self, common: &Common, entry: u32) -> Option<Waker> {
        let head = self.entries[entry].head;
        let waiter = &self.waiters[head];
        let WaiterState::Queued { lease: None, .. } = waiter.state else { return None };
        let ticket = waiter.ticket;
        let place = common.boards.place(ticket).filter(|_| self.wait_details.is_empty())?;
        if !self.disarm_unheard(common, head) {
            return None;
        }
        let (gap, waker) = self.waiters.withdraw(head);
        self.close(gap);
        self.grants.released += 1;
        place.post(ticket, self.grant(common, entry));
        Some(waker)
    }
}
