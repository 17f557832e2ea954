//! Processes that crash or stand still.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout;

use super::super::Looked;
use super::{LIMIT, NAME, TTL, behind_a_line, hold, nothing_is_left, process, until_queued};
use crate::place::Place;

/// Beyond the protocol's bound of two ttls: what a busy machine may add.
pub(super) const SLACK: u32 = 4;

pub(crate) async fn a_holder_that_crashes_is_replaced(place: Place) -> Looked {
    let (space, line) = behind_a_line(&place, None).await;
    let other = process(&place).await;
    let guard = hold(&space).await;
    let crashed = Instant::now();
    line.cut();
    let next = hold(&other).await;
    assert!(guard.fencing_token() < next.fencing_token());
    assert!(crashed.elapsed() < TTL * SLACK, "it took {:?}", crashed.elapsed());
    drop(next);
    nothing_is_left(&place, &[&other]).await;
    drop(guard);
    Ok(())
}

pub(crate) async fn a_waiter_that_crashes_is_passed_over(place: Place) -> Looked {
    let store = place.open().await;
    let (holder, (first, line)) = (process(&place).await, behind_a_line(&place, None).await);
    let second = process(&place).await;
    let guard = hold(&holder).await;
    let first = tokio::spawn(async move { first.acquire(NAME).await.map(drop) });
    until_queued(&store, 1).await;
    line.cut();
    let waiting = Arc::clone(&second);
    let waiting = tokio::spawn(async move { hold(&waiting).await });
    until_queued(&store, 2).await;
    let crashed = Instant::now();
    drop(guard);
    drop(waiting.await.expect("it is granted"));
    assert!(crashed.elapsed() < TTL * SLACK, "it took {:?}", crashed.elapsed());
    first.abort();
    nothing_is_left(&place, &[&holder, &second]).await;
    Ok(())
}

/// Whether it is gone or stands still, nobody can know: so it must know by itself, in time.
pub(crate) async fn a_holder_that_was_cut_off_knows_before_it_is_replaced(place: Place) -> Looked {
    let (space, line) = behind_a_line(&place, None).await;
    let other = process(&place).await;
    let guard = hold(&space).await;
    line.cut();
    let waiting = Arc::clone(&other);
    let next = tokio::spawn(async move { hold(&waiting).await });
    timeout(LIMIT, guard.lost()).await.expect("it is told");
    assert!(!next.is_finished(), "somebody else held it before");
    let next = next.await.expect("it is granted");
    assert!(guard.is_lost());
    line.mend();
    // Whatever it says now is stale.
    assert!(guard.release().is_err(), "it was lost");
    assert!(!next.is_lost(), "a stale release ends the hold of another");
    // It is back, with a new session, behind whoever holds the name now.
    let waiting = Arc::clone(&space);
    let again = tokio::spawn(async move { hold(&waiting).await.fencing_token() });
    until_queued(&place.open().await, 1).await;
    let token = next.fencing_token();
    next.release().expect("it is held");
    assert!(token < again.await.expect("it is granted"));
    nothing_is_left(&place, &[&space, &other]).await;
    Ok(())
}

pub(crate) async fn when_all_crash_nothing_is_left(place: Place) -> Looked {
    let store = place.open().await;
    let mut crashed = Vec::new();
    for number in 0..3 {
        let (space, line) = behind_a_line(&place, None).await;
        let waiting = Arc::clone(&space);
        let user = tokio::spawn(async move { std::mem::forget(waiting.acquire(NAME).await) });
        if number > 0 {
            until_queued(&store, number).await;
        } else {
            user.await.expect("it is granted");
        }
        crashed.push((space, line));
    }
    crashed.iter().for_each(|(_, line)| line.cut());
    nothing_is_left(&place, &[]).await;
    Ok(())
}
