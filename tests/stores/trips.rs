//! What it costs, in calls to the store.

use std::time::Duration;

use lockspace::store::Memory;

use crate::faulty::Faulty;
use crate::{NAME, names, open, settle};

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
