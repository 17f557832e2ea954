//! What a shutdown counts while it drains: how many holds are left, and what became of the others.
//!
//! Locked inside a shard's lock, never around one.

use std::time::Duration;

use super::effects::Effects;
use super::rounds::Rounds;
use super::watchers::Watchers;
use crate::clock::Tick;
use crate::sync::Mutex;

/// The account of a shutdown.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Holds in the shards that have heard of the shutdown, plus one until all have.
    remaining: usize,
    began: Tick,
    grace: Grace,
    report: ShutdownReport,
    closed: bool,
    /// What the driver of a store has to do with it.
    driver: Driver,
    watchers: Watchers<()>,
}

/// What the driver of a store has still to do. It counts as one hold until it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// There is none, or it has ended.
    None,
    /// It has not been told.
    Drives,
    /// It gives everything back.
    Closes,
}

/// The grace of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grace {
    /// Nobody has set one yet.
    NotSet,
    /// It ends then, and its timer is armed.
    Until(Tick),
    /// It has ended, or nobody needs it any more.
    Over,
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
    /// Over a store: names that could not be given back there, because it could not be reached. They come
    /// free when others find that the session is silent, which takes as long as if the process had died.
    pub unreturned: usize,
    /// Over a store: whether the row of the session could not be removed, for the same reason.
    pub session_left: bool,
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
    pub(crate) fn new(over_a_store: bool) -> Self {
        Self {
            remaining: 0,
            began: Tick::NEVER,
            grace: Grace::NotSet,
            report: ShutdownReport::default(),
            closed: false,
            driver: if over_a_store { Driver::Drives } else { Driver::None },
            watchers: Watchers::new(),
        }
    }

    /// A shutdown begins. It counts as one hold until all shards have heard of it, so that nothing closes
    /// before.
    pub(crate) fn begin(&mut self, now: Tick) {
        self.began = now;
        self.remaining = 1 + usize::from(self.driver != Driver::None);
    }

    /// Whether all else is done, and the driver has not been told that it is its turn. Once.
    pub(crate) fn is_for_the_driver_to_close(&mut self) -> bool {
        let turn = self.driver == Driver::Drives && self.remaining == 1;
        if turn {
            self.driver = Driver::Closes;
        }
        turn
    }

    /// The driver has ended, and could not give back so many names, nor perhaps its session.
    pub(crate) fn driver_ended(&mut self, unreturned: usize, session_left: bool) {
        if self.driver != Driver::None && self.began < Tick::NEVER {
            self.remaining -= 1;
        }
        self.driver = Driver::None;
        self.report.unreturned = unreturned;
        self.report.session_left = session_left;
    }

    /// Sets the end of the grace, or brings it forward; it never moves back.
    pub(crate) fn limit(&mut self, end: Tick, rounds: &Mutex<Rounds>, effects: &mut Effects) {
        match self.grace {
            Grace::NotSet => {}
            Grace::Until(before) if end < before => {}
            Grace::Until(_) | Grace::Over => return,
        }
        rounds.lock().tell_grace(end, effects);
        self.grace = Grace::Until(end);
    }

    /// The grace has ended, or nobody needs it any more: no timer is left of it (upholds S6).
    pub(crate) fn end_grace(&mut self, rounds: &Mutex<Rounds>, effects: &mut Effects) {
        if let Grace::Until(_) = self.grace {
            rounds.lock().tell_grace(Tick::NEVER, effects);
        }
        self.grace = Grace::Over;
    }

    /// A shard has heard of the shutdown: so many holds are left there, and so many waiters were answered.
    pub(crate) fn count(&mut self, holds: usize, cancelled: usize) {
        self.remaining += holds;
        self.report.cancelled += cancelled;
    }

    /// A hold of a shard that has heard of the shutdown has ended.
    pub(crate) fn hold_ended(&mut self, how: Ended) {
        match how {
            Ended::ByItself => self.report.released += 1,
            Ended::Revoked => self.report.revoked += 1,
        }
        self.remaining -= 1;
    }

    /// All shards have heard of it.
    pub(crate) fn all_heard(&mut self) {
        self.remaining -= 1;
    }

    /// Closes if nothing is left; answers whether it did so now (upholds S9).
    pub(crate) fn close_if_drained(
        &mut self,
        now: Tick,
        rounds: &Mutex<Rounds>,
        effects: &mut Effects,
    ) -> bool {
        if self.closed || self.remaining > 0 || self.began == Tick::NEVER {
            return false;
        }
        self.closed = true;
        self.report.took = now.since(self.began);
        self.end_grace(rounds, effects);
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

    /// When the grace timer is armed for; never, if it is not.
    pub(crate) fn grace_end(&self) -> Tick {
        match self.grace {
            Grace::Until(end) => end,
            Grace::NotSet | Grace::Over => Tick::NEVER,
        }
    }
}
