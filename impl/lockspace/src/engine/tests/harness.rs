//! How a race is explored: every interleaving under loom, one under plain threads.
//!
//! The only file of these tests that knows which of the two it is.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use super::world::World;

#[cfg(lockspace_loom)]
use loom::thread;
#[cfg(not(lockspace_loom))]
use std::thread;

pub(super) use thread::JoinHandle;

/// How many stops the reaper of a test makes before it sleeps: fewer than so many.
pub(super) const STOPS: usize = 16;

/// A race to be explored, and how thoroughly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Race {
    /// At least so many executions. A loom test can end after one execution and look passed (a thread
    /// that begins with an atomic load does that to it), so each says what it expects.
    floor: usize,
    /// At most so many preemptions in an execution; `None`: the exploration is complete.
    preemptions: Option<usize>,
    pub(super) shards: usize,
    pub(super) max_names: Option<usize>,
    pub(super) detect_deadlocks: bool,
    /// Timers that are armed have a reaper, whose clock stands at this hour.
    pub(super) reaper_at: Option<u64>,
}

impl Race {
    /// Every interleaving, at least so many of them.
    pub(super) fn complete(floor: usize) -> Self {
        Self {
            floor,
            preemptions: None,
            shards: 1,
            max_names: None,
            detect_deadlocks: false,
            reaper_at: None,
        }
    }

    /// Every interleaving with at most so many preemptions.
    pub(super) fn bounded(preemptions: usize, floor: usize) -> Self {
        Self { preemptions: Some(preemptions), ..Self::complete(floor) }
    }

    /// Names `A` and `B` are in shards of their own.
    pub(super) fn two_shards(self) -> Self {
        Self { shards: 2, ..self }
    }

    pub(super) fn max_names(self, max: usize) -> Self {
        Self { max_names: Some(max), ..self }
    }

    /// Deadlocks are looked for.
    pub(super) fn detect_deadlocks(self) -> Self {
        Self { detect_deadlocks: true, ..self }
    }

    /// Whoever must start a reaper does: a thread whose clock stands at `hour`.
    pub(super) fn reaper_at(self, hour: u64) -> Self {
        Self { reaper_at: Some(hour), ..self }
    }

    /// Runs `body` in a world of its own in each execution, checks that it leaves nothing behind, and
    /// compares what came out with what should: under loom all of `outcomes` and no others, under plain
    /// threads one of them.
    pub(super) fn explore<O: Ord + Copy + Debug + Send + 'static>(
        self,
        outcomes: &[O],
        body: impl Fn(&World) -> O + Send + Sync + 'static,
    ) {
        // What loom does not know: it remembers from one execution to the next.
        let executions = Arc::new(Mutex::new(Vec::new()));
        let each = Arc::clone(&executions);
        self.run(move || {
            let world = World::new(&self);
            let outcome = body(&world);
            world.check_that_nothing_is_left();
            each.lock().expect("no execution failed").push(outcome);
        });
        let executions = executions.lock().expect("no execution failed");
        let seen: BTreeSet<O> = executions.iter().copied().collect();
        println!("{} executions, outcomes {seen:?}", executions.len());
        self.judge(executions.len(), &seen, &outcomes.iter().copied().collect());
    }

    #[cfg(lockspace_loom)]
    fn run(self, execution: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = self.preemptions;
        model.max_permutations = None;
        model.max_duration = None;
        model.check(execution);
    }

    #[cfg(not(lockspace_loom))]
    fn run(self, execution: impl Fn() + Send + Sync + 'static) {
        execution();
    }

    fn judge<O: Ord + Debug>(self, executions: usize, seen: &BTreeSet<O>, all: &BTreeSet<O>) {
        let Self { floor, preemptions, .. } = self;
        if cfg!(lockspace_loom) {
            assert_eq!(seen, all, "the outcomes that were seen, and those to be seen");
            assert!(
                executions >= floor,
                "only {executions} executions, of at least {floor} (preemptions: {preemptions:?})"
            );
        } else {
            assert!(seen.is_subset(all), "{seen:?} is not in {all:?}");
        }
    }
}

/// Starts a thread of a race. Loom has five for an execution, the main one included.
pub(super) fn spawn<T: Send + 'static>(
    thread: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(thread)
}

/// Waits for a thread's end, and passes on its panic.
pub(super) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread did not panic")
}
