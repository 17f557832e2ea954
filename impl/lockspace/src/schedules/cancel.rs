//! A future that is dropped at any moment: before it has queued, while it waits, after it was granted
//! and before it knows, and while it holds.

use super::place::{DOOR, Place};
use super::portfolio::FEW;

/// Two tasks, under every schedule. The only waiter is dropped as the holder releases: nothing is left of
/// the name. Outcome: how far it came (whether it held the name, and was through with it).
#[test]
fn the_last_waiter_leaves_nothing_behind() {
    FEW.and_all(100_000).explore(&[(1, false), (2, false), (2, true)], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn(Place::visit);
        drop(guard);
        let came_through = waiter.cancel().await.is_some();
        (place.space.stats().granted, came_through)
    });
}

/// Three tasks. A waiter is dropped as the holder releases; whoever stands behind it is granted. Outcome:
/// whether it was through before.
#[test]
fn whoever_stands_behind_a_dropped_waiter_is_granted() {
    FEW.explore(&[false, true], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free").into_owned();
        let [waiter, next] = [(); 2].map(|()| place.spawn(Place::visit));
        let release = place.spawn(async move |_| drop(guard));
        let through = waiter.cancel().await.is_some();
        release.join().await;
        next.join().await;
        through
    });
}

/// Three tasks. The only waiter is dropped just as somebody asks for the name anew. Outcome: how many
/// grants there were.
#[test]
fn a_newcomer_meets_a_dropped_waiter() {
    FEW.explore(&[2, 3], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let waiter = place.spawn(Place::visit);
        let newcomer = place.spawn(Place::visit);
        drop(guard);
        waiter.cancel().await;
        newcomer.join().await;
        place.space.stats().granted
    });
}

/// Three tasks. Both waiters are dropped as the holder releases. Outcome: how many grants there were.
#[test]
fn all_waiters_leave_at_once() {
    FEW.explore(&[1, 2, 3], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let [first, second] = [(); 2].map(|()| place.spawn(Place::visit));
        let release = guard.into_owned();
        let second = place.spawn(async |_| second.cancel().await);
        drop(release);
        first.cancel().await;
        second.join().await;
        place.space.stats().granted
    });
}

/// Two tasks. The holder itself is dropped in the middle of its work. Outcome: how many grants there
/// were.
#[test]
fn a_dropped_holder_releases() {
    FEW.explore(&[1, 2], async |place| {
        let holder = place.spawn(Place::visit);
        let next = place.spawn(Place::visit);
        holder.cancel().await;
        next.join().await;
        place.space.stats().granted
    });
}
