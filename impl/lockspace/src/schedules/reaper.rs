//! The life of the reaper, which is the shipping one here: a task of the runtime, or a thread after that
//! has ended. It sleeps, is roused, ends, dies, and leaves no timer unserved.

use super::place::{DOOR, HOUR, NAMES};
use super::portfolio::FEW;
use super::stand_in;
use crate::{Loss, Refusal};

const GATE: &str = NAMES[1];

async fn yield_until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        shuttle::future::yield_now().await;
    }
}

/// Two tasks and the reapers. The last timer is disarmed, and the reaper ends, just as another one is
/// armed: it is served.
#[test]
fn a_timer_armed_as_the_reaper_ends_is_served() {
    FEW.explore(&[Loss::LeaseElapsed], async |place| {
        let last = place.space.acquire(GATE).lease(HOUR).await.expect("it is free").into_owned();
        let release = place.spawn(async |_| drop(last));
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let time = place.spawn_time(HOUR);
        let lost = guard.lost().await;
        release.join().await;
        time.join().await;
        lost.reason
    });
}

/// Two tasks and the reaper. It sleeps for a long lease, and is roused for a short wait.
#[test]
fn an_earlier_timer_rouses_the_reaper() {
    FEW.explore(&[Err(Refusal::TimedOut)], async |place| {
        let guard = place.space.acquire(DOOR).lease(3 * HOUR).await.expect("it is free");
        let waiter = place.spawn(async |place| {
            let answer = place.space.acquire(DOOR).wait_timeout(HOUR).await;
            place.finish(answer).await
        });
        yield_until(|| place.space.audit().waiting == 1).await;
        let time = place.spawn_time(HOUR);
        let answer = waiter.join().await;
        time.join().await;
        guard.release().expect("the lease is long");
        answer
    });
}

/// Three tasks and the reapers. Their runtime ends as timers come and go; a lease ends in time all the
/// same. Outcome: how the other hold ended.
#[test]
fn a_runtime_that_ends_leaves_no_timer_unserved() {
    FEW.explore(&[true, false], async |place| {
        let other = place.space.acquire(GATE).lease(HOUR).await.expect("it is free").into_owned();
        let end = place.spawn(async |_| stand_in::end_runtime());
        let release = place.spawn(async |_| other.release().is_ok());
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let time = place.spawn_time(HOUR);
        guard.lost().await;
        end.join().await;
        time.join().await;
        release.join().await
    });
}

/// Two tasks and the reaper. The last handle goes while a lease is armed, since its guard was leaked: the
/// reaper ends and does not wait for the lease.
#[test]
fn the_reaper_goes_with_the_last_handle() {
    FEW.explore(&[()], async |_| {
        let space = crate::LockSpace::builder().shards(1).build();
        let other = space.clone();
        let task = shuttle::future::spawn(async move { drop(other) });
        std::mem::forget(space.acquire(DOOR).lease(HOUR).await.expect("it is free"));
        drop(space);
        task.await.expect("nobody cancels it");
        stand_in::all_over().await;
    });
}

/// A task and the reapers. The runtime ends while a lease is armed, and not even a thread can be had: the
/// next timer has a reaper started, which serves both.
#[test]
fn a_reaper_that_could_not_be_had_is_tried_again_with_the_next_timer() {
    FEW.explore(&[Loss::LeaseElapsed], async |place| {
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        stand_in::refuse_threads();
        stand_in::end_runtime();
        yield_until(|| !place.space.audit().reaper).await;
        let later = place.space.acquire(GATE).lease(2 * HOUR).await.expect("it is free");
        assert!(place.space.audit().reaper);
        let time = place.spawn_time(HOUR);
        let lost = guard.lost().await;
        time.join().await;
        later.release().expect("its lease is longer");
        lost.reason
    });
}
