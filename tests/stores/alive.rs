//! Processes that do not run for long: they wait behind nobody who lives, and are granted what the dead left.

use std::future::IntoFuture;
use std::time::Duration;

use lockspace::store::record::{Claim, Record, RecordError, SessionId, SessionRecord};
use lockspace::store::{Memory, OperateError, Store};
use lockspace::{AcquireError, LockSpace};
use lockspace_tests::Hand;
use tokio::time::Instant;

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, rows, settle, within};

/// A session that lives is kept alive every third of the time for which it trusts itself; one look more.
const SEEN: Duration = Duration::from_millis(4_750);

/// The documented bound: the ttl and two looks, one every quarter of it; no round trip takes time here.
const TAKEN_OVER: Duration = Duration::from_millis(22_600);

/// From one look to the next, and no longer.
const LOOK: Duration = Duration::from_millis(251);

/// What a process that was killed has left: its session, and its place in the line for the name.
async fn dead(store: &Memory, line: &[u128]) {
    let claim = |id: &u128| Claim { session: SessionId(*id), number: 1 };
    for id in line {
        let key = format!("session/{}", SessionId(*id));
        let row = SessionRecord::new(TTL, "dead").to_string();
        store.swap(&key, None, Some(row.as_bytes())).await.unwrap();
    }
    let (holder, queue) = line.split_first().unwrap();
    let queue = queue.iter().map(claim).collect();
    let row = Record { queue, ..Record::held_by(claim(holder)) }.to_string();
    store.swap(&format!("lock/{NAME}"), None, Some(row.as_bytes())).await.unwrap();
}

/// Asks for the name, unless somebody lives who stands before.
async fn impatient(space: &LockSpace) -> Option<lockspace::Guard<'_>> {
    tokio::select! {
        biased;
        guard = space.acquire(NAME) => Some(guard.unwrap()),
        alive = space.until_seen_alive(NAME) => alive.map(|()| None).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_refused_at_once_again_and_again_never_gets_what_a_dead_one_has_left() {
    let store = Memory::new();
    dead(&store, &[1]).await;
    let begun = Instant::now();
    while begun.elapsed() < 20 * TTL {
        let space = open(store.clone()).await;
        let refused = space.acquire(NAME).wait_timeout(Duration::ZERO).await;
        assert!(matches!(refused, Err(AcquireError::Busy { .. })), "{refused:?}");
        let refused = space.acquire(NAME).wait_timeout(TTL / 2).await;
        assert!(matches!(refused, Err(AcquireError::TimedOut(_))), "{refused:?}");
        drop(refused);
        space.shutdown(Duration::ZERO).await;
    }
    assert_eq!(names(&store).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_dead_have_left_is_granted_within_the_bound_however_many_they_are() {
    for line in [&[1][..], &[1, 2], &[1, 2, 3]] {
        let store = Memory::new();
        dead(&store, line).await;
        let space = open(store.clone()).await;
        let guard = within(TAKEN_OVER, impatient(&space)).await;
        guard.expect("nobody lives").release().unwrap();
        within(TTL, space.shutdown(Duration::ZERO)).await;
        assert_eq!(rows(&store).await, [""; 0], "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_lives_is_seen_within_a_third_of_its_ttl_again_and_again() {
    let store = Memory::new();
    let here = open(store.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    for _ in 0..20 {
        let there = open(store.clone()).await;
        assert!(within(SEEN, impatient(&there)).await.is_none());
        within(TTL, there.shutdown(Duration::ZERO)).await;
    }
    assert!(!guard.is_lost());
    assert_eq!(rows(&store).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_a_long_line_eight_are_looked_at_at_once_and_the_one_that_lives_is_found() {
    let inner = Memory::new();
    dead(&inner, &(1..=40).collect::<Vec<_>>()).await;
    let here = open(inner.clone()).await;
    let _waits = Hand::new(here.acquire(NAME).into_future()).waits();
    settle().await;
    let store = Faulty::over(inner);
    let there = open(store.clone()).await;
    let (names, sessions) = (store.calls_about_names(), store.calls_about_sessions());
    // It is the last one of 41, and is seen twice: once before its row moves on, and once after.
    within(SEEN + 2 * 6 * LOOK, there.until_seen_alive(NAME)).await.unwrap();
    let looks = store.calls_about_names() - names;
    let kept_alive = 2;
    assert!(looks >= 6, "{looks}");
    assert!(store.calls_about_sessions() - sessions <= 8 * looks + kept_alive);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_free_or_comes_free_is_granted() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    within(TTL / 100, impatient(&there)).await.expect("it is free").release().unwrap();
    let guard = here.acquire(NAME).await.unwrap();
    let granted = tokio::spawn(async move { impatient(&there).await.is_some() });
    settle().await;
    drop(guard);
    assert!(within(SEEN, granted).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn of_two_behind_a_dead_one_the_second_is_refused_and_the_first_is_granted() {
    let store = Memory::new();
    dead(&store, &[1]).await;
    let (first, second) = (open(store.clone()).await, open(store.clone()).await);
    let granted = tokio::spawn(async move { impatient(&first).await.is_some() });
    settle().await;
    assert!(within(SEEN, impatient(&second)).await.is_none(), "the first one lives");
    assert!(
        within(TAKEN_OVER, granted).await.unwrap(),
        "that another one lives behind it is nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_the_name_in_the_same_process_lives() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    assert!(within(LOOK, impatient(&space)).await.is_none());
    drop(guard);
    settle().await;
    // Two of one process behind a dead one: the second waits behind the first, who is granted and lives.
    dead(&store, &[1]).await;
    let first = tokio::spawn({
        let space = space.clone();
        async move { space.acquire(NAME).await.unwrap().into_owned() }
    });
    settle().await;
    assert!(within(TAKEN_OVER + SEEN, impatient(&space)).await.is_none());
    assert!(!within(TTL, first).await.unwrap().is_lost());
}

/// On a runtime of several threads a grant comes at any moment, also between two polls of the same task.
#[tokio::test(start_paused = true)]
async fn whoever_was_granted_the_name_and_has_not_looked_is_not_in_its_own_way() {
    let space = open(Memory::new()).await;
    let asks = Hand::new(space.acquire(NAME).into_future()).waits();
    settle().await;
    assert_eq!(space.audit().unseen, 1, "it was granted");
    let _sees_nobody = Hand::new(Box::pin(space.until_seen_alive(NAME))).waits();
    drop(asks.answer().unwrap());
}

#[tokio::test(start_paused = true)]
async fn that_nobody_can_be_seen_is_told() {
    assert_eq!(LockSpace::new().until_seen_alive(NAME).await, Err(OperateError::NoStore));
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let space = open(store.clone()).await;
    let bad = space.until_seen_alive("").await;
    assert!(matches!(bad, Err(OperateError::InvalidName(_))), "{bad:?}");
    for fate in [Fate::Refused, Fate::Swallowed, Fate::RequestLost] {
        store.usually(fate);
        let down = within(TTL, space.until_seen_alive(NAME)).await;
        assert!(matches!(down, Err(OperateError::Store { .. })), "{fate:?}: {down:?}");
    }
    store.usually(Fate::Done);
    inner.swap(&format!("lock/{NAME}"), None, Some(b"{}")).await.unwrap();
    let unreadable = space.until_seen_alive(NAME).await;
    let Err(OperateError::Unreadable { problem, .. }) = unreadable else {
        panic!("{unreadable:?}")
    };
    assert_eq!(problem, RecordError::Foreign);
}

#[tokio::test(start_paused = true)]
async fn two_failures_are_not_yet_the_end() {
    let inner = Memory::new();
    let here = open(inner.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    let store = Faulty::over(inner.clone());
    let there = open(store.clone()).await;
    for call in 0..2 {
        store.at(store.calls() + call, Fate::Refused);
    }
    within(SEEN, there.until_seen_alive(NAME)).await.unwrap();
    assert!(!guard.is_lost());
}
