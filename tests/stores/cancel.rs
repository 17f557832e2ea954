//! Whoever drops an acquire leaves nothing, whatever the store is at just then; and leases of those who
//! have to queue.

use std::time::Duration;

use lockspace::store::Memory;
use lockspace::{Guard, Loss};
use tokio::time::Instant;

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, settle, within};

/// How a name is when the acquire that is dropped asks for it.
#[derive(Clone, Copy, Debug)]
enum Name {
    Free,
    Held,
    /// Held, and released while the acquire is under way.
    Released,
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_is_dropped_at_any_call_leaves_nothing() {
    let mut reached = [0; 5];
    for fate in [
        Fate::Done,
        Fate::Slow(700),
        Fate::AnswerLost,
        Fate::RequestLost,
        Fate::Swallowed,
        Fate::Refused,
    ] {
        for name in [Name::Free, Name::Held, Name::Released] {
            for (call, reached) in reached.iter_mut().enumerate() {
                let told = format!("{fate:?} at {call}, {name:?}");
                let inner = Memory::new();
                let store = Faulty::over(inner.clone());
                let (here, there) = (open(inner.clone()).await, open(store.clone()).await);
                let mut guard = match name {
                    Name::Free => None,
                    _ => Some(here.acquire(NAME).await.unwrap()),
                };
                let before = store.calls();
                store.at(before + call, fate);
                let dropped = tokio::spawn({
                    let there = there.clone();
                    async move { there.acquire(NAME).await.map(Guard::into_owned) }
                });
                let until = Instant::now() + TTL / 5;
                while store.calls() <= before + call && Instant::now() < until {
                    settle().await;
                    guard = guard.filter(|_| !matches!(name, Name::Released));
                }
                *reached += usize::from(store.calls() > before + call);
                // Granted or not: a task that is dropped drops its guard too.
                dropped.abort();
                drop(dropped);
                drop(guard);
                pass(3 * TTL).await;
                assert!(there.audit().is_quiescent(), "{told}: {}", there.audit());
                assert_eq!(names(&inner).await, [""; 0], "{told}");
                within(TTL, here.acquire(NAME)).await.unwrap().release().unwrap();
                within(TTL, there.acquire(NAME)).await.unwrap().release().unwrap();
            }
        }
    }
    assert!(reached.iter().all(|times| *times >= 6), "some calls were never reached: {reached:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_the_grant_and_not_from_the_queue() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let lease = Duration::from_secs(2);
    let waits = tokio::spawn(async move {
        let guard = there.acquire(NAME).lease(lease).await.unwrap();
        let granted = Instant::now();
        let lost = guard.lost().await;
        (lost.reason, granted.elapsed())
    });
    pass(5 * lease).await;
    assert!(!waits.is_finished());
    drop(guard);
    let (reason, after) = within(2 * lease, waits).await.unwrap();
    assert_eq!(reason, Loss::LeaseElapsed);
    assert!(after >= lease && after < lease + Duration::from_millis(100), "{after:?}");
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn leases_alone_bring_everybody_in_the_queues_of_all_processes_to_an_end() {
    let store = Memory::new();
    let lease = Duration::from_secs(1);
    let mut spaces = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let space = open(store.clone()).await;
        for _ in 0..3 {
            let space = space.clone();
            tasks.push(tokio::spawn(async move {
                let guard = space.acquire(NAME).lease(lease).await.unwrap();
                let granted = Instant::now();
                // It never releases, and another one is granted only when this one is told.
                let lost = guard.lost().await;
                (lost.token, granted, lost.reason)
            }));
        }
        spaces.push(space);
        settle().await;
    }
    let mut holds = Vec::new();
    for task in tasks {
        holds.push(within(20 * lease, task).await.unwrap());
    }
    assert!(holds.iter().all(|(_, _, reason)| *reason == Loss::LeaseElapsed));
    holds.sort_unstable_by_key(|(token, ..)| *token);
    for pair in holds.windows(2) {
        assert!(pair[0].0 < pair[1].0, "no token twice");
        assert!(pair[1].1 - pair[0].1 >= lease, "two at once: {pair:?}");
    }
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
    assert!(spaces.iter().all(|space| space.audit().is_quiescent()));
}
