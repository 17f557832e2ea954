//! Locks with a mistake in them, which every scheduler must find within a stated number of schedules. A
//! scheduler that finds none of these has shown nothing about the lockspace.

use std::env;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use shuttle::future::{block_on, spawn};
use shuttle::sync::Mutex;

use super::portfolio::Scheduler::{self, Exhaustive, Pct, Random, Twice};
use super::portfolio::{FEW, PORTFOLIO};

/// A lock whose waiters look first and queue later: a release in between wakes nobody.
#[derive(Default)]
struct LooksThenQueues {
    held: Mutex<bool>,
    queue: Mutex<Vec<Waker>>,
}

impl LooksThenQueues {
    async fn acquire(&self) {
        poll_fn(|cx| {
            let held = std::mem::replace(&mut *self.held.lock().unwrap(), true);
            if held {
                self.queue.lock().unwrap().push(cx.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.queue.lock().unwrap().drain(..).for_each(Waker::wake);
    }
}

/// A lock that forgets a waiter which was woken and dropped: its turn is nobody's.
#[derive(Default)]
struct ForgetsTheDropped {
    held: Mutex<bool>,
    queue: Mutex<Vec<Waker>>,
}

impl ForgetsTheDropped {
    async fn acquire(&self) {
        poll_fn(|cx| {
            let mut queue = self.queue.lock().unwrap();
            let held = std::mem::replace(&mut *self.held.lock().unwrap(), true);
            if held {
                queue.push(cx.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn release(&self) {
        let mut queue = self.queue.lock().unwrap();
        *self.held.lock().unwrap() = false;
        let first = (!queue.is_empty()).then(|| queue.remove(0));
        drop(queue);
        first.into_iter().for_each(Waker::wake);
    }
}

/// The main task and others take turns.
fn a_wake_up_is_lost(others: usize) {
    let lock = Arc::new(LooksThenQueues::default());
    let visit = |lock: Arc<LooksThenQueues>| async move {
        lock.acquire().await;
        lock.release();
    };
    let others: Vec<_> = (0..others).map(|_| spawn(visit(Arc::clone(&lock)))).collect();
    block_on(async {
        visit(lock).await;
        for other in others {
            other.await.unwrap();
        }
    });
}

/// One waiter is dropped as the main task releases; the others want a turn.
fn a_grant_is_lost(others: usize) {
    let lock = Arc::new(ForgetsTheDropped::default());
    let visit = |lock: Arc<ForgetsTheDropped>| async move {
        lock.acquire().await;
        lock.release();
    };
    block_on(async {
        lock.acquire().await;
        let dropped = spawn(visit(Arc::clone(&lock)));
        let others: Vec<_> = (1..others).map(|_| spawn(visit(Arc::clone(&lock)))).collect();
        lock.release();
        dropped.abort();
        for other in others {
            other.await.unwrap();
        }
    });
}

/// Does not do the same under the same schedule.
fn chance_is_not_the_schedulers(_: usize) {
    static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..EXECUTIONS.fetch_add(1, Ordering::Relaxed) {
        shuttle::thread::yield_now();
    }
}

/// Under which schedule the mistake was found, counted from one.
fn found(scheduler: Scheduler, most: usize, mistake: fn(usize), others: usize) -> Option<usize> {
    let schedules = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&schedules);
    let run = || {
        scheduler.run(most, move || {
            count.fetch_add(1, Ordering::Relaxed);
            mistake(others);
        });
    };
    let found = catch_unwind(AssertUnwindSafe(run)).is_err();
    let found = found.then(|| schedules.load(Ordering::Relaxed));
    println!("{scheduler:?}, {others} others: {found:?}");
    found
}

/// It takes two preemptions, each at one place.
#[test]
fn a_lost_wake_up_is_found_by_all_others() {
    for scheduler in [Random, Pct(3), Exhaustive] {
        assert!(found(scheduler, 2_000, a_wake_up_is_lost, 1).is_some(), "{scheduler:?}");
    }
}

/// Which is why there is more than one.
#[test]
fn a_lost_wake_up_is_beyond_one_preemption() {
    assert_eq!(found(Pct(2), 10_000, a_wake_up_is_lost, 1), None);
}

#[test]
fn a_grant_that_is_lost_with_its_waiter_is_found_by_the_whole_portfolio() {
    for scheduler in PORTFOLIO {
        for others in [2, 15] {
            assert!(found(scheduler, 100, a_grant_is_lost, others).is_some(), "{scheduler:?}");
        }
    }
}

#[test]
fn what_cannot_be_repeated_is_found_by_running_it_twice() {
    assert_eq!(found(Twice, 10, chance_is_not_the_schedulers, 0), Some(2));
}

/// Says that this process is the one to fail.
const ROLE: &str = "LOCKSPACE_TEST_IS_THE_CANARY";

/// What a user sees who makes a mistake, and can do about it.
#[test]
fn a_failing_schedule_is_printed_and_can_be_replayed() {
    if env::var_os(ROLE).is_some() {
        return FEW.explore(&[()], async |_| a_wake_up_is_lost(1));
    }
    let first = run_the_canary(None);
    assert!(first.contains("Twice: "), "{first}");
    let (_, schedule) = first.split_once("failing schedule:\n\"\n").expect("it is printed");
    let (schedule, _) = schedule.split_once('"').expect("it has an end");

    let again = run_the_canary(Some(schedule));
    assert!(again.contains("replaying the schedule") && !again.contains("Twice: "), "{again}");
}

/// The output of a failing test.
fn run_the_canary(schedule: Option<&str>) -> String {
    let test = "schedules::canaries::a_failing_schedule_is_printed_and_can_be_replayed";
    let mut command = Command::new(env::current_exe().expect("this test runs somewhere"));
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "1");
    command.envs(schedule.map(|schedule| ("LOCKSPACE_SCHEDULE", schedule)));
    let output = command.output().expect("it can be run once more");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("it prints text");
    assert!(!output.status.success() && text.contains("deadlock!"), "{text}");
    text
}
