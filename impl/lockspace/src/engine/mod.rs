//! The in-process lock table: named entries, wait queues, hand-over, timers and shutdown.
//!
//! The engine is synchronous and knows no runtime. Each method is one action of the protocol: it locks
//! one shard, does the whole action, unlocks, and returns what is left to do ([`Effects`]). Because an
//! action is one critical section, the engine's steps are the specification's steps. Two actions of the
//! protocol concern all names, the beginning of a shutdown and the end of its grace: they take effect when
//! the [`Stage`] changes, because every shard heeds it before it does anything else. To see a grant that was
//! [posted](board) is no step: the hold was made in the step before, and nothing changes but who knows of it.
//!
//! What this module must not do: spawn, sleep, wake under a lock, or call the specification's `step`.
//! It is the part that loom explores (`--cfg lockspace_loom`).

mod away;
mod board;
mod common;
mod drain;
mod effects;
mod elapse;
mod entries;
mod inspect;
mod notes;
mod plainly;
mod rounds;
mod run;
mod standing;
mod stats;
mod table;
mod timers;
mod wait_for;
mod waiter;
mod watchers;

#[cfg(all(test, not(lockspace_shuttle)))]
mod tests;

use std::num::NonZeroU64;
use std::task::{Poll, Waker};
use std::time::Duration;

use lockspace_spec::{FencingToken, Phase, Refusal};

pub use drain::ShutdownReport;
pub use inspect::{
    Audit, Fault, HolderSnapshot, NameSnapshot, Snapshot, WaiterSnapshot, WantedSnapshot,
};
pub use standing::Standing;
pub use stats::{Latency, Stats};

pub(crate) use away::{Failure, Inbox, Notice, Wish};
pub(crate) use common::Setup;
pub(crate) use effects::Effects;

use crate::clock::{Clock, Tick, clamp};
use crate::error::{Loss, TimedOut, Waits};
use crate::name::LockName;
use crate::runtime::Owner;
use crate::sync::{CachePadded, Mutex, MutexGuard};
use away::Away;
use common::{Common, Stage};
use rounds::Stop;
use table::Table;

/// Which hold: a token, and where its entry is. The token alone decides; an entry's place may have been
/// given to another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HoldKey {
    pub(crate) token: FencingToken,
    pub(crate) entry: u32,
}

/// Which waiter: a ticket, and where its slot is. The ticket alone decides; the slot may have been given to
/// another one since it was granted the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WaitKey {
    /// Of two requests of one name, the smaller queued first. It says which shard it is of, as a token does.
    pub(crate) ticket: NonZeroU64,
    pub(crate) slot: u32,
}

/// An acquire, ready to be decided. The name has been checked.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) name: &'a str,
    pub(crate) patience: Patience<'a>,
    /// The length of the lease, in nanoseconds.
    pub(crate) lease: Option<NonZeroU64>,
    pub(crate) label: Option<&'a str>,
    /// Who asks, where deadlocks or self-waits are looked for.
    pub(crate) owner: Option<Owner>,
}

/// What to do if the name is held.
#[derive(Clone, Copy)]
pub(crate) enum Patience<'a> {
    /// Give up at once; over a store, as soon as it has answered once, which wakes this.
    No { waker: &'a Waker },
    /// Queue; wake this when it is answered. `wait`: for so many nanoseconds at most.
    Queue { waker: &'a Waker, wait: Option<u64> },
}

/// How an acquire was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a hold that is thrown away is never released"]
pub(crate) enum Acquired {
    Granted(HoldKey),
    Queued(WaitKey),
    Refused(Refusal),
    /// Refused since its wait timeout ended. How long that was is for whoever asked to fill in.
    TimedOut(Box<TimedOut>),
    /// It was given up because of the store.
    Failed(Failure),
}

/// Why a request that would have to wait was turned away before the protocol was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// The asker itself holds the name: it would wait for itself.
    SelfWait,
    /// It would close this cycle.
    Deadlock(Vec<Waits>),
}

/// How a release was decided. One word, since every release is told so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released {
    Released,
    Lost(Box<Lost>),
}

/// A hold that ended without its guard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) name: LockName,
    pub(crate) why: Loss,
}

/// See the [module](self).
pub(crate) struct Engine {
    common: Common,
    shards: Box<[CachePadded<Mutex<Table>>]>,
}

/// An acquire at the [door](Engine::door) of the shard of its name: however it is decided, that is one
/// step, for which the name is hashed once and the shard locked once.
pub(crate) struct Door<'e> {
    common: &'e Common,
    table: MutexGuard<'e, Table>,
    hash: u64,
}

impl Door<'_> {
    /// Takes the name if it is free, for a request that wants no more than that, where nothing has to be
    /// noted of it. Nearly every acquire is such, so it comes before anything else is put together.
    /// `None` means only that it was not such: [ask](Self::acquire).
    #[inline(always)]
    pub(crate) fn take_free(&mut self, name: &str) -> Option<HoldKey> {
        self.table.take_free(self.common, name, self.hash)
    }

    /// The same for a name that is held: such a request takes a place in its queue. Its wait is not limited
    /// yet: [limit](Self::limit) it, if it is to be.
    #[inline(always)]
    pub(crate) fn take_place(&mut self, name: &str, waker: &Waker) -> Option<WaitKey> {
        self.table.take_place(self.common, name, self.hash, waker)
    }

    /// Limits the wait that has just begun to so many nanoseconds.
    #[inline(always)]
    pub(crate) fn limit(mut self, key: WaitKey, wait: u64, effects: &mut Effects) {
        self.table.limit(self.common, effects, key, wait);
    }

    /// Decides. `ask` is for the name whose door this is.
    pub(crate) fn acquire(
        mut self,
        ask: &Ask<'_>,
        effects: &mut Effects,
    ) -> Result<Acquired, TurnedAway> {
        self.table.acquire(self.common, effects, ask, self.hash)
    }
}

/// A hold that is released, or a queued request that is withdrawn, at the exit of its shard: however that
/// goes, it is one step, for which the shard is locked once. What is answered here is answered after the
/// unlock.
pub(crate) struct Exit<'e> {
    common: &'e Common,
    table: MutexGuard<'e, Table>,
}

impl<'e> Exit<'e> {
    /// Releases a hold, if nothing hangs upon it but its queue. Nearly every hold is such, so this comes
    /// before anything else is put together. Answers whom to wake: the waiter that holds the name now, if
    /// there is one. `Err` means only that it was not such: [release](Self::release) it.
    #[inline(always)]
    pub(crate) fn give_back(mut self, hold: HoldKey) -> Result<Option<Waker>, Self> {
        self.table.give_back(self.common, hold).map_err(|Entangled| self)
    }

    /// Releases a hold.
    pub(crate) fn release(mut self, hold: HoldKey, effects: &mut Effects) -> Released {
        self.table.release(self.common, effects, hold)
    }

    /// Withdraws a request, if it waits and nothing hangs upon that. Its key is spent. Answers the waker that
    /// it had, for which nobody has a use. `Err` means only that it was not such: [cancel](Self::cancel) it.
    #[inline(always)]
    pub(crate) fn leave(mut self, key: WaitKey) -> Result<Waker, Self> {
        self.table.leave(self.common, key).ok_or(self)
    }

    /// Withdraws a queued request, answered or not. Its key is spent.
    pub(crate) fn cancel(mut self, key: WaitKey, effects: &mut Effects) {
        self.table.cancel(self.common, effects, key);
    }
}

/// There is more to an action than a plain way does.
pub(crate) struct Entangled;

/// Acquire and release.
impl Engine {
    pub(crate) fn new(setup: &Setup) -> Self {
        assert!(setup.shards.is_power_of_two(), "the number of shards is a power of two");
        let over_a_store = setup.inbox.is_some();
        assert!(!over_a_store || setup.shards == 1, "over a store there is one shard");
        let table = |index| {
            let mut table = Table::new(index, setup.shards);
            table.away = over_a_store.then(Away::new);
            CachePadded::new(Mutex::new(table))
        };
        Self { common: Common::new(setup), shards: (0..setup.shards).map(table).collect() }
    }

    /// Begins an acquire. Until it is decided, its shard is locked.
    #[inline(always)]
    pub(crate) fn door(&self, name: &str) -> Door<'_> {
        let hash = self.common.hash(name);
        Door { common: &self.common, table: self.shard_of(hash), hash }
    }

    /// The grant that answers a queued request, if it has been [posted](board); its key is then spent. `None`
    /// means only that it was not: [look](Self::poll_wait).
    #[inline(always)]
    pub(crate) fn take_post(&self, key: WaitKey) -> Option<HoldKey> {
        self.common.boards.take(key.ticket)
    }

    /// Whether a queued request has been answered. After an answer its key is spent.
    #[inline(always)]
    pub(crate) fn poll_wait(
        &self,
        key: WaitKey,
        waker: &Waker,
        effects: &mut Effects,
    ) -> Poll<Acquired> {
        self.shard_of_wait(key).poll_wait(&self.common, effects, key, waker)
    }

    /// Begins to withdraw a queued request. Until that is done, its shard is locked.
    #[inline(always)]
    pub(crate) fn exit_of_wait(&self, key: WaitKey) -> Exit<'_> {
        Exit { common: &self.common, table: self.shard_of_wait(key) }
    }

    /// Begins to release a hold. Until that is done, its shard is locked.
    #[inline(always)]
    pub(crate) fn exit_of_hold(&self, hold: HoldKey) -> Exit<'_> {
        Exit { common: &self.common, table: self.shard_of_hold(hold) }
    }

    /// A blocked thread's own wait timeout has ended: it leaves the queue, unless it has been answered,
    /// which then stands.
    pub(crate) fn give_up(&self, key: WaitKey, effects: &mut Effects) {
        self.shard_of_wait(key).give_up(&self.common, effects, key);
    }

    pub(crate) fn renew(
        &self,
        hold: HoldKey,
        lease: Duration,
        effects: &mut Effects,
    ) -> Result<(), (LockName, Loss)> {
        self.shard_of_hold(hold).renew(&self.common, effects, hold, clamp(lease))
    }

    pub(crate) fn force_release(&self, name: &str, effects: &mut Effects) -> Option<FencingToken> {
        let hash = self.common.hash(name);
        self.shard_of(hash).force_release(&self.common, effects, name, hash)
    }

    /// The guard leaves the task or thread that acquired it.
    pub(crate) fn disown(&self, hold: HoldKey) {
        self.shard_of_hold(hold).disown(&self.common, hold);
    }
}

/// Time.
impl Engine {
    /// The reaper makes one stop of its round, and acts upon what is due there. Answers whether there was
    /// one: if not, it is needed nowhere now.
    pub(crate) fn elapse(&self, effects: &mut Effects) -> bool {
        self.elapse_until(self.common.clock.now(), effects)
    }

    fn elapse_until(&self, now: Tick, effects: &mut Effects) -> bool {
        // Asked before the shard is locked, since shards are locked first. What is due there is for the
        // shard to say: by then it may be nothing, or something else.
        let stop = self.common.rounds.lock().due(now, effects);
        match stop {
            None => return false,
            Some(Stop::Shard(shard)) => {
                self.shards[shard].lock().elapse(&self.common, effects, now);
            }
            // It never moves back, so it is due or, if the lockspace has closed, over.
            Some(Stop::Grace) => {
                self.enter(Stage::Revoked, effects);
                self.tell_all_shards(effects);
            }
        }
        true
    }

    /// How long the reaper may sleep; `None`: it must end. See [`rounds::Rounds::sleep_until`].
    pub(crate) fn reaper_sleeps_until(&self, waker: &Waker) -> Option<tokio::time::Instant> {
        let until = self.common.rounds.lock().sleep_until(waker)?;
        Some(self.common.clock.instant(until))
    }

    /// The reaper has ended before its time. Answers whether another one must be started.
    pub(crate) fn reaper_died(&self) -> bool {
        self.common.rounds.lock().reaper_died()
    }

    /// No reaper could be started.
    pub(crate) fn no_reaper(&self) {
        self.common.no_reaper();
    }

    /// The lockspace goes; a reaper that still sleeps must end.
    pub(crate) fn dismiss_reaper(&self, effects: &mut Effects) {
        self.common.rounds.lock().rouse(effects);
    }
}

/// Shutdown.
impl Engine {
    /// Begins to drain, and answers all waiters; a later call can only bring the end of the grace
    /// forward. Without grace everything is revoked before this returns.
    pub(crate) fn shutdown(&self, grace: Duration, effects: &mut Effects) {
        let stage = if grace.is_zero() { Stage::Revoked } else { Stage::Draining };
        let first = self.enter(stage, effects);
        self.tell_all_shards(effects);
        if first {
            let mut drain = self.common.drain.lock();
            drain.all_heard();
            self.common.close_if_drained(&mut drain, effects);
        }
        if !grace.is_zero() {
            let end = self.common.clock.after(clamp(grace));
            self.common.drain.lock().limit(end, &self.common.rounds, effects);
        }
    }

    /// Enters a stage of the shutdown, if it has not come so far. Answers whether it begins with that.
    fn enter(&self, stage: Stage, effects: &mut Effects) -> bool {
        let mut drain = self.common.drain.lock();
        let before = self.common.stage();
        if before == Stage::Open {
            drain.begin(self.common.clock.now());
        }
        self.common.set_stage(before.max(stage));
        if stage == Stage::Revoked {
            drain.end_grace(&self.common.rounds, effects);
        }
        before == Stage::Open
    }

    /// Every shard hears of the stage now, whether or not anything happens in it.
    fn tell_all_shards(&self, effects: &mut Effects) {
        for shard in &self.shards {
            shard.lock().heed_shutdown(&self.common, effects);
        }
    }

    /// Ready with the report once the lockspace is closed.
    pub(crate) fn poll_closed(
        &self,
        id: &mut Option<u64>,
        waker: &Waker,
        effects: &mut Effects,
    ) -> Poll<ShutdownReport> {
        let mut drain = self.common.drain.lock();
        match drain.report() {
            Some(report) => Poll::Ready(report),
            None => {
                drain.watchers().watch((), id, waker, effects);
                Poll::Pending
            }
        }
    }

    pub(crate) fn forget_close_watcher(&self, id: u64, effects: &mut Effects) {
        self.common.drain.lock().watchers().forget((), id, effects);
    }

    pub(crate) fn clock(&self) -> Clock {
        self.common.clock
    }

    pub(crate) fn phase(&self) -> Phase {
        self.common.stage().phase()
    }
}

/// Asking about holds.
impl Engine {
    pub(crate) fn is_held(&self, hold: HoldKey) -> bool {
        let shard = self.shard_of_hold(hold);
        let held = shard.is_held(hold) && shard.is_trusted(&self.common);
        drop(shard);
        held && self.common.stage() < Stage::Revoked
    }

    /// The name of a hold that is current or lost: of one, that is, whose guard still exists.
    pub(crate) fn name_of(&self, hold: HoldKey) -> LockName {
        self.shard_of_hold(hold).name_of(hold)
    }

    /// The hold of `name`, if it is held.
    pub(crate) fn holder_of(&self, name: &str) -> Option<HoldKey> {
        let hash = self.common.hash(name);
        let hold = self.shard_of(hash).holder_of(name, hash);
        hold.filter(|_| self.common.stage() < Stage::Revoked)
    }

    /// Ready once the hold has ended.
    pub(crate) fn poll_ended(
        &self,
        hold: HoldKey,
        id: &mut Option<u64>,
        waker: &Waker,
        effects: &mut Effects,
    ) -> Poll<()> {
        let mut shard = self.shard_of_hold(hold);
        shard.heed_shutdown(&self.common, effects);
        if !shard.is_held(hold) {
            return Poll::Ready(());
        }
        shard.watchers.watch(hold.token.0, id, waker, effects);
        Poll::Pending
    }

    pub(crate) fn forget_watcher(&self, hold: HoldKey, id: u64, effects: &mut Effects) {
        self.shard_of_hold(hold).watchers.forget(hold.token.0, id, effects);
    }

    /// Why a hold, whose guard still exists, was lost; `None` while it is not.
    pub(crate) fn loss_of(&self, hold: HoldKey) -> Option<(LockName, Loss)> {
        let shard = self.shard_of_hold(hold);
        (!shard.is_held(hold)).then(|| shard.lost_hold(hold))
    }
}

/// Which shard.
impl Engine {
    #[inline]
    fn shard_of(&self, hash: u64) -> MutexGuard<'_, Table> {
        self.shards[self.common.shard_of_hash(hash)].lock()
    }

    #[inline]
    fn shard_of_hold(&self, hold: HoldKey) -> MutexGuard<'_, Table> {
        self.shards[self.common.shard_of_token(hold.token.0) as usize].lock()
    }

    #[inline]
    fn shard_of_wait(&self, key: WaitKey) -> MutexGuard<'_, Table> {
        self.shards[self.common.shard_of_token(key.ticket.get()) as usize].lock()
    }
}
