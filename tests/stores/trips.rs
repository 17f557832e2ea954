//! What it costs, in calls to the store.

use std::time::Duration;

use lockspace::store::Memory;

use crate::faulty::Faulty;
use crate::{NAME, TTL, names, open, pass, settle};

#[tokio::test(start_paused = true)]
async fn an_acquire_takes_one_call_and_a_release_one() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let before = store.calls();
    let guard = space.acquire(NAME).await.unwrap();
    assert_eq!(store.calls() - before, 1);
    guard.release().unwrap();
    settle().await;
    assert_eq!(store.calls() - before, 2);
    assert_eq!(names(&store.inner).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_held_name_costs_no_calls_of_its_own() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let _guard = space.acquire(NAME).await.unwrap();
    let before = store.calls_about_names();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(store.calls_about_names(), before);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_wait_here_are_one_at_the_store() {
    let inner = Memory::new();
    let holder = open(inner.clone()).await;
    let guard = holder.acquire(NAME).await.unwrap();

    let store = Faulty::over(inner.clone()).with_hints();
    let space = open(store.clone()).await;
    let before = store.calls_about_names();
    let waiting: Vec<_> = (0..1_000)
        .map(|_| {
            let space = space.clone();
            tokio::spawn(async move { space.acquire(NAME).await.unwrap().release().unwrap() })
        })
        .collect();
    settle().await;
    // Tries, looks, joins.
    assert_eq!(store.calls_about_names() - before, 3);
    assert_eq!(space.audit().waiting, 1_000);

    drop(guard);
    for task in waiting {
        task.await.unwrap();
    }
    settle().await;
    // Sees that it holds; then one swap for each hand-over, and one for the last release.
    assert_eq!(store.calls_about_names() - before, 3 + 1 + 999 + 1);
    assert!(space.audit().is_quiescent(), "{}", space.audit());
    assert_eq!(names(&inner).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_does_nothing_costs_the_same_however_many_there_are() {
    let store = Faulty::over(Memory::new());
    let mut spaces = Vec::new();
    for _ in 0..30 {
        spaces.push(open(store.clone()).await);
    }
    pass(TTL).await;
    let before = store.calls();
    pass(10 * TTL).await;
    // In ten ttl 34 keep-alives, and two scans at least every three quarters of one.
    let each = (store.calls() - before) / spaces.len();
    assert!((50..=34 + 2 * 14).contains(&each), "{each}");
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_costs_no_look_at_the_sessions_of_those_who_wait() {
    let store = Faulty::over(Memory::new()).with_hints();
    let holder = open(store.clone()).await;
    let guard = holder.acquire(NAME).await.unwrap();
    let (mut spaces, mut waiting) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let space = open(store.clone()).await;
        spaces.push(space.clone());
        waiting.push(tokio::spawn(async move { space.acquire(NAME).await.unwrap().release() }));
        settle().await;
    }
    // Each has looked at those before it once, when it came.
    let before = store.calls_about_sessions();
    assert!(before >= 40 * 41 / 2, "{before}");
    guard.release().unwrap();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert_eq!(store.calls_about_sessions() - before, 0);
}
