//! The timers of a shard's waits and leases: armed with what they limit, disarmed with it, and acted upon
//! when they are due.
//!
//! All of it happens under the shard's lock, with the change that it belongs to: so at any moment the armed
//! timers are exactly those of the bounded waits that are queued and of the holds with a lease (upholds S6),
//! and a timer that is due is that of something which has not ended. It is acted upon in the critical
//! section that finds it, so nothing can end in between (upholds S8).
//!
//! What this file must not do: wait, or ask what time it is.

use std::time::Duration;

use super::common::Common;
use super::drain::Ended;
use super::effects::Effects;
use super::entries::NONE;
use super::table::Table;
use super::timers::{Timer, Timers};
use super::waiter::WaiterState;
use crate::clock::Tick;
use crate::error::{Loss, TimedOut};

impl Table {
    /// Arms the timer of a wait or lease that has none.
    #[inline]
    pub(super) fn arm(&mut self, common: &Common, effects: &mut Effects, at: Tick, timer: Timer) {
        let (timers, moved) = self.timers_and_owners();
        timers.arm(at, timer, moved);
        self.tell_if_needed(common, effects);
    }

    /// Disarms the timer of a wait or lease that has one.
    #[inline]
    pub(super) fn disarm(&mut self, common: &Common, effects: &mut Effects, timer: Timer) {
        self.disarm_untold(timer);
        self.tell_if_needed(common, effects);
    }

    /// As [`disarm`](Self::disarm), where the reaper is told at the end of the action: what comes in its
    /// place may be another timer, and then there is nothing to tell.
    #[inline]
    pub(super) fn disarm_untold(&mut self, timer: Timer) {
        let place = std::mem::replace(self.place_of(timer), NONE);
        let (timers, moved) = self.timers_and_owners();
        timers.disarm(place, moved);
    }

    /// Disarms the timer of a wait, if it has one, where the reaper need not hear of that: others stay armed,
    /// so it comes anyway. `false` if it must hear, or if there is none where one should be; then nothing is
    /// done.
    #[inline(always)]
    pub(super) fn disarm_unheard(&mut self, common: &Common, slot: u32) -> bool {
        self.waiters[slot].timer == NONE || self.disarm_among_others(common, slot)
    }

    #[inline(never)]
    fn disarm_among_others(&mut self, common: &Common, slot: u32) -> bool {
        if self.timers.len() == 1 || common.lacks_reaper() {
            return false;
        }
        self.disarm_untold(Timer::Wait(slot));
        debug_assert!(!self.timers.must_tell(), "the reaper would sleep too long, or for nothing");
        true
    }

    /// Lets the lease of a hold end at another time. Its timer stays armed all along: the reaper must not
    /// think that all is done.
    pub(super) fn renew_lease(
        &mut self,
        common: &Common,
        effects: &mut Effects,
        entry: u32,
        end: Tick,
    ) {
        let place = self.entries[entry].timer;
        let (timers, moved) = self.timers_and_owners();
        timers.renew(place, end, moved);
        self.tell_if_needed(common, effects);
    }

    /// Tells the reaper, if it would otherwise come too late, or sleep for nothing; or if there should be
    /// one, and could not be had.
    #[inline]
    pub(super) fn tell_if_needed(&mut self, common: &Common, effects: &mut Effects) {
        if self.timers.must_tell() || common.lacks_reaper() {
            self.tell(common, effects);
        }
    }

    #[inline(never)]
    fn tell(&mut self, common: &Common, effects: &mut Effects) {
        let first = self.timers.tell();
        common.tell_reaper(self.index(common) as usize, first, effects);
    }

    /// The reaper has come: acts upon the first timer, if it is due. Upon no more than that, since
    /// whoever wants a name here waits meanwhile; for what else is due it comes again. If it has come too
    /// early it may be needed elsewhere first: so all timers are acted upon in the order in which they
    /// are due.
    pub(super) fn elapse(&mut self, common: &Common, effects: &mut Effects, now: Tick) {
        self.heed_shutdown(common, effects);
        if !self.timers.is_told_too_early() {
            match self.timers.due(now) {
                None => {}
                Some(Timer::Wait(slot)) => self.time_out(common, effects, slot),
                Some(Timer::Lease(entry)) => self.lease_elapsed(common, effects, entry),
            }
        }
        if self.timers.is_told_too_early() {
            self.tell(common, effects);
        }
    }

    /// A wait timeout ends: one that the reaper serves, or a blocked thread's own. Only a queued request has
    /// one, so nothing that has been answered is answered again (upholds S8).
    pub(super) fn time_out(&mut self, common: &Common, effects: &mut Effects, slot: u32) {
        let standing = self.standing(slot, common.clock.now());
        let name = self.entries[self.waiters[slot].entry].name.to_name();
        let told = Box::new(TimedOut { name, wait_timeout: Duration::ZERO, standing });
        self.unlink(common, effects, slot);
        self.end_wait(common, slot);
        self.answer(effects, slot, WaiterState::TimedOut(told));
        self.counters.refused_timed_out += 1;
        self.settle(common, effects, self.waiters[slot].entry);
    }

    /// A lease ends, and the hold with it. One that was renewed has the timer of its new end, and one that
    /// was released has none (upholds S8).
    fn lease_elapsed(&mut self, common: &Common, effects: &mut Effects, entry: u32) {
        self.counters.lost_lease_elapsed += 1;
        self.lose(common, effects, entry, Loss::LeaseElapsed, Ended::ByItself);
    }

    /// The timers, and what lets their owners know where they have moved to.
    #[inline]
    fn timers_and_owners(&mut self) -> (&mut Timers, impl FnMut(Timer, u32)) {
        let Self { timers, waiters, entries, .. } = self;
        let moved = |timer, place| match timer {
            Timer::Wait(slot) => waiters[slot].timer = place,
            Timer::Lease(entry) => entries[entry].timer = place,
        };
        (timers, moved)
    }

    #[inline]
    fn place_of(&mut self, timer: Timer) -> &mut u32 {
        match timer {
            Timer::Wait(slot) => &mut self.waiters[slot].timer,
            Timer::Lease(entry) => &mut self.entries[entry].timer,
        }
    }
}
