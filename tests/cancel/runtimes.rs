//! Ending runtimes, tasks and threads at bad moments. A lease ends in time whatever became of the runtime
//! on which it began; what a task held or waited for ends with the task.

use lockspace::{AcquireError, LockSpace, Loss};
use lockspace_tests::{Hand, until};
use tokio::runtime::{Builder, Runtime};

use crate::{LONG, assert_free, ms};

/// A runtime of each kind.
fn runtimes() -> [Runtime; 2] {
    let kinds = [Builder::new_current_thread(), Builder::new_multi_thread()];
    kinds.map(|mut kind| kind.worker_threads(2).enable_time().build().unwrap())
}

fn quiescent(space: &LockSpace) {
    until("nothing is left", || space.audit().is_quiescent());
}

#[test]
fn lease_ends_although_its_runtime_was_dropped() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let guard = runtime.block_on(async { space.acquire("a").lease(ms(20)).await.unwrap() });
        drop(runtime);
        assert!(space.audit().is_clean(), "a thread has taken over: {}", space.audit());
        let successor = space.blocking_acquire("a").unwrap(); // Waits for the lease to end.
        assert_eq!(guard.release().unwrap_err().reason, Loss::LeaseElapsed);
        drop(successor);
        quiescent(&space);
    }
}

#[test]
fn lease_ends_although_its_runtime_was_dropped_before_anything_could_run_on_it() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let handle = runtime.handle().clone();
        drop(runtime);
        let _context = handle.enter(); // A task that is spawned here is dropped at once.
        let guard = space.acquire("a").lease(ms(5)).try_now().unwrap();
        until("the lease has ended", || guard.is_lost());
        drop(guard);
        quiescent(&space);
    }
}

#[test]
fn wait_ends_although_its_runtime_was_dropped() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let _guard = space.try_acquire("a").unwrap();
        let mut waiter = Hand::new(space.acquire("a").wait_timeout(ms(20)).into_future());
        {
            let _context = runtime.enter();
            assert!(waiter.poll().is_pending());
        }
        drop(runtime);
        until("its wait has ended", || waiter.take_wakes() > 0);
        let error = waiter.answer().unwrap_err();
        assert!(matches!(error, AcquireError::TimedOut { .. }), "{error}");
    }
}

#[test]
fn grace_ends_although_its_runtime_was_dropped() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let guard = space.try_acquire("a").unwrap();
        runtime.block_on(async { space.begin_shutdown(ms(20)) });
        drop(runtime);
        assert_eq!(space.blocking_shutdown(LONG).revoked, 1);
        drop(guard);
        quiescent(&space);
    }
}

#[test]
fn tasks_that_wait_when_their_runtime_ends_leave_the_queue() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let guard = space.try_acquire("a").unwrap();
        for n in 0..10 {
            let space = space.clone();
            runtime.spawn(async move {
                let request = space.acquire("a").lease(LONG);
                match n % 2 {
                    0 => drop(request.await),
                    _ => drop(request.wait_timeout(LONG).await),
                }
            });
        }
        runtime.block_on(async {
            while space.audit().waiting < 10 {
                tokio::task::yield_now().await;
            }
        });
        drop(runtime);
        assert_eq!(space.audit().waiting, 0);
        assert_eq!(space.stats().cancelled, 10);
        drop(guard);
        quiescent(&space);
    }
}

#[test]
fn tasks_that_hold_when_their_runtime_ends_release() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        for name in ["a", "b", "c"] {
            let space = space.clone();
            runtime.spawn(async move {
                let _guard = space.acquire(name).lease(LONG).await.unwrap();
                std::future::pending::<()>().await;
            });
        }
        runtime.block_on(async {
            while space.audit().held < 3 {
                tokio::task::yield_now().await;
            }
        });
        drop(runtime);
        quiescent(&space);
    }
}

#[test]
fn aborted_task_releases_and_the_next_is_granted() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let holder = runtime.spawn({
            let space = space.clone();
            async move {
                let _guard = space.acquire("a").await.unwrap();
                std::future::pending::<()>().await;
            }
        });
        runtime.block_on(async {
            while space.audit().held == 0 {
                tokio::task::yield_now().await;
            }
            let waits = space.acquire("a");
            holder.abort();
            drop(waits.await.unwrap());
        });
        assert!(space.audit().is_quiescent());
    }
}

#[test]
fn task_that_panics_while_it_holds_releases_and_the_next_is_granted() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let other = space.clone();
        runtime.block_on(async {
            let panics = tokio::spawn(async move {
                let _guard = other.acquire("a").lease(LONG).await.unwrap();
                panic!("on purpose");
            });
            panics.await.unwrap_err();
            drop(space.acquire("a").await.unwrap());
        });
        quiescent(&space);
    }
}

#[test]
fn guard_outlives_its_runtime_and_is_dropped_outside_of_any() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let unleased = runtime.block_on(async { space.acquire("a").await.unwrap() });
        let leased = runtime.block_on(async { space.acquire("b").lease(LONG).await.unwrap() });
        drop(runtime);
        assert!(!unleased.is_lost() && !leased.is_lost());
        leased.renew(LONG).unwrap();
        drop((unleased, leased));
        quiescent(&space);
        assert_free(&space, "a");
    }
}

#[test]
fn waiter_granted_after_its_runtime_has_ended_can_still_be_polled() {
    for runtime in runtimes() {
        let space = LockSpace::new();
        let guard = space.try_acquire("a").unwrap();
        let mut waiter = Hand::new(space.acquire("a").into_future());
        {
            let _context = runtime.enter();
            assert!(waiter.poll().is_pending());
        }
        drop(runtime);
        drop(guard);
        drop(waiter.answer().unwrap());
        assert!(space.audit().is_quiescent());
    }
}

#[test]
fn timers_go_on_over_any_number_of_runtimes() {
    let space = LockSpace::new();
    for round in 0..20 {
        for runtime in runtimes() {
            let lease = if round % 2 == 0 { ms(1) } else { LONG };
            let guard = runtime.block_on(async { space.acquire("a").lease(lease).await.unwrap() });
            drop(runtime);
            drop(guard);
            assert!(space.audit().is_clean(), "{}", space.audit());
        }
    }
    quiescent(&space);
}
