//! Looking inside: [`Snapshot`] shows holders and queues, [`Audit`] recounts everything and names what
//! is out of place.
//!
//! What this file must not do: change anything.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use lockspace_spec::{FencingToken, Phase};

use super::away::is_wish;
use super::common::{Common, Stage};
use super::entries::{Entry, NONE};
use super::notes::Detail;
use super::rounds::Rounds;
use super::table::Table;
use super::timers::Timer;
use super::wait_for::{Held, WaitFor};
use super::waiter::{Waiter, WaiterState};
use super::{Engine, Stats};
use crate::clock::Tick;
use crate::name::LockName;
use crate::sync::MutexGuard;

/// Who holds and who waits. See [`LockSpace::snapshot`](crate::LockSpace::snapshot).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Where the lockspace is in its life.
    pub phase: Phase,
    /// Every name that is held here, in alphabetical order.
    pub names: Vec<NameSnapshot>,
    /// Over a store: every name that somebody here wants and that the store has not granted, in
    /// alphabetical order.
    pub wanted: Vec<WantedSnapshot>,
}

/// A name that is wanted here, and held elsewhere or not known to be free.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WantedSnapshot {
    /// The name.
    pub name: LockName,
    /// Who waits for it here, in the order in which they will be granted.
    pub waiters: Vec<WaiterSnapshot>,
}

/// A name in use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameSnapshot {
    /// The name.
    pub name: LockName,
    /// Who holds it.
    pub holder: HolderSnapshot,
    /// Who waits for it, in the order in which they will be granted.
    pub waiters: Vec<WaiterSnapshot>,
}

/// The holder of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HolderSnapshot {
    /// The token of the grant.
    pub token: FencingToken,
    /// What the acquire was labelled with.
    pub label: Option<String>,
    /// How long it has been held, where [timing](crate::Builder::timing) is switched on.
    pub held_for: Option<Duration>,
    /// What is left of its lease, if it has one.
    pub lease_left: Option<Duration>,
    /// Where in the code it was acquired: in a [snapshot](crate::LockSpace::snapshot) of a lockspace with
    /// traces (feature `tracing`), unless it was acquired by a critical section.
    pub acquired_at: Option<&'static Location<'static>>,
}

/// Somebody who waits for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaiterSnapshot {
    /// What the acquire was labelled with.
    pub label: Option<String>,
    /// How long it has waited, where [timing](crate::Builder::timing) is switched on.
    pub waiting_for: Option<Duration>,
    /// What is left of its wait timeout; `None` if it has none, or blocks a thread, which then keeps
    /// the time itself.
    pub wait_left: Option<Duration>,
}

impl fmt::Display for HolderSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, label, held_for, lease_left, acquired_at } = self;
        let label = label.as_deref().unwrap_or("somebody without a label");
        write!(f, "held by {label} under token {token}")?;
        held_for.map_or(Ok(()), |held| write!(f, " for {held:?}"))?;
        lease_left.map_or(Ok(()), |left| write!(f, ", with {left:?} left of its lease"))?;
        acquired_at.map_or(Ok(()), |place| write!(f, ", acquired at {place}"))
    }
}

/// A recount of everything. See [`LockSpace::audit`](crate::LockSpace::audit).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Names in use, each held by one holder.
    pub held: usize,
    /// Over a store: names that somebody here wants and that the store has not granted.
    pub away: usize,
    /// Requests in a queue.
    pub waiting: usize,
    /// Requests that have been answered, but whose future has not looked yet.
    pub unseen: usize,
    /// Holds that were lost and whose guards still exist.
    pub lost: usize,
    /// Futures that wait for the end of a hold without wanting it.
    pub watching: usize,
    /// Armed timers: bounded waits, leases and the grace of a shutdown.
    pub timers: usize,
    /// Whether a task or thread serves the timers.
    pub reaper: bool,
    /// Everything that is out of place. Not empty means a defect of lockspace: please report it.
    pub faults: Vec<Fault>,
}

/// Something that is out of place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A hold or waiter that needs a timer has none (S6).
    TimerMissing(String),
    /// A timer is armed for nothing (S6).
    TimerStray(String),
    /// The timers of a shard are not in order, or the reaper has been told something else of the first of
    /// them (S6, L1, L2).
    TimersBroken(String),
    /// A queue's links or its length disagree (S3, S7).
    QueueBroken(LockName),
    /// A waiter stands in no queue (S5).
    WaiterStray(String),
    /// An entry cannot be found by its name, or a name finds no entry (S5).
    IndexBroken(String),
    /// A detail or a watcher outlived its hold (S5).
    DetailStray(FencingToken),
    /// Timers are armed, and nobody serves them (L1, L2).
    ReaperMissing,
    /// The counters disagree with the holds (S4).
    CountersOff {
        /// How many names are held.
        held: usize,
        /// How many the counters say.
        counted: u64,
    },
    /// More names or waiters than the limits allow (S10).
    OverLimit(LockName),
    /// Somebody who holds or waits is not known where deadlocks are looked for (D1).
    OwnerMissing(String),
    /// Somebody is thought to hold or to wait who does not (D1).
    OwnerStray(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimerMissing(what) => write!(f, "no timer is armed for {what}"),
            Self::TimerStray(what) => write!(f, "a timer is armed for nothing: {what}"),
            Self::TimersBroken(what) => write!(f, "the timers do not hang together: {what}"),
            Self::QueueBroken(name) => write!(f, "the queue of {name:?} does not hang together"),
            Self::WaiterStray(what) => write!(f, "a waiter stands in no queue: {what}"),
            Self::IndexBroken(what) => write!(f, "the index and the entries disagree: {what}"),
            Self::DetailStray(token) => write!(f, "something outlived the hold with token {token}"),
            Self::ReaperMissing => f.write_str("timers are armed, and no reaper serves them"),
            Self::CountersOff { held, counted } => {
                write!(f, "{held} names are held, and the counters say {counted}")
            }
            Self::OverLimit(name) => write!(f, "more waiters than allowed for {name:?}"),
            Self::OwnerMissing(what) => write!(f, "who waits for whom has been missed: {what}"),
            Self::OwnerStray(what) => write!(f, "nobody waits or holds like that: {what}"),
        }
    }
}

/// How much there is of everything, counted without looking at any of it.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Census {
    /// Names that are held here.
    pub(crate) held: usize,
    /// Requests that have queued and whose future has not seen an answer.
    pub(crate) waiters: usize,
    /// Armed timers.
    pub(crate) timers: usize,
}

impl Audit {
    /// Whether nothing is left: no holder, waiter, unseen answer, lost hold, watcher, timer or reaper,
    /// and nothing out of place.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing is out of place.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, away, waiting, unseen, lost, watching, timers, reaper, faults } = self;
        write!(f, "{held} held, ")?;
        if *away > 0 {
            write!(f, "{away} away, ")?;
        }
        write!(f, "{waiting} waiting, {unseen} unseen answers, {lost} lost holds, ")?;
        write!(f, "{watching} watching, {timers} timers, reaper: {reaper}")?;
        faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl Engine {
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for shard in &self.shards {
            let shard = shard.lock();
            stats.add(&shard.grants, &shard.counters);
        }
        stats
    }

    /// How much there is of everything, one shard after the other.
    #[cfg(feature = "metrics")]
    pub(crate) fn census(&self) -> Census {
        let grace_end = self.common.rounds.lock().grace_end();
        let timers = usize::from(grace_end < Tick::NEVER);
        let mut census = Census { timers, ..Census::default() };
        for (index, shard) in self.shards.iter().enumerate() {
            let shard = shard.lock();
            census.held += shard.entries.len() - shard.all_away().len();
            census.waiters += shard.waiters.len() + self.common.boards.posted(index);
            census.timers += shard.timers.len();
        }
        census
    }

    /// Each shard is shown as it is at one moment, the shards one after the other.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (mut names, mut wanted) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            let shard = shard.lock();
            let now = self.common.clock.now();
            for (_, entry) in shard.entries.iter() {
                if is_wish(entry.token) {
                    let waiters = shard.show_waiters(entry, now);
                    wanted.push(WantedSnapshot { name: entry.name.to_name(), waiters });
                } else {
                    names.push(shard.show(entry, now));
                }
            }
        }
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        wanted.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot { phase: self.common.stage().phase(), names, wanted }
    }

    /// Recounts everything at one moment: all shards are locked, in order, while it counts.
    pub(crate) fn audit(&self) -> Audit {
        let shards: Vec<MutexGuard<'_, Table>> =
            self.shards.iter().map(|shard| shard.lock()).collect();
        let wait_for = self.common.wait_for.as_ref().map(|graph| graph.lock());
        let drain = self.common.drain.lock();
        let rounds = self.common.rounds.lock();

        let mut audit = Audit { reaper: rounds.has_reaper(), ..Audit::default() };
        let mut ended = 0;
        for (index, shard) in shards.iter().enumerate() {
            shard.recount(self.common.waiters_per_name, &mut audit);
            shard.check_timers(index, &rounds, &mut audit);
            audit.unseen += self.common.boards.posted(index);
            // Each grant ends once, released or lost (S4).
            ended += shard.grants.released + shard.counters.lost();
        }
        if let Some(graph) = wait_for {
            let mut recounted = WaitFor::default();
            shards.iter().for_each(|shard| shard.recount_owners(&self.common, &mut recounted));
            let stray = graph.beyond(&recounted).into_iter();
            audit.faults.extend(stray.map(Fault::OwnerStray));
            let missing = recounted.beyond(&graph).into_iter();
            audit.faults.extend(missing.map(Fault::OwnerMissing));
        }
        audit.watching += drain.watching();
        self.check_grace(drain.grace_end(), rounds.grace_end(), &mut audit);
        if audit.timers > 0 && !audit.reaper {
            audit.faults.push(Fault::ReaperMissing);
        }
        let granted: u64 = shards.iter().map(|shard| shard.grants.granted).sum();
        if granted - ended != audit.held as u64 {
            audit.faults.push(Fault::CountersOff { held: audit.held, counted: granted - ended });
        }
        audit
    }

    /// The grace is the one timer that is of no shard.
    fn check_grace(&self, needed: Tick, armed: Tick, audit: &mut Audit) {
        audit.timers += usize::from(armed < Tick::NEVER);
        if armed > needed {
            audit.faults.push(Fault::TimerMissing("the end of the grace".into()));
        }
        let is_over = self.common.stage() >= Stage::Revoked;
        if armed < needed || is_over && armed < Tick::NEVER {
            audit.faults.push(Fault::TimerStray("the end of a grace".into()));
        }
    }
}

impl Table {
    fn show(&self, entry: &Entry, now: Tick) -> NameSnapshot {
        let holder = self.show_holder(entry, now);
        let waiters = self.show_waiters(entry, now);
        NameSnapshot { name: entry.name.to_name(), holder, waiters }
    }

    fn show_waiters(&self, entry: &Entry, now: Tick) -> Vec<WaiterSnapshot> {
        let waiters = self.queue(entry).map(|(slot, waiter)| WaiterSnapshot {
            label: self.wait_details.get(&slot).and_then(label),
            waiting_for: age(self.wait_details.get(&slot), now),
            wait_left: left(self.timers.at(waiter.timer), now),
        });
        waiters.collect()
    }

    pub(super) fn show_holder(&self, entry: &Entry, now: Tick) -> HolderSnapshot {
        let detail = self.hold_details.get(&entry.token);
        HolderSnapshot {
            token: FencingToken(entry.token),
            label: detail.and_then(label),
            held_for: age(detail, now),
            lease_left: left(self.timers.at(entry.timer), now),
            acquired_at: None,
        }
    }

    /// The queue of an entry, from its head, following no more links than there are waiters.
    fn queue(&self, entry: &Entry) -> impl Iterator<Item = (u32, &Waiter)> {
        let at = |slot: u32| self.waiters.get(slot).map(|waiter| (slot, waiter));
        std::iter::successors(at(entry.head), move |(_, waiter)| at(waiter.next))
            .take(self.waiters.len())
    }

    /// Counts this shard into `audit`.
    fn recount(&self, waiters_per_name: u32, audit: &mut Audit) {
        let away = self.all_away().len();
        audit.away += away;
        audit.held += self.entries.len() - away;
        audit.lost += self.count_lost();
        audit.watching += self.watchers.len();
        audit.timers += self.timers.len();
        for (_, waiter) in self.waiters.iter() {
            match waiter.state {
                WaiterState::Queued { .. } => audit.waiting += 1,
                _ => audit.unseen += 1,
            }
        }
        for (_, held) in self.entries.iter() {
            let limit = waiters_per_name.saturating_add(is_wish(held.token).into());
            if held.queued > limit {
                audit.faults.push(Fault::OverLimit(held.name.to_name()));
            }
        }
        self.check_index(audit);
        self.check_queues(audit);
        self.check_details(audit);
    }

    /// Counts the owners of this shard's holds and waiters into a wait-for graph.
    fn recount_owners(&self, common: &Common, graph: &mut WaitFor) {
        for (entry, held) in self.entries.iter() {
            let spot = self.spot(common, entry);
            if let Some(detail) = self.hold_details.get(&held.token) {
                if let Some(owner) = detail.owner {
                    let (name, label) = (held.name.clone(), detail.label.clone());
                    graph.hold(spot, Held { owner, name, label });
                }
            }
            let owners =
                self.queue(held).filter_map(|(slot, _)| self.wait_details.get(&slot)?.owner);
            owners.for_each(|owner| graph.count_wait(owner, spot));
        }
    }

    /// Invariants 1 and 2.
    fn check_index(&self, audit: &mut Audit) {
        audit.faults.extend(self.entries.disagreements().map(Fault::IndexBroken));
    }

    /// Invariant 5: each timer stands where its owner says, they are in order, and the reaper has been told.
    fn check_timers(&self, index: usize, rounds: &Rounds, audit: &mut Audit) {
        let armed: BTreeSet<(u32, Timer)> =
            self.timers.iter().map(|(place, _, timer)| (place, timer)).collect();
        let needed = self.needed_timers();
        let told = |(place, timer): &(u32, Timer)| format!("{timer:?} at {place} in shard {index}");
        let missing = needed.difference(&armed).map(told);
        audit.faults.extend(missing.map(Fault::TimerMissing));
        let stray = armed.difference(&needed).map(told);
        audit.faults.extend(stray.map(Fault::TimerStray));
        if !self.timers.are_in_order() {
            let what = format!("those of shard {index} are out of order");
            audit.faults.push(Fault::TimersBroken(what));
        }
        if self.timers.must_tell() || self.timers.told() != rounds.told_by(index) {
            let what = format!("the reaper comes too late, or in vain, to shard {index}");
            audit.faults.push(Fault::TimersBroken(what));
        }
    }

    /// The timers of those who have one, and their places. Who has been answered needs none any more.
    fn needed_timers(&self) -> BTreeSet<(u32, Timer)> {
        let waits = self.waiters.iter().filter_map(|(slot, waiter)| {
            let waits = waiter.is_queued();
            waits.then_some((waiter.timer, Timer::Wait(slot)))
        });
        let leases = self.entries.iter().map(|(entry, held)| (held.timer, Timer::Lease(entry)));
        waits.chain(leases).filter(|(place, _)| *place != NONE).collect()
    }

    /// Invariant 3: every queue hangs together in both directions, and all waiters stand in one.
    fn check_queues(&self, audit: &mut Audit) {
        let mut linked = BTreeSet::new();
        for (index, entry) in self.entries.iter() {
            let mut previous = u32::MAX;
            let mut sound = true;
            for (slot, waiter) in self.queue(entry) {
                sound &= waiter.previous == previous
                    && waiter.entry == index
                    && waiter.is_queued()
                    && linked.insert(slot);
                previous = slot;
            }
            let length = self.queue(entry).count();
            if !sound || entry.tail != previous || length != entry.queued as usize {
                audit.faults.push(Fault::QueueBroken(entry.name.to_name()));
            }
        }
        for (slot, waiter) in self.waiters.iter() {
            let queued = waiter.is_queued();
            if queued != linked.contains(&slot) {
                audit.faults.push(Fault::WaiterStray(format!("slot {slot}: {:?}", waiter.state)));
            }
        }
    }

    /// Nothing is kept of a hold that has ended, but that it was lost.
    fn check_details(&self, audit: &mut Audit) {
        let held: BTreeSet<u64> = self.entries.iter().map(|(_, entry)| entry.token).collect();
        let mut kept = self.hold_details.keys().copied().chain(self.watchers.watched());
        audit.faults.extend(
            kept.by_ref()
                .filter(|token| !held.contains(token))
                .map(|token| Fault::DetailStray(FencingToken(token))),
        );
        let orphans = self.wait_details.keys().filter(|slot| self.waiters.get(**slot).is_none());
        audit.faults.extend(
            orphans.map(|slot| Fault::WaiterStray(format!("a detail of the empty slot {slot}"))),
        );
    }
}

fn age(detail: Option<&Detail>, now: Tick) -> Option<Duration> {
    Some(now.since(detail?.since?))
}

fn left(end: Tick, now: Tick) -> Option<Duration> {
    (end < Tick::NEVER).then(|| end.since(now))
}

fn label(detail: &Detail) -> Option<String> {
    detail.label.as_deref().map(String::from)
}
