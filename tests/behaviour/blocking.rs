//! Threads: the same queue, without any runtime.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use lockspace::{AcquireError, LockSpace, Loss};
use lockspace_spec::history::{Event, Recorder, What};
use lockspace_tests::{Hand, until};

use crate::ms;

#[test]
fn thread_waits_for_its_turn_without_any_runtime() {
    let space = LockSpace::new();
    thread::scope(|threads| {
        let guard = space.blocking_acquire("a").unwrap();
        let token = guard.fencing_token();
        let waiter = threads.spawn(|| space.blocking_acquire("a").unwrap().fencing_token());
        until("the thread waits", || space.audit().waiting == 1);
        drop(guard);
        assert!(waiter.join().unwrap() > token);
    });
    assert!(space.audit().is_quiescent());
}

#[test]
fn wait_of_a_thread_ends_at_its_timeout() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let error = space.acquire("a").wait_timeout(ms(5)).blocking().unwrap_err();
    assert!(matches!(error, AcquireError::TimedOut { .. }), "{error}");
    assert_eq!(space.audit().waiting, 0);
    assert_eq!(space.stats().refused_timed_out, 1);
}

#[test]
fn lease_ends_without_any_runtime() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(5)).blocking().unwrap();
    let successor = space.blocking_acquire("a").unwrap();
    assert!(successor.fencing_token() > guard.fencing_token());
    assert_eq!(guard.release().unwrap_err().reason, Loss::LeaseElapsed);
    drop(successor);
    until("the thread that ended the lease has gone", || space.audit().is_quiescent());
}

#[test]
fn released_lease_lets_the_thread_that_watched_it_go() {
    let space = LockSpace::new();
    drop(space.acquire("a").lease(ms(3_600_000)).blocking().unwrap());
    until("nobody watches over timers any more", || space.audit().is_quiescent());
}

#[test]
fn threads_and_tasks_stand_in_one_queue_in_the_order_of_their_asking() {
    let space = &LockSpace::new();
    let order = Mutex::new(Vec::new());
    let note = &|who| order.lock().unwrap().push(who);
    thread::scope(|threads| {
        let guard = space.try_acquire("a").unwrap();
        let mut tasks = Vec::new();
        for place in 0..6 {
            if place % 2 == 0 {
                threads.spawn(move || {
                    let guard = space.blocking_acquire("a").unwrap();
                    note(place);
                    drop(guard);
                });
            } else {
                tasks.push((place, Hand::new(space.acquire("a").into_future()).waits()));
            }
            until("it has queued", || space.audit().waiting == place + 1);
        }
        drop(guard);
        for (place, mut task) in tasks {
            until("it is the task's turn", || task.take_wakes() > 0);
            let guard = task.answer().unwrap();
            note(place);
            drop(guard);
        }
    });
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn shutdown_answers_a_thread_that_waits() {
    let space = LockSpace::new();
    thread::scope(|threads| {
        let guard = space.try_acquire("a").unwrap();
        let waiter = threads.spawn(|| space.blocking_acquire("a").unwrap_err());
        until("the thread waits", || space.audit().waiting == 1);
        space.begin_shutdown(ms(60_000));
        let error = waiter.join().unwrap();
        assert!(matches!(error, AcquireError::ShuttingDown { .. }), "{error}");
        drop(guard);
        assert_eq!(space.blocking_shutdown(ms(60_000)).cancelled, 1);
    });
}

#[test]
fn thread_can_wait_for_the_end_of_a_shutdown() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let report = space.blocking_shutdown(ms(5));
    assert_eq!((report.released, report.revoked), (0, 1));
    assert_eq!(guard.release().unwrap_err().reason, Loss::Shutdown);
}

#[test]
fn blocking_in_a_task_panics_and_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let other = space.clone();
    let blocks = runtime.block_on(async {
        tokio::spawn(async move { other.blocking_acquire("a").map(drop) }).await
    });
    assert!(blocks.unwrap_err().is_panic());
    assert_eq!(space.audit().waiting, 0);
    drop(guard);
    assert!(space.audit().is_quiescent());
}

#[test]
fn blocking_shutdown_in_a_task_panics_and_the_shutdown_goes_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let other = space.clone();
    let blocks = runtime
        .block_on(async { tokio::spawn(async move { other.blocking_shutdown(ms(60_000)) }).await });
    assert!(blocks.unwrap_err().is_panic());
    drop(guard);
    assert_eq!(space.blocking_shutdown(ms(60_000)).released, 1);
}

#[test]
fn thread_of_the_blocking_pool_may_block() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let other = space.clone();
    runtime.block_on(async {
        let blocks = tokio::task::spawn_blocking(move || other.blocking_acquire("a").map(drop));
        while space.audit().waiting == 0 {
            tokio::task::yield_now().await;
        }
        drop(guard);
        blocks.await.unwrap().unwrap();
    });
    assert!(space.audit().is_quiescent());
}

/// Holds back whoever has queued until the one before it has released: so it is woken before it sleeps.
struct HoldsBack {
    queued: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl Recorder for HoldsBack {
    fn record(&self, event: Event) {
        if let What::Queued(..) = event.what {
            // Nobody listens the second time, nor is anybody waited for.
            let _ = self.queued.send(());
            let _ = self.released.lock().unwrap().recv();
        }
    }
}

#[test]
fn wake_up_left_over_from_one_wait_does_not_end_the_next() {
    let (queues, queued) = channel();
    let (releases, released) = channel::<()>();
    let holds_back = HoldsBack { queued: queues, released: Mutex::new(released) };
    let space = LockSpace::builder().recorder(Arc::new(holds_back)).build();
    thread::scope(|threads| {
        let first = space.try_acquire("a").unwrap();
        threads.spawn(move || {
            queued.recv().unwrap();
            drop(first);
            drop(releases);
        });
        // It finds its grant without having slept, so its wake-up is left.
        let _guard = space.blocking_acquire("a").unwrap();
        let (limit, begun) = (ms(50), Instant::now());
        let error = space.acquire("a").wait_timeout(limit).blocking().unwrap_err();
        assert!(matches!(error, AcquireError::TimedOut { .. }), "{error}");
        assert!(begun.elapsed() >= limit, "it ended after {:?}", begun.elapsed());
    });
}
