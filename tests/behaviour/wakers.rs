//! Wakers that panic, as those of an executor may that is ending: whoever is woken beside them is woken all
//! the same, and nothing is left behind. And wakers that come straight back, as a task does that drops its
//! guards.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use lockspace::LockSpace;
use lockspace_tests::Hand;

use crate::ms;

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

#[track_caller]
fn assert_panics(act: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
}

#[test]
fn waker_that_panics_keeps_nobody_else_from_being_told_of_a_shutdown() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let mut fragile = pin!(space.acquire("a").into_future());
    let waker = Waker::from(Arc::new(Panics));
    assert!(fragile.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut others: Vec<_> =
        (0..2).map(|_| Hand::new(space.acquire("a").into_future()).waits()).collect();
    assert_panics(|| space.begin_shutdown(ms(1_000)));
    assert!(others.iter_mut().all(|other| other.take_wakes() == 1));
    assert!(matches!(fragile.poll(&mut Context::from_waker(&waker)), Poll::Ready(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn lease_that_begins_as_a_waker_panics_ends() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let mut leased = pin!(space.acquire("a").lease(ms(10)).into_future());
    let waker = Waker::from(Arc::new(Panics));
    assert!(leased.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_panics(|| drop(guard));
    // By the clock of the runtime, since nobody might serve those of the lockspace.
    drop(tokio::time::timeout(ms(11), space.acquire("a").into_future()).await.unwrap().unwrap());
}

/// Acquires and releases when it is woken and when it is dropped, in whatever shard.
struct ComesBack(Arc<LockSpace>);

impl Wake for ComesBack {
    fn wake(self: Arc<Self>) {
        drop(self.0.try_acquire("while woken").unwrap());
    }
}

impl Drop for ComesBack {
    fn drop(&mut self) {
        drop(self.0.try_acquire("while dropped").unwrap());
    }
}

#[test]
fn waker_may_come_straight_back_when_it_is_woken_and_when_it_is_dropped() {
    // All names are behind one lock: whoever is woken or dropped under it waits for itself.
    let space = Arc::new(LockSpace::builder().shards(1).build());
    for is_cancelled in [false, true] {
        let guard = space.try_acquire("a").unwrap();
        let mut waits = Box::pin(space.acquire("a").into_future());
        let waker = Waker::from(Arc::new(ComesBack(Arc::clone(&space))));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // The lockspace has the last of it now.
        drop(waker);
        if is_cancelled {
            drop(waits);
            drop(guard);
        } else {
            drop(guard);
            drop(waits);
        }
        assert_eq!(space.stats().granted, space.stats().released);
    }
    assert_eq!(space.stats().released, 6, "a three times, once when woken, twice when dropped");
}
