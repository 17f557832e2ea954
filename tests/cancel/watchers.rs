//! Cancelling what watches: `lost`, `wait_until_released`, `closed` and `shutdown`. They stand in no
//! queue; dropped at any poll, they leave no trace, and whoever asks again is told the same.

use std::time::Duration;

use lockspace::{Guard, LockSpace, Phase};
use lockspace_tests::{Hand, let_tasks_run};

use crate::{LONG, assert_free, drop_after, ms};

/// How a hold may end without its guard.
const LOSSES: [fn(&LockSpace); 3] = [
    |_| {},
    |space| assert!(space.force_release("a").is_ok()),
    |space| space.begin_shutdown(Duration::ZERO),
];

#[tokio::test(start_paused = true)]
async fn watching_for_a_loss_may_be_dropped_after_any_poll() {
    for (polls, before, after) in every_mix() {
        let space = LockSpace::new();
        let guard = space.acquire("a").lease(ms(10)).await.unwrap();
        let mut lost = Hand::new(guard.lost());
        for poll in 0..polls {
            if poll == 1 {
                before(&space);
            }
            if lost.poll().is_ready() {
                break;
            }
        }
        drop(lost);
        assert_eq!(space.audit().watching, 0);
        after(&space);
        let lost = guard.lost().await; // At the latest when its lease ends.
        assert_eq!(guard.release(), Err(lost));
        assert_left_alone(&space).await;
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_release_may_be_dropped_after_any_poll() {
    for limit in [None, Some(ms(5)), Some(LONG)] {
        for (polls, before, after) in every_mix() {
            let space = LockSpace::new();
            let guard = space.acquire("a").await.unwrap();
            let mut waits = Hand::new(space.wait_until_released("a", limit));
            for poll in 0..polls {
                if poll == 1 {
                    before(&space);
                }
                if waits.poll().is_ready() {
                    break;
                }
            }
            drop(waits);
            assert_eq!(space.audit().watching, 0);
            after(&space);
            drop(guard);
            assert_eq!(space.wait_until_released("a", None).await, Ok(()));
            assert_left_alone(&space).await;
        }
    }
}

#[tokio::test]
async fn wait_for_a_release_dropped_when_the_release_is_not_yet_seen_leaves_nothing() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let waits = Hand::new(space.wait_until_released("a", None)).waits();
    drop(guard);
    drop(waits);
    assert_free(&space, "a");
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn waiting_for_the_close_may_be_dropped_after_any_poll() {
    for polls in 0..4 {
        let space = LockSpace::new();
        let guard = space.acquire("a").await.unwrap();
        drop_after(polls, space.closed());
        assert_eq!(space.audit().watching, 0);
        space.begin_shutdown(LONG);
        let closed = Hand::new(space.closed()).waits();
        drop_after(polls, space.closed());
        assert_eq!(space.audit().watching, 1);
        drop(guard);
        drop_after(polls, space.closed());
        assert_eq!(closed.answer().released, 1);
        assert_left_alone(&space).await;
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_may_be_dropped_after_any_poll_and_goes_on_from_the_first() {
    for grace in [Duration::ZERO, ms(10), Duration::MAX] {
        for polls in 0..4 {
            let space = LockSpace::new();
            let guard = space.acquire("a").await.unwrap();
            let waiter = Hand::new(space.acquire("a").into_future()).waits();
            drop_after(polls, space.shutdown(grace));
            assert_eq!(space.audit().watching, 0);
            if polls == 0 {
                assert_eq!(space.phase(), Phase::Open);
                drop(guard);
                assert!(waiter.answer().is_ok());
                continue;
            }
            assert!(waiter.answer().is_err());
            drop(guard);
            assert_eq!(space.phase(), Phase::Closed);
            assert_left_alone(&space).await;
        }
    }
}

#[tokio::test]
async fn watcher_dropped_by_another_that_is_woken_is_harmless() {
    let space = LockSpace::new();
    let guard: Guard<'_> = space.acquire("a").await.unwrap();
    let first = Hand::new(guard.lost()).waits();
    let second = Hand::new(guard.lost()).waits();
    space.force_release("a").unwrap();
    drop(first.answer());
    drop(second); // Woken, and gone before it looked.
    drop(guard);
    assert!(space.audit().is_quiescent());
}

type Loss = fn(&LockSpace);

/// So many polls, what happens after the first of them, and what after the drop.
fn every_mix() -> impl Iterator<Item = (usize, Loss, Loss)> {
    (0..4).flat_map(|polls| {
        LOSSES.into_iter().flat_map(move |before| LOSSES.map(|after| (polls, before, after)))
    })
}

/// Nothing is left, once the tasks that were told to end have ended.
async fn assert_left_alone(space: &LockSpace) {
    let_tasks_run().await;
    let audit = space.audit();
    assert!(audit.is_quiescent(), "{audit}");
}
