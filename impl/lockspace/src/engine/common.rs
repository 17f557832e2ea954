//! What all shards of a lockspace share, and the [boards](super::board), of which each has its own. Read by
//! everybody, written by nobody on the way of an ordinary acquire and release of a free name: what is
//! counted here is counted only where a user asked for a limit, and what is locked here is locked only for
//! a shutdown, and by timers that the reaper must be told of.

use std::hash::{BuildHasher, Hasher as _};

use lockspace_spec::Phase;

use super::Ask;
use super::away::{Inbox, Notice};
use super::board::Boards;
use super::drain::{Drain, Ended};
use super::effects::Effects;
use super::notes::Detail;
use super::rounds::Rounds;
use super::wait_for::WaitFor;
use crate::clock::{Clock, Tick};
use crate::name::KeptName;
use crate::sync::{Arc, AtomicBool, AtomicU8, AtomicUsize, Mutex, Ordering};

/// The seeded hash of names.
#[cfg(not(any(lockspace_loom, lockspace_shuttle)))]
pub(crate) type Hasher = foldhash::fast::RandomState;
/// Loom and shuttle must find the same names in the same shards in every execution.
#[cfg(any(lockspace_loom, lockspace_shuttle))]
pub(crate) type Hasher = foldhash::fast::FixedState;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// How many shards; a power of two.
    pub(crate) shards: usize,
    pub(crate) max_names: Option<usize>,
    pub(crate) max_waiters_per_name: Option<u32>,
    /// Whether holds are timed.
    pub(crate) timing: bool,
    /// Whether requests that would close a cycle of waits are turned away.
    pub(crate) detect_deadlocks: bool,
    /// Where the driver of a store reads; none in a lockspace of one process.
    pub(crate) inbox: Option<Arc<Inbox>>,
}

/// Where a lockspace is in its life. What a stage says is true of all names at once, from the moment
/// when the stage changes: a shard that has not heard of it hears of it before it does anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Requests are granted.
    Open,
    /// Nothing is granted and nobody waits; holders may finish.
    Draining,
    /// The grace is over: nobody holds anything either.
    Revoked,
    /// And everybody concerned has been told.
    Closed,
}

impl Stage {
    /// The word of the protocol for it, which knows of no time between revoked and closed.
    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Open => Phase::Open,
            Self::Draining | Self::Revoked => Phase::Draining,
            Self::Closed => Phase::Closed,
        }
    }
}

/// Locks are taken in this order, and none is held while an earlier one is taken: one shard, then
/// `wait_for`, then `drain`, then `rounds`. (The audit locks all shards, in the order of their index.)
pub(crate) struct Common {
    pub(crate) shards: usize,
    pub(crate) hasher: Hasher,
    pub(super) boards: Boards,
    pub(crate) clock: Clock,
    /// None where deadlocks are not looked for.
    pub(super) wait_for: Option<Box<Mutex<WaitFor>>>,
    pub(crate) drain: Mutex<Drain>,
    pub(crate) rounds: Mutex<Rounds>,
    pub(crate) waiters_per_name: u32,
    pub(crate) timing: bool,
    /// Whether a grant is noted nowhere but in its entry: nothing is timed, no names are counted, and there
    /// is no store.
    pub(crate) plain: bool,
    pub(super) inbox: Option<Arc<Inbox>>,
    /// Whether a reaper should have been started, and could not. Written under `rounds`; a hint, which
    /// orders nothing, so all accesses are relaxed.
    lacks_reaper: AtomicBool,
    max_names: Option<usize>,
    /// Names in use; counted only where `max_names` limits them. A plain counter: it orders nothing,
    /// and no other memory is read because of it, so all accesses are relaxed.
    names: AtomicUsize,
    /// A [`Stage`], as a number that only grows. Written under `drain`, with Release; read by every
    /// action first of all, under its shard's lock, with Acquire, so that whoever heeds a shutdown sees
    /// the `drain` that it has prepared.
    ///
    /// An action that read an earlier stage is older than the change, whatever it does afterwards: the
    /// shutdown, which goes through its shard later, counts the hold that it may have made.
    stage: AtomicU8,
}

impl Common {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            shards: setup.shards,
            hasher: Hasher::default(),
            boards: Boards::new(setup.shards),
            clock: Clock::start(),
            wait_for: setup.detect_deadlocks.then(Box::default),
            drain: Mutex::new(Drain::new(setup.inbox.is_some())),
            rounds: Mutex::new(Rounds::new(setup.shards)),
            waiters_per_name: setup.max_waiters_per_name.unwrap_or(u32::MAX),
            timing: setup.timing,
            plain: !setup.timing && setup.max_names.is_none() && setup.inbox.is_none(),
            inbox: setup.inbox.clone(),
            lacks_reaper: AtomicBool::new(false),
            max_names: setup.max_names,
            names: AtomicUsize::new(0),
            stage: AtomicU8::new(Stage::Open as u8),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, name: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name.as_bytes());
        hasher.finish()
    }

    pub(super) fn shard_of_hash(&self, hash: u64) -> usize {
        // The top seven bits and the lowest ones choose the bucket inside a shard; these do not.
        (hash >> 32) as usize & (self.shards - 1)
    }

    pub(super) fn shard_of_token(&self, token: u64) -> u32 {
        (token as usize & (self.shards - 1)) as u32
    }

    #[inline]
    pub(super) fn stage(&self) -> Stage {
        // Acquire: pairs with the Release in `set_stage`.
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Open,
            1 => Stage::Draining,
            2 => Stage::Revoked,
            _ => Stage::Closed,
        }
    }

    /// Whether the stage is this one. As [`stage`](Self::stage), for the way of every action.
    #[inline]
    pub(super) fn is_at(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Acquire) == stage as u8
    }

    /// Moves on. Only under the lock of `drain`.
    pub(super) fn set_stage(&self, stage: Stage) {
        // Release: pairs with the Acquires in `stage` and `is_at`.
        self.stage.store(stage as u8, Ordering::Release);
    }

    #[inline]
    pub(super) fn lacks_reaper(&self) -> bool {
        self.lacks_reaper.load(Ordering::Relaxed)
    }

    /// No reaper could be started; whoever arms a timer next tries again.
    pub(super) fn no_reaper(&self) {
        let mut rounds = self.rounds.lock();
        rounds.no_reaper();
        self.lacks_reaper.store(true, Ordering::Relaxed);
    }

    /// The first timer of a shard is due then; never, if it has none.
    pub(super) fn tell_reaper(&self, shard: usize, first: Tick, effects: &mut Effects) {
        let mut rounds = self.rounds.lock();
        rounds.tell(shard, first, effects);
        if self.lacks_reaper() && rounds.has_reaper() {
            self.lacks_reaper.store(false, Ordering::Relaxed);
        }
    }

    /// Counts a name in, if the limit allows (upholds S10).
    pub(super) fn reserve_name(&self) -> bool {
        let Some(max) = self.max_names else {
            return true;
        };
        let one_more = |names| (names < max).then_some(names + 1);
        self.names.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// A name has no entry any more, in a lockspace where that is noted.
    #[cold]
    pub(super) fn name_left(&self, name: &KeptName, effects: &mut Effects) {
        if self.max_names.is_some() {
            self.names.fetch_sub(1, Ordering::Relaxed);
        }
        if self.inbox.is_some() {
            self.notify(Notice::GiveUp(name.to_name()), effects);
        }
    }

    /// A hold of a shard that has heard of the shutdown has ended; the last one closes the lockspace
    /// (upholds S9).
    pub(super) fn hold_ended(&self, how: Ended, effects: &mut Effects) {
        let mut drain = self.drain.lock();
        drain.hold_ended(how);
        self.close_if_drained(&mut drain, effects);
    }

    pub(super) fn close_if_drained(&self, drain: &mut Drain, effects: &mut Effects) {
        if drain.close_if_drained(self.clock.now(), &self.rounds, effects) {
            self.set_stage(Stage::Closed);
        }
        if drain.is_for_the_driver_to_close() {
            self.notify(Notice::Drained, effects);
        }
    }

    /// What the hold or wait of `ask` carries beyond the ordinary, if anything.
    #[inline]
    pub(super) fn detail_of(&self, ask: &Ask<'_>) -> Option<Detail> {
        let ordinary = ask.label.is_none() && ask.owner.is_none() && !self.timing;
        if ordinary { None } else { Some(self.extraordinary(ask)) }
    }

    #[cold]
    fn extraordinary(&self, ask: &Ask<'_>) -> Detail {
        Detail {
            label: ask.label.map(Box::from),
            since: self.timing.then(|| self.clock.now()),
            owner: ask.owner,
        }
    }
}
