//! A wait timeout or the end of a lease, and whatever else happens then. A task lets the time pass; the
//! reaper is the shipping one, as a task of its own.

use super::place::{DOOR, HOUR, Place};
use super::portfolio::FEW;
use super::stand_in::time;
use crate::{Loss, Refusal, WaitError};

const TIMED_OUT: Result<(), Refusal> = Err(Refusal::TimedOut);

async fn wait_an_hour(place: &Place) -> Result<(), Refusal> {
    let answer = place.space.acquire(DOOR).wait_timeout(HOUR).await;
    place.finish(answer).await.map(drop)
}

fn wait_an_hour_as_a_thread(place: &Place) -> Result<(), Refusal> {
    let answer = place.space.acquire(DOOR).wait_timeout(HOUR).blocking();
    answer.map(drop).map_err(|error| error.refusal().expect("the protocol was asked"))
}

/// Three tasks and the reaper. The holder releases as the wait timeout ends.
#[test]
fn a_release_meets_the_wait_timeout() {
    FEW.explore(&[Ok(()), TIMED_OUT], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn(wait_an_hour);
        let time = place.spawn_time(HOUR);
        drop(guard);
        time.join().await;
        waiter.join().await
    });
}

/// Two tasks and the reaper. Nobody releases before the wait timeout has ended: it does end.
#[test]
fn a_wait_ends_in_time() {
    FEW.explore(&[TIMED_OUT], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn(wait_an_hour);
        time::awaited().await;
        place.spawn_time(HOUR).join().await;
        let answer = waiter.join().await;
        drop(guard);
        answer
    });
}

/// A task and a thread. Nobody releases before the thread's wait timeout has ended: it does end.
#[test]
fn a_wait_of_a_thread_ends_in_time() {
    FEW.explore(&[TIMED_OUT], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn_thread(wait_an_hour_as_a_thread);
        time::awaited().await;
        place.spawn_time(HOUR).join().await;
        let answer = waiter.join().expect("it did not panic");
        drop(guard);
        answer
    });
}

/// Three tasks. As for a task, but a blocked thread keeps the time itself.
#[test]
fn a_release_meets_the_wait_timeout_of_a_thread() {
    FEW.explore(&[Ok(()), TIMED_OUT], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn_thread(wait_an_hour_as_a_thread);
        let time = place.spawn_time(HOUR);
        drop(guard);
        time.join().await;
        waiter.join().expect("it did not panic")
    });
}

/// Four tasks and the reaper. The wait timeout ends as the waiter is dropped, and somebody waits behind
/// it. Outcome: how it was answered, if it was.
#[test]
fn a_dropped_waiter_meets_its_wait_timeout() {
    FEW.explore(&[None, Some(Ok(())), Some(TIMED_OUT)], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn(wait_an_hour);
        let next = place.spawn(Place::visit);
        let time = place.spawn_time(HOUR);
        drop(guard);
        let answer = waiter.cancel().await;
        time.join().await;
        next.join().await;
        answer
    });
}

/// Three tasks and the reaper. The lease ends as its holder releases, and somebody waits. Outcome: why
/// it was lost, if it was.
#[test]
fn a_release_meets_the_end_of_the_lease() {
    FEW.explore(&[None, Some(Loss::LeaseElapsed)], async |place| {
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let next = place.spawn(Place::visit);
        let time = place.spawn_time(HOUR);
        let lost = guard.release().err().map(|lost| lost.reason);
        time.join().await;
        next.join().await;
        lost
    });
}

/// Three tasks and the reaper. The lease is renewed as it ends. Outcome: whether the renewal came in
/// time, and whether the hold was released in the end.
#[test]
fn a_renewal_meets_the_end_of_the_lease() {
    FEW.explore(&[(true, true), (false, false)], async |place| {
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let next = place.spawn(Place::visit);
        let time = place.spawn_time(HOUR);
        let renewed = guard.renew(2 * HOUR).is_ok();
        time.join().await;
        let released = guard.release().is_ok();
        next.join().await;
        (renewed, released)
    });
}

/// Two tasks and the reaper. A holder that never releases is told of the end of its lease, and whoever
/// waits is granted. Outcome: what it was told.
#[test]
fn a_holder_is_told_of_the_end_of_its_lease() {
    FEW.explore(&[Loss::LeaseElapsed], async |place| {
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let next = place.spawn(Place::visit);
        let time = place.spawn_time(HOUR);
        let lost = guard.lost().await;
        next.join().await;
        time.join().await;
        assert!(guard.is_lost() && guard.release().is_err(), "S8");
        lost.reason
    });
}

/// Three tasks and the reaper. A stale holder goes on using what it lost: the resource can tell by the
/// tokens. Outcome: whether it was overtaken, and whether it was lost.
#[test]
fn whoever_was_overtaken_finds_out_from_its_release() {
    FEW.explore(&[(false, false), (false, true), (true, true)], async |place| {
        let guard = place.space.acquire(DOOR).lease(HOUR).await.expect("it is free");
        let next = place.spawn(async |place| {
            let guard = place.space.acquire(DOOR).await.expect("nobody refuses");
            place.resources[0].enter(guard.fencing_token());
        });
        let time = place.spawn_time(HOUR);
        let visit = place.resources[0].enter(guard.fencing_token());
        shuttle::future::yield_now().await;
        let overtaken = visit.overtaken();
        let lost = guard.release().is_err();
        time.join().await;
        next.join().await;
        (overtaken, lost)
    });
}

/// Two tasks. Somebody waits for the end of a hold, with a limit, and wants no lock. Outcome: whether it
/// ended within the limit.
#[test]
fn a_release_meets_the_limit_of_whoever_watches() {
    FEW.explore(&[true, false], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let watcher = place.spawn(async |place| {
            match place.space.wait_until_released(DOOR, Some(HOUR)).await {
                Ok(()) => true,
                Err(WaitError::TimedOut { .. }) => false,
                Err(error) => unreachable!("{error}"),
            }
        });
        let time = place.spawn_time(HOUR);
        drop(guard);
        time.join().await;
        watcher.join().await
    });
}
