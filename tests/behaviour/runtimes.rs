//! How a lockspace lives with a runtime: it is fair to other tasks, and leaves none of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use lockspace::{LockSpace, SectionOptions};
use lockspace_tests::{Hand, let_tasks_run};
use tokio::runtime::{Builder, Handle};

use crate::ms;

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn loop_of_acquires_lets_other_tasks_run() {
    let space = LockSpace::new();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let busy = tokio::spawn(async move {
        // No await in here but the acquire, which never has to wait.
        for _ in 0..10_000 {
            drop(space.acquire("a").await.unwrap());
            if stopped.load(Ordering::SeqCst) {
                return true;
            }
        }
        false
    });
    let other = tokio::spawn(async move { stop.store(true, Ordering::SeqCst) });
    other.await.unwrap();
    assert!(busy.await.unwrap(), "nobody else could run until it had ended");
}

#[tokio::test(start_paused = true)]
async fn any_number_of_timers_share_one_task() {
    let space = LockSpace::new();
    let names: Vec<_> = (0..100).map(|n| format!("name/{n}")).collect();
    let mut guards = Vec::new();
    for name in &names {
        guards.push(space.acquire(name).lease(ms(1_000)).await.unwrap());
    }
    let waits = names.iter().map(|name| space.acquire(name).wait_timeout(ms(500)).into_future());
    let waiters: Vec<_> = waits.map(|wait| Hand::new(wait).waits()).collect();
    assert_eq!((space.audit().timers, alive_tasks()), (200, 1));
    drop(waiters);
    assert_eq!((space.audit().timers, alive_tasks()), (100, 1));
    drop(guards);
    let_tasks_run().await;
    assert_eq!(alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_the_reaper_even_of_a_guard_that_was_forgotten() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(3_600_000)).await.unwrap();
    std::mem::forget(guard); // Borrowed: it does not keep the lockspace.
    let_tasks_run().await;
    assert_eq!(alive_tasks(), 1);
    drop(space);
    let_tasks_run().await;
    assert_eq!(alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn reaper_starts_again_after_it_has_ended() {
    let space = LockSpace::new();
    for _ in 0..3 {
        let guard = space.acquire("a").lease(ms(10)).await.unwrap();
        guard.lost().await;
        let_tasks_run().await;
        assert_eq!((space.audit().timers, space.audit().reaper, alive_tasks()), (0, false, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn timer_that_is_due_before_all_others_wakes_the_reaper_earlier() {
    let space = LockSpace::new();
    let _late = space.acquire("a").lease(ms(1_000)).await.unwrap();
    let_tasks_run().await;
    let soon = space.acquire("b").lease(ms(10)).await.unwrap();
    let began = tokio::time::Instant::now();
    soon.lost().await;
    assert_eq!(began.elapsed(), ms(10));
}

#[tokio::test(start_paused = true)]
async fn many_timers_that_are_due_together_are_all_served() {
    let space = LockSpace::new();
    let _guard = space.acquire("a").await.unwrap();
    let wait = || space.acquire("a").wait_timeout(ms(10)).into_future();
    let waiters: Vec<_> = (0..1_000).map(|_| Hand::new(wait()).waits()).collect();
    tokio::time::sleep(ms(11)).await;
    assert_eq!((space.audit().timers, space.audit().waiting), (0, 0));
    assert!(waiters.into_iter().all(|waiter| waiter.answer().is_err()));
}

#[test]
fn acquire_needs_no_runtime_unless_it_arms_a_timer() {
    let space = LockSpace::new();
    let guard =
        Hand::new(space.acquire("a").wait_timeout(ms(1_000)).into_future()).answer().unwrap();
    let waiter = Hand::new(space.acquire("a").into_future()).waits();
    drop(guard);
    drop(waiter.answer().unwrap());
    assert!(space.audit().is_quiescent());
}

#[test]
fn whole_life_of_a_lockspace_needs_no_runtime() {
    assert!(Handle::try_current().is_err());
    let space = LockSpace::new();
    let guard = Hand::new(space.acquire("a").into_future()).answer().unwrap();
    let mut released = Hand::new(space.wait_until_released("a", None)).waits();
    let limits = SectionOptions::new().wait_timeout(ms(3_600_000));
    let mut section = Hand::new(space.critical_section("a", limits, async |_| "done")).waits();
    guard.release().unwrap();
    assert_eq!((released.take_wakes(), section.take_wakes()), (1, 1));
    assert_eq!((released.answer(), section.answer().unwrap()), (Ok(()), "done"));

    let guard = Hand::new(space.acquire("a").lease(ms(3_600_000)).into_future()).answer().unwrap();
    let mut shutdown = Hand::new(space.shutdown(ms(3_600_000))).waits();
    drop(guard);
    assert_eq!(shutdown.take_wakes(), 1);
    assert_eq!(shutdown.answer().released, 1);
}

#[test]
fn task_without_any_runtime_has_its_wait_timeout_kept_by_a_thread() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let mut waiter = Hand::new(space.acquire("a").wait_timeout(ms(5)).into_future()).waits();
    lockspace_tests::until("its wait has ended", || waiter.take_wakes() > 0);
    waiter.answer().unwrap_err();
}

/// A holder on a runtime with a worker to spare: it blocks its thread in the poll in which its lease began,
/// and comes to itself only when another thread has got the name. `others`: what was leased before.
#[track_caller]
fn assert_lease_ends_though_its_holder_hangs(others: &'static [&'static str]) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (space, (begin, begun), (end, ended)) =
        (LockSpace::new(), mpsc::channel(), mpsc::channel());
    let holders = space.clone();
    let holder = runtime.spawn(async move {
        let mut guards = Vec::new();
        for other in others {
            guards.push(holders.acquire(other).lease(ms(3_600_000)).await.unwrap());
        }
        let_tasks_run().await;
        let guard = holders.acquire("a").lease(ms(20)).await.unwrap();
        begin.send(()).unwrap();
        ended.recv().unwrap();
        guard.is_lost()
    });
    begun.recv().unwrap();
    let next = space.acquire("a").wait_timeout(ms(20_000)).blocking();
    end.send(()).unwrap();
    assert!(runtime.block_on(holder).unwrap());
    next.unwrap().release().unwrap();
}

#[test]
fn lease_of_a_task_that_blocks_its_worker_ends_in_time() {
    assert_lease_ends_though_its_holder_hangs(&[]);
}

#[test]
fn reaper_that_is_woken_by_a_task_which_then_blocks_its_worker_wakes_all_the_same() {
    assert_lease_ends_though_its_holder_hangs(&["b"]);
}
