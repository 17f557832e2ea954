//! Rows that cannot be read: nobody overwrites them, nobody takes what they stand for, everybody is told.

use std::time::Duration;

use lockspace::store::record::RecordError;
use lockspace::store::{Key, Memory, Store};
use lockspace::{AcquireError, Loss, SessionEnd};

use crate::{NAME, TTL, names, open, pass, settle, within};

/// Writes `bytes` over every row whose key begins so; answers the keys.
async fn spoil(store: &Memory, prefix: &str, bytes: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    for row in store.scan(prefix).await.unwrap() {
        store.swap(&row.key, Some(row.version), Some(bytes)).await.unwrap();
        keys.push(row.key);
    }
    keys
}

#[tokio::test(start_paused = true)]
async fn what_a_session_holds_whose_row_cannot_be_read_is_not_taken_and_the_row_is_named() {
    for (bytes, problem) in [
        (&b"lockspace-session/1 ttl_ms=soon label="[..], RecordError::Damaged),
        (b"lockspace-session/9 ?", RecordError::Newer { format: 9 }),
        (b"{}", RecordError::Foreign),
    ] {
        let store = Memory::new();
        let here = open(store.clone()).await;
        let guard = here.acquire(NAME).await.unwrap();
        let spoilt = spoil(&store, Key::SESSIONS, bytes).await;
        let there = open(store.clone()).await;
        let error = within(TTL, there.acquire(NAME)).await.unwrap_err();
        let AcquireError::UnreadableSession(error) = error else { panic!("{error}") };
        assert_eq!((&vec![error.row.to_string()], error.problem), (&spoilt, problem));
        assert!(error.to_string().contains(&spoilt[0]), "{error}");

        // The holder learns it too, and nothing is given to anybody, however long it lasts.
        let lost = within(TTL, guard.lost()).await;
        assert_eq!(lost.reason, Loss::Session(SessionEnd::Unreadable));
        drop(guard);
        for space in [&here, &there] {
            pass(10 * TTL).await;
            let again = space.acquire(NAME).wait_timeout(TTL).await.unwrap_err();
            assert!(matches!(again, AcquireError::UnreadableSession(_)), "{again}");
            assert!(space.audit().is_quiescent(), "{}", space.audit());
        }
        let (version, found) = store.load(&spoilt[0]).await.unwrap().expect("it is left alone");
        assert_eq!(found, bytes);
        assert_eq!(names(&store).await.len(), 1);

        // Somebody removes it, and what it held comes free.
        store.swap(&spoilt[0], Some(version), None).await.unwrap();
        within(TTL, there.acquire(NAME)).await.unwrap().release().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_already_is_told_of_a_row_that_cannot_be_read_any_more() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let _guard = here.acquire(NAME).await.unwrap();
    let other = here.acquire("other").await.unwrap();
    let waits = tokio::spawn(async move {
        let error = there.acquire(NAME).await.map(drop).unwrap_err();
        // A name that has nothing to do with it is as usual.
        there.acquire("free").await.unwrap().release().unwrap();
        error
    });
    settle().await;
    let mut sessions = store.scan(Key::SESSIONS).await.unwrap();
    let row = store.load(&format!("lock/{NAME}")).await.unwrap().unwrap().1;
    let row = String::from_utf8(row).unwrap();
    let is_holder = |id: &str| row.contains(&format!("holder={id}"));
    sessions.retain(|row| is_holder(row.key.strip_prefix(Key::SESSIONS).unwrap()));
    assert_eq!(sessions.len(), 1);
    store.swap(&sessions[0].key, Some(sessions[0].version), Some(b"\xff")).await.unwrap();
    let error = within(TTL, waits).await.unwrap();
    assert!(
        matches!(&error, AcquireError::UnreadableSession(of) if of.row.to_string() == sessions[0].key)
    );
    drop(other);
    pass(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_name_that_cannot_be_read_is_told_and_left_alone() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let spoilt = spoil(&store, Key::LOCKS, b"lockspace-lock/1 holder=").await;
    let error = within(TTL, there.acquire(NAME)).await.unwrap_err();
    let AcquireError::Unreadable { problem, .. } = &error else { panic!("{error}") };
    assert_eq!(*problem, RecordError::Damaged);
    assert!(error.to_string().contains(&spoilt[0]), "{error}");
    // Whoever removes the row gives the name to the next one: the holder must not go on.
    let lost = within(2 * TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Unreadable);
    drop(guard);
    pass(3 * TTL).await;
    let (_, found) = store.load(&spoilt[0]).await.unwrap().expect("it is left alone");
    assert_eq!(found, b"lockspace-lock/1 holder=");
    assert!(here.audit().is_quiescent() && there.audit().is_quiescent());
}
