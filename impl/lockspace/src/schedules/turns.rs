//! A release, its waiters and newcomers: tasks, threads, and those who do not wait.

use super::place::{DOOR, Place};
use super::portfolio::FEW;
use crate::Refusal;

/// Two tasks, under every schedule. Outcome: who came first, and whether the other had to wait.
#[test]
fn two_tasks_take_turns() {
    let outcomes = [(true, 0), (true, 1), (false, 0), (false, 1)];
    FEW.and_all(1_000_000).explore(&outcomes, async |place| {
        let other = place.spawn(Place::visit);
        let mine = place.visit().await;
        (mine < other.join().await, place.space.stats().queued)
    });
}

/// Three tasks. Outcome: who of the other two came first, and how many had to wait.
#[test]
fn three_tasks_take_turns() {
    let outcomes = [true, false].map(|first| [0, 1, 2].map(|waited| (first, waited)));
    FEW.explore(outcomes.as_flattened(), async |place| {
        let [second, third] = [(); 2].map(|()| place.spawn(Place::visit));
        place.visit().await;
        (second.join().await < third.join().await, place.space.stats().queued)
    });
}

/// Two tasks and a thread in one queue. Outcome: how many of them had to wait.
#[test]
fn tasks_and_threads_wait_in_one_queue() {
    FEW.explore(&[0, 1, 2], async |place| {
        let task = place.spawn(Place::visit);
        let thread = place.spawn_thread(|place| {
            let guard = place.space.acquire(DOOR).blocking().expect("nobody refuses");
            assert!(place.resources[0].enter(guard.fencing_token()).undisturbed(), "S1, S2");
        });
        place.visit().await;
        task.join().await;
        thread.join().expect("it did not panic");
        place.space.stats().queued
    });
}

/// Three tasks, one of which does not wait. Outcome: how it was answered, and how many had to wait.
#[test]
fn whoever_does_not_wait_is_answered_at_once() {
    let outcomes =
        [(Ok(()), 0), (Ok(()), 1), (Ok(()), 2), (Err(Refusal::Busy), 0), (Err(Refusal::Busy), 1)];
    FEW.explore(&outcomes, async |place| {
        let waiter = place.spawn(Place::visit);
        let impatient =
            place.spawn(async |place| place.finish(place.space.try_acquire(DOOR)).await);
        place.visit().await;
        waiter.join().await;
        (impatient.join().await.map(drop), place.space.stats().queued)
    });
}
