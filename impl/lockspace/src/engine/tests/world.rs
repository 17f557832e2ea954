//! The lockspace under test, and those who use it as the shipping code around the engine does: blocked
//! threads, wakers that count, and the reaper.
//!
//! It checks in every execution what is true of all of them: exclusion and growing tokens inside the
//! critical section (S1, S2), one answer and one wake-up for each waiter (S4, S7), and at the end that
//! nothing is left (S5, S6, S9).

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::Mutex;
use std::task::{Poll, Waker};
use std::time::Duration;

use lockspace_spec::{FencingToken, Phase, Refusal};

use crate::Loss;

use super::harness::{JoinHandle, Race, STOPS, join, spawn};
use super::resource::Resource;
use super::waiter::{Bell, Waited, Waiter, block_until};
use crate::clock::Tick;
use crate::engine::{
    Acquired, Ask, Audit, Effects, Engine, HoldKey, Patience, Released, Setup, ShutdownReport,
    TurnedAway,
};
use crate::runtime::Owner;
use crate::sync::{Arc, with_parker};

/// The two names that tests use: in shards of their own where there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    A,
    B,
}

/// Hours: the unit of time here. Far enough apart that the real clock of a plain run does not matter.
pub(super) type Hour = u64;

/// How long to wait and how long to hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) wait: Option<Hour>,
    pub(super) lease: Option<Hour>,
}

/// No limits.
pub(super) const FREELY: Limits = Limits { wait: None, lease: None };

/// A wait timeout of so many hours.
pub(super) fn waiting(hours: Hour) -> Limits {
    Limits { wait: Some(hours), ..FREELY }
}

/// A lease of so many hours.
pub(super) fn leased(hours: Hour) -> Limits {
    Limits { lease: Some(hours), ..FREELY }
}

/// A handle to a world; threads have one each.
#[derive(Clone)]
pub(super) struct World(Arc<Inner>);

pub(super) struct Inner {
    pub(super) engine: Engine,
    names: [String; 2],
    resources: [Resource; 2],
    reaper_at: Option<Hour>,
    /// From here on what loom does not see: it must not be what decides.
    ghost: Mutex<Ghost>,
}

#[derive(Default)]
struct Ghost {
    /// Every token that was granted.
    tokens: BTreeSet<FencingToken>,
    waited: Vec<Waited>,
    reapers: Vec<JoinHandle<()>>,
    reapers_started: usize,
}

impl Deref for World {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl World {
    pub(super) fn new(race: &Race) -> Self {
        let engine = Engine::new(&Setup {
            shards: race.shards,
            max_names: race.max_names,
            max_waiters_per_name: None,
            timing: false,
            detect_deadlocks: race.detect_deadlocks,
            inbox: None,
        });
        let last = race.shards - 1;
        // A is an even number, B an odd one; which of them fall into a shard, only the hash knows.
        let name_in = |shard: usize, first: usize| {
            let here =
                |name: &String| engine.common.shard_of_hash(engine.common.hash(name)) == shard;
            (first..).step_by(2).map(|n| n.to_string()).find(here)
        };
        let names = [name_in(0, 0), name_in(last, 1)].map(|name| name.expect("there are enough"));
        Self(Arc::new(Inner {
            engine,
            names,
            resources: [Resource::new(), Resource::new()],
            reaper_at: race.reaper_at,
            ghost: Mutex::default(),
        }))
    }

    /// Starts a thread in this world.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        thread: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let world = self.clone();
        spawn(move || thread(&world))
    }
}

/// Acquiring.
impl World {
    /// Acquires or gives up at once.
    pub(super) fn try_acquire(&self, name: Name) -> Result<Hold, Refusal> {
        match self.ask(name, Patience::No { waker: Waker::noop() }, FREELY) {
            Acquired::Granted(key) => Ok(self.hold(name, key)),
            Acquired::Refused(refusal) => Err(refusal),
            other => unreachable!("asked not to wait: {other:?}"),
        }
    }

    /// Acquires a free name.
    pub(super) fn take(&self, name: Name, limits: Limits) -> Hold {
        let patience = Patience::Queue { waker: Waker::noop(), wait: None };
        match self.ask(name, patience, limits) {
            Acquired::Granted(key) => self.hold(name, key),
            other => unreachable!("the name is free: {other:?}"),
        }
    }

    /// Acquires as a blocked thread does.
    pub(super) fn acquire(&self, name: Name, limits: Limits) -> Result<Hold, Refusal> {
        let mut queued = None;
        block_until(|waker| match &queued {
            Some(waiter) => Waiter::poll(waiter),
            None => match self.join_queue(name, limits, Bell::before(waker)) {
                Err(answer) => Poll::Ready(answer),
                Ok(waiter) => {
                    queued = Some(waiter);
                    Poll::Pending
                }
            },
        })
    }

    /// Queues for a held name, as a task that is polled once.
    pub(super) fn queue(&self, name: Name, limits: Limits) -> Waiter {
        match self.join_queue(name, limits, Bell::before(Waker::noop())) {
            Ok(waiter) => waiter,
            Err(answer) => unreachable!("the name is held: {:?}", answer.map(drop)),
        }
    }

    fn join_queue(
        &self,
        name: Name,
        limits: Limits,
        bell: Arc<Bell>,
    ) -> Result<Waiter, Result<Hold, Refusal>> {
        let patience = Patience::Queue {
            waker: &Waker::from(Arc::clone(&bell)),
            wait: limits.wait.map(hours),
        };
        match self.ask(name, patience, limits) {
            Acquired::Granted(key) => Err(Ok(self.hold(name, key))),
            Acquired::Refused(refusal) => Err(Err(refusal)),
            Acquired::Queued(key) => Ok(Waiter::new(self, name, key, bell)),
            other => unreachable!("neither granted, refused nor queued: {other:?}"),
        }
    }

    fn ask(&self, name: Name, patience: Patience<'_>, limits: Limits) -> Acquired {
        let lease = limits.lease.and_then(|lease| NonZeroU64::new(hours(lease)));
        let name = &self.names[name as usize];
        let ask = Ask { name, patience, lease, label: None, owner: None };
        let asked = self.act(|effects| self.engine.acquire(&ask, effects));
        asked.expect("nobody says who asks")
    }

    /// Acquires a free name for an owner.
    pub(super) fn take_as(&self, owner: u64, name: Name) -> Hold {
        match self.ask_as(owner, name, Waker::noop()) {
            Ok(Acquired::Granted(key)) => self.hold(name, key),
            other => unreachable!("the name is free: {other:?}"),
        }
    }

    /// Acquires for an owner, as a task that is polled once: `None` if it is turned away.
    pub(super) fn queue_as(&self, owner: u64, name: Name) -> Option<Result<Hold, Waiter>> {
        let bell = Bell::before(Waker::noop());
        match self.ask_as(owner, name, &Waker::from(Arc::clone(&bell))) {
            Ok(Acquired::Granted(key)) => Some(Ok(self.hold(name, key))),
            Ok(Acquired::Queued(key)) => Some(Err(Waiter::new(self, name, key, bell))),
            Ok(other) => unreachable!("nobody refuses: {other:?}"),
            Err(_) => None,
        }
    }

    /// Acquires for an owner, as a blocked thread does: `None` if it is turned away.
    pub(super) fn acquire_as(&self, owner: u64, name: Name) -> Option<Hold> {
        let asked = self.queue_as(owner, name)?;
        Some(asked.unwrap_or_else(|waiter| waiter.wait().expect("nobody refuses")))
    }

    fn ask_as(&self, owner: u64, name: Name, waker: &Waker) -> Result<Acquired, TurnedAway> {
        let patience = Patience::Queue { waker, wait: None };
        let (name, owner) = (&self.names[name as usize], Some(Owner::named(owner)));
        let ask = Ask { name, patience, lease: None, label: None, owner };
        self.act(|effects| self.engine.door(name).acquire(&ask, effects))
    }

    pub(super) fn hold(&self, name: Name, key: HoldKey) -> Hold {
        let fresh = self.ghost(|ghost| ghost.tokens.insert(key.token));
        assert!(fresh, "S2: no token is used twice, {:?} is", key.token);
        Hold { name, key }
    }
}

/// Everything else that can be done.
impl World {
    /// Uses what the name protects.
    pub(super) fn work(&self, hold: &Hold) {
        self.resources[hold.name as usize].visit(hold.token());
    }

    pub(super) fn release(&self, hold: Hold) -> Result<(), Loss> {
        match self.act(|effects| self.engine.release(hold.key, effects)) {
            Released::Released => Ok(()),
            Released::Lost(lost) => Err(lost.why),
        }
    }

    /// Takes, uses and releases.
    pub(super) fn visit(&self, name: Name) -> FencingToken {
        let hold = self.acquire(name, FREELY).expect("nobody refuses");
        let token = hold.key.token;
        self.work(&hold);
        self.release(hold).expect("nobody takes it away");
        token
    }

    /// Ends an acquire, however it was answered: a hold is used and released.
    pub(super) fn finish(&self, answer: Result<Hold, Refusal>) -> Result<(), Refusal> {
        let hold = answer?;
        self.work(&hold);
        self.release(hold).expect("nobody takes it away");
        Ok(())
    }

    /// Blocks this thread until the hold has ended, however it does.
    pub(super) fn wait_until_ended(&self, hold: HoldKey) {
        let mut id = None;
        block_until(|waker| {
            self.act(|effects| self.engine.poll_ended(hold, &mut id, waker, effects))
        });
    }

    /// Begins to watch a hold and thinks better of it. Answers whether it had ended.
    pub(super) fn watch_once(&self, hold: HoldKey) -> bool {
        let mut id = None;
        let ended =
            self.act(|effects| self.engine.poll_ended(hold, &mut id, Waker::noop(), effects));
        if let Some(id) = id {
            self.act(|effects| self.engine.forget_watcher(hold, id, effects));
        }
        ended.is_ready()
    }

    /// Blocks this thread until the lockspace is closed.
    pub(super) fn wait_until_closed(&self) -> ShutdownReport {
        let mut id = None;
        block_until(|waker| self.act(|effects| self.engine.poll_closed(&mut id, waker, effects)))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.engine.phase() == Phase::Closed
    }

    /// Renews a lease, to end so many hours from now.
    pub(super) fn renew(&self, hold: &Hold, lease: Hour) -> Result<(), Loss> {
        let lease = Duration::from_nanos(hours(lease));
        self.act(|effects| self.engine.renew(hold.key, lease, effects)).map_err(|(_, why)| why)
    }

    pub(super) fn force_release(&self, name: Name) -> Option<FencingToken> {
        let name = &self.names[name as usize];
        self.act(|effects| self.engine.force_release(name, effects))
    }

    /// It becomes so late: acts upon every timer that is due by then.
    pub(super) fn elapse(&self, hour: Hour) {
        let now = self.at(hour);
        let all = (0..STOPS).all(|_| self.act(|effects| self.engine.elapse_until(now, effects)));
        assert!(!all, "no test arms so many timers");
    }

    /// Begins to shut down; a grace of zero hours is none.
    pub(super) fn shut_down(&self, grace: Hour) {
        let grace = Duration::from_nanos(hours(grace));
        self.act(|effects| self.engine.shutdown(grace, effects));
    }

    /// Does something with the engine, and what is then left to do, as `Shared::act` does.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = act(&mut effects);
        if effects.must_start_reaper() {
            self.start_reaper();
        }
        effects.carry_out();
        result
    }

    /// What is out of place or left at this moment.
    pub(super) fn audit(&self) -> Audit {
        self.engine.audit()
    }

    fn at(&self, hour: Hour) -> Tick {
        self.engine.common.clock.after(hours(hour))
    }

    /// Notes one who has waited, to be judged at the end.
    pub(super) fn remember(&self, waited: Waited) {
        self.ghost(|ghost| ghost.waited.push(waited));
    }

    fn ghost<R>(&self, look: impl FnOnce(&mut Ghost) -> R) -> R {
        look(&mut self.ghost.lock().expect("nobody panicked"))
    }
}

/// The reaper, as `reaper.rs` and `runtime.rs` run it.
impl World {
    /// A reaper must be started. In a world without one, the test plays its part.
    pub(super) fn start_reaper(&self) {
        self.ghost(|ghost| ghost.reapers_started += 1);
        if let Some(hour) = self.reaper_at {
            let reaper = self.spawn(move |world| world.reap(hour));
            self.ghost(|ghost| ghost.reapers.push(reaper));
        }
    }

    /// How many reapers have been started so far.
    pub(super) fn reapers_started(&self) -> usize {
        self.ghost(|ghost| ghost.reapers_started)
    }

    /// The life of a reaper on whose clock it is, and stays, this hour.
    fn reap(&self, hour: Hour) {
        let now = self.engine.common.clock.instant(self.at(hour));
        with_parker(|parker, waker| {
            loop {
                self.elapse(hour);
                match self.engine.reaper_sleeps_until(waker) {
                    None => return,
                    Some(until) if until <= now => {} // Due by now: no sleep at all.
                    Some(_) => parker.park(),
                }
            }
        });
    }
}

/// The end of an execution.
impl World {
    pub(super) fn check_that_nothing_is_left(&self) {
        while let Some(reaper) = self.ghost(|ghost| ghost.reapers.pop()) {
            join(reaper);
        }
        if self.reaper_at.is_none() && self.audit().reaper {
            // The test has played the reaper's part, up to its last look.
            assert_eq!(self.engine.reaper_sleeps_until(Waker::noop()), None, "S6");
        }
        assert_eq!(self.audit(), Audit::default(), "S4, S5, S6: nothing is left");
        assert_ne!(self.engine.phase(), Phase::Draining, "S9: drained is closed");
        self.ghost(|ghost| {
            ghost.waited.iter().for_each(Waited::check);
        });
    }
}

/// A hold, until it is released.
#[must_use = "a hold that is thrown away is never released"]
#[derive(Debug)]
pub(super) struct Hold {
    name: Name,
    pub(super) key: HoldKey,
}

impl Hold {
    /// The token, as a plain number. One shard gives 1, 2, 3; two give even and odd ones.
    pub(super) fn token(&self) -> u64 {
        self.key.token.0
    }
}
fn hours(hours: Hour) -> u64 {
    hours * 3_600_000_000_000
}
