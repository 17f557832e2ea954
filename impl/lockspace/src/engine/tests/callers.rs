//! Through the public API: the futures, guards and blocked threads that stand before the engine.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::{Context, Waker};

use super::harness::{Race, join, spawn};
use super::resource::Resource;
use super::waiter::block_until;
use crate::sync::Arc;
use crate::{Guard, LockSpace};

/// A lockspace of one shard, and what its only name protects.
#[derive(Clone)]
struct Place {
    space: LockSpace,
    resource: Arc<Resource>,
}

impl Place {
    fn new() -> Self {
        Self { space: LockSpace::builder().shards(1).build(), resource: Arc::new(Resource::new()) }
    }

    /// Uses it and drops the guard.
    fn work(&self, guard: Guard<'_>) {
        self.resource.visit(guard.fencing_token().0);
    }

    fn visit_as_task(&self) {
        let mut acquire = pin!(self.space.acquire("door").into_future());
        let guard = block_until(|waker| acquire.as_mut().poll(&mut Context::from_waker(waker)));
        self.work(guard.expect("nobody refuses"));
    }

    fn visit_as_thread(&self) {
        let guard = self.space.acquire("door").blocking();
        self.work(guard.expect("nobody refuses"));
    }

    fn check_that_nothing_is_left(&self) {
        let audit = self.space.audit();
        assert!(audit.is_quiescent(), "{audit}");
    }
}

/// Three threads, complete. A task and a blocked thread stand in the same queue. Outcome: how many of
/// them had to wait.
#[test]
fn tasks_and_threads_wait_in_one_queue() {
    Race::complete(2_000).explore(&[0, 1, 2], |_| {
        let place = Place::new();
        let guard = place.space.acquire("door").try_now();
        let [task, thread] = [(); 2].map(|()| place.clone());
        let task = spawn(move || task.visit_as_task());
        let thread = spawn(move || thread.visit_as_thread());
        place.work(guard.expect("it is free"));
        join(task);
        join(thread);
        place.check_that_nothing_is_left();
        place.space.stats().queued
    });
}

/// Two threads, complete. A future that has queued is dropped as the guard before it is. Outcome: how
/// many grants there were.
#[test]
fn a_dropped_future_leaves_nothing_behind() {
    Race::complete(3).explore(&[1, 2], |_| {
        let place = Place::new();
        let guard = place.space.acquire("door").try_now().expect("it is free");
        let guard = guard.into_owned();
        let mut acquire = Box::pin(place.space.acquire("door").into_future());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(acquire.as_mut().poll(&mut cx).is_pending());
        let holder = spawn(move || drop(guard));
        drop(acquire);
        join(holder);
        place.check_that_nothing_is_left();
        place.space.stats().granted
    });
}
