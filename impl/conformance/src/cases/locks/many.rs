//! Several processes that want the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lockspace::store::record::Record;
use lockspace::store::{Key, Options, Row, Store};
use tokio::task::JoinSet;

use super::super::Looked;
use super::{
    LIMIT, NAME, TTL, behind_a_line, hold, nothing_is_left, opened, process, until, until_queued,
};
use crate::line::Fault;
use crate::place::Place;

pub(crate) async fn one_at_a_time_is_inside(place: Place) -> Looked {
    let (inside, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let mut spaces = Vec::new();
    let mut users = JoinSet::new();
    for _ in 0..3 {
        let space = process(&place).await;
        spaces.push(Arc::clone(&space));
        for _ in 0..3 {
            let (space, inside, last) =
                (Arc::clone(&space), Arc::clone(&inside), Arc::clone(&last));
            users.spawn(async move {
                for _ in 0..8 {
                    let guard = hold(&space).await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                    let token = guard.fencing_token().0;
                    let before = last.swap(token, Ordering::SeqCst);
                    assert!(before < token, "{token} was granted after {before}");
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    assert!(!guard.is_lost(), "a hold was lost for no reason");
                    guard.release().expect("it is held");
                }
            });
        }
    }
    while let Some(ended) = users.join_next().await {
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    nothing_is_left(&place, &spaces.iter().map(|space| &**space).collect::<Vec<_>>()).await;
    Ok(())
}

pub(crate) async fn processes_are_served_in_the_order_in_which_they_came(place: Place) -> Looked {
    let store = place.open().await;
    let holder = process(&place).await;
    let guard = hold(&holder).await;
    let (mut spaces, mut users) = (vec![holder], JoinSet::new());
    let served = Arc::new(std::sync::Mutex::new(Vec::new()));
    for number in 0..3 {
        let space = process(&place).await;
        spaces.push(Arc::clone(&space));
        let served = Arc::clone(&served);
        users.spawn(async move {
            let guard = hold(&space).await;
            served.lock().expect("nobody panics with it").push(number);
            drop(guard);
        });
        until_queued(&store, number + 1).await;
    }
    drop(guard);
    users.join_all().await;
    assert_eq!(*served.lock().expect("nobody panics with it"), [0, 1, 2]);
    nothing_is_left(&place, &spaces.iter().map(|space| &**space).collect::<Vec<_>>()).await;
    Ok(())
}

/// A hint is never a proof, and a store may claim none: whoever waits gets on without.
pub(crate) async fn hints_that_are_lost_hinder_nobody(place: Place) -> Looked {
    let store = place.open().await;
    let (here, _) = behind_a_line(&place, Some(Fault::Deaf)).await;
    let (there, _) = behind_a_line(&place, Some(Fault::Deaf)).await;
    let mut guard = hold(&here).await;
    for turn in 0..6 {
        let waiting = Arc::clone(if turn % 2 == 0 { &there } else { &here });
        let waiting = tokio::spawn(async move { hold(&waiting).await });
        until_queued(&store, 1).await;
        let (last, released) = (guard.fencing_token(), Instant::now());
        guard.release().expect("it is held");
        guard = waiting.await.expect("it is granted");
        assert!(last < guard.fencing_token(), "{} after {last}", guard.fencing_token());
        // Whoever looks again every 100 ms needs no takeover to get on.
        assert!(released.elapsed() < TTL, "it took {:?}", released.elapsed());
    }
    drop(guard);
    nothing_is_left(&place, &[&here, &there]).await;
    Ok(())
}

pub(crate) async fn a_shutdown_with_many_held_and_waiting_leaves_nothing(place: Place) -> Looked {
    let store = place.open().await;
    // Who waits for many names looks at each of them: in the usual intervals, not in those of the
    // other cases.
    let (here, _) = opened(&place, Options::new(), None).await;
    let (there, _) = opened(&place, Options::new(), None).await;
    let mut holders = JoinSet::new();
    for number in 0..place.many() {
        let space = Arc::clone(&here);
        let name = format!("{NAME}/{number}");
        holders.spawn(async move {
            let held = space.acquire(&name).wait_timeout(LIMIT).await;
            held.expect("nobody else wants it").into_owned()
        });
    }
    let guards = holders.join_all().await;
    let mut waiters = JoinSet::new();
    for number in 0..place.many() {
        let space = Arc::clone(&there);
        let name = format!("{NAME}/{number}");
        waiters.spawn(async move { space.acquire(&name).await.map(drop) });
    }
    let queued = |row: &Row| Record::read(&row.bytes).is_ok_and(|record| record.queue.len() == 1);
    let all = async || {
        let rows = store.scan(Key::LOCKS).await;
        rows.is_ok_and(|rows| rows.len() == place.many() && rows.iter().all(queued))
    };
    until("everybody in the queue", all).await;
    there.begin_shutdown(Duration::ZERO);
    assert!(waiters.join_all().await.iter().all(Result::is_err), "a shutdown grants nothing");
    nothing_is_left(&place, &[&there, &here]).await;
    assert!(guards.iter().all(lockspace::Guard::is_lost), "what was held is lost");
    Ok(())
}
