//! Hints of a store: what they bring, and what they cost where they come for no reason.

use std::time::Duration;

use lockspace::store::Memory;

use crate::faulty::{Fate, Faulty};
use crate::{NAME, open, settle, within};

#[tokio::test(start_paused = true)]
async fn a_release_is_heard_of_although_an_earlier_hint_came_for_no_reason() {
    let inner = Memory::new();
    let holder = open(inner.clone()).await;
    let guard = holder.acquire(NAME).await.unwrap();
    let store = Faulty::over(inner).with_hints();
    // As a server does that tells of our own swap when it has answered it long ago.
    store.hints_in_vain(3);
    let space = open(store).await;
    let waiting = tokio::spawn(async move { space.acquire(NAME).await.unwrap().release() });
    settle().await;
    guard.release().unwrap();
    // Long before the row is looked at in its own time.
    within(Duration::from_millis(10), waiting).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn hints_that_only_come_for_no_reason_cost_a_few_looks() {
    let inner = Memory::new();
    let holder = open(inner.clone()).await;
    let _guard = holder.acquire(NAME).await.unwrap();
    let store = Faulty::over(inner).with_hints();
    store.hints_in_vain(usize::MAX);
    let space = open(store.clone()).await;
    let before = store.calls_about_names();
    let _waiting = tokio::spawn(async move { drop(space.acquire(NAME).await) });
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Eight looks, or one in its own time and eight, at least every 2.8 seconds.
    let looks = store.calls_about_names() - before;
    assert!((60..=60 * 9 / 2).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_release_between_a_look_and_the_listening_that_follows_is_heard_of() {
    let slow = Duration::from_secs(1);
    for call in 0..4 {
        let inner = Memory::new();
        let holder = open(inner.clone()).await;
        let guard = holder.acquire(NAME).await.unwrap();
        let store = Faulty::over(inner).with_hints();
        let space = open(store.clone()).await;
        // What it is told is true when it is written, and not any more when it arrives.
        store.at(store.calls() + call, Fate::Slow(1_000));
        let waiting = tokio::spawn(async move { space.acquire(NAME).await.unwrap().release() });
        tokio::time::sleep(slow / 2).await;
        guard.release().unwrap();
        // Long before the row is looked at in its own time.
        let soon = slow / 2 + Duration::from_millis(10);
        within(soon, waiting).await.unwrap().unwrap_or_else(|lost| panic!("{call}: {lost}"));
    }
}
