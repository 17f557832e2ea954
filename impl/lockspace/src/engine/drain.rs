//! What a shutdown counts while it drains: how many holds are left, and what became of the others.
//!
//! Locked inside a shard's lock, never around one.

use std::time::Duration;

use super::effects::Effects;
use super::timers::{Target, Timers};
use super::watchers::Watchers;
use crate::clock::Tick;
use crate::sync::Mutex;

/// The account of a shutdown.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Holds in the shards that were swept, plus one for the sweep itself until it is through.
    remaining: usize,
    began: Tick,
    /// When the grace ends; [`Tick::NEVER`] while no shutdown has begun and after it closed.
    grace_end: Tick,
    report: ShutdownReport,
    closed: bool,
    watchers: Watchers<()>,
}

/// What a shutdown did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Holds that their holders released within the grace (or that ended in another way of their own:
    /// a lease that ran out, a forced release).
    pub released: usize,
    /// Waiters that were answered that the lockspace is shutting down.
    pub cancelled: usize,
    /// Holds that were taken away when the grace ended.
    pub revoked: usize,
    /// From the beginning of the shutdown until the lockspace was closed.
    pub took: Duration,
}

/// How a hold ended while the lockspace drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By its holder or by its lease.
    ByItself,
    /// Because the grace was over.
    Revoked,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            remaining: 0,
            began: Tick::NEVER,
            grace_end: Tick::NEVER,
            report: ShutdownReport::default(),
            closed: false,
            watchers: Watchers::new(),
        }
    }

    /// The sweep begins. It counts as one hold, so that nothing closes before it is through.
    pub(crate) fn begin(&mut self, now: Tick) {
        self.began = now;
        self.remaining = 1;
    }

    /// Sets the end of the grace, or brings it forward; it never moves back.
    pub(crate) fn limit(&mut self, end: Tick, timers: &Mutex<Timers>, effects: &mut Effects) {
        if self.closed || self.grace_end <= end {
            return;
        }
        let mut timers = timers.lock();
        timers.arm(end, Target::Grace, effects);
        if self.grace_end < Tick::NEVER {
            timers.disarm(self.grace_end, Target::Grace, effects);
        }
        self.grace_end = end;
    }

    /// The sweep has gone through a shard.
    pub(crate) fn swept(&mut self, holds: usize, cancelled: usize) {
        self.remaining += holds;
        self.report.cancelled += cancelled;
    }

    /// A hold of a swept shard has ended.
    pub(crate) fn hold_ended(&mut self, how: Ended) {
        match how {
            Ended::ByItself => self.report.released += 1,
            Ended::Revoked => self.report.revoked += 1,
        }
        self.remaining -= 1;
    }

    /// The sweep is through.
    pub(crate) fn sweep_ended(&mut self) {
        self.remaining -= 1;
    }

    /// Closes if nothing is left; answers whether it did so now (upholds S9).
    pub(crate) fn close_if_drained(
        &mut self,
        now: Tick,
        timers: &Mutex<Timers>,
        effects: &mut Effects,
    ) -> bool {
        if self.closed || self.remaining > 0 {
            return false;
        }
        self.closed = true;
        self.report.took = now.since(self.began);
        timers.lock().disarm(self.grace_end, Target::Grace, effects);
        self.grace_end = Tick::NEVER;
        self.watchers.ended((), effects);
        true
    }

    /// The report, once closed.
    pub(crate) fn report(&self) -> Option<ShutdownReport> {
        self.closed.then_some(self.report)
    }

    pub(crate) fn watchers(&mut self) -> &mut Watchers<()> {
        &mut self.watchers
    }

    /// How many wait for the lockspace to close.
    pub(crate) fn watching(&self) -> usize {
        self.watchers.len()
    }

    /// When the grace timer is armed for, if it is.
    pub(crate) fn grace_end(&self) -> Option<Tick> {
        (self.grace_end < Tick::NEVER).then_some(self.grace_end)
    }
}
