//! Wakers that panic as somebody else comes by, after the process has stood still: whoever hears first of the
//! session's end wakes all whom it concerns, and must leave nothing behind if one of them panics.

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::Memory;

use crate::{NAME, TTL, open, settle};

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// What a poll answers, unless it panics.
fn poll_and_catch<F: Future>(future: Pin<&mut F>) -> Option<Poll<F::Output>> {
    catch_unwind(AssertUnwindSafe(|| poll_with(future, Waker::noop()))).ok()
}

/// So much time passes, and nobody runs.
fn stand_still(time: Duration) {
    assert!(poll_with(pin!(tokio::time::advance(time)), Waker::noop()).is_pending());
}

fn nothing_is_left(space: &LockSpace) {
    let audit = space.audit();
    let left = (audit.held, audit.away, audit.waiting, audit.unseen, audit.lost);
    assert_eq!(left, (0, 0, 0, 0, 0), "{audit}");
}

#[tokio::test(start_paused = true)]
async fn request_that_queues_as_anothers_waker_panics_leaves_no_place() {
    let space = open(Memory::new()).await;
    let guard = space.acquire("watched").await.unwrap();
    let mut lost = Box::pin(guard.lost());
    assert!(poll_with(lost.as_mut(), &Waker::from(Arc::new(Panics))).is_pending());
    stand_still(TTL);
    assert!(poll_and_catch(Box::pin(space.acquire(NAME).into_future()).as_mut()).is_none());
    drop(lost);
    drop(guard);
    nothing_is_left(&space);
}

/// Three are granted their names, more than can be posted: so one of them hears of the session's end as it
/// looks.
#[tokio::test(start_paused = true)]
async fn grant_that_is_seen_as_anothers_waker_panics_is_held_by_nobody() {
    let space = open(Memory::new()).await;
    let watched = space.acquire("watched").await.unwrap();
    let names = ["a", "b", "c"];
    let mut guards = Vec::new();
    for name in names {
        guards.push(space.acquire(name).await.unwrap());
    }
    let mut waiters = names.map(|name| Box::pin(space.acquire(name).into_future()));
    for waiter in &mut waiters {
        assert!(poll_with(waiter.as_mut(), Waker::noop()).is_pending());
    }
    drop(guards);
    settle().await;
    assert_eq!(space.audit().unseen, 3);
    let mut lost = Box::pin(watched.lost());
    assert!(poll_with(lost.as_mut(), &Waker::from(Arc::new(Panics))).is_pending());
    stand_still(TTL);
    // The guards are kept: to drop one would be to hear of it.
    let seen = waiters.each_mut().map(|waiter| poll_and_catch(waiter.as_mut()));
    assert!(matches!(seen, [Some(Poll::Ready(Ok(_))), Some(Poll::Ready(Ok(_))), None]), "{seen:?}");
    drop(seen);
    drop(waiters);
    drop(lost);
    drop(watched);
    nothing_is_left(&space);
}
