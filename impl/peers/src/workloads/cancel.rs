//! Waiters that give up: dropped in a random order, and timed out.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::by_hand::{now_or_wait, poll_once, runtime};
use crate::measure::{Scale, Workload, once};
use crate::peer::{Peer, names};

pub(super) fn workloads() -> Vec<Workload> {
    macro_rules! waiters {
        ($id:literal, $what:literal, $contenders:expr) => {
            Workload {
                id: $id,
                what: $what,
                measures: &["ns"],
                references: &["one tokio Mutex"],
                contenders: $contenders,
            }
        };
    }
    vec![
        waiters!(
            "cancel-10",
            "a waiter is dropped, one of 10 of each of 100 names in random order",
            [contenders!(cancel_10_of_each: OneTokioMutex), every_lock!(cancel_10)].concat()
        ),
        waiters!(
            "cancel-1000",
            "a waiter is dropped, one of 1,000 in random order",
            [contenders!(cancel_1000: OneTokioMutex), every_lock!(cancel_1000)].concat()
        ),
        waiters!(
            "cancel-100000",
            "a waiter is dropped, one of 100,000 in random order",
            // async-named-locker looks at all of them each time: it would take half a minute.
            contenders!(cancel_100_000: OneTokioMutex, LockSpace, Lockable, KeyedLock, KeyMutex,
                DashMapLeaky, DashMapCleaned, ShardedAsyncLock, MokaIdle)
        ),
        waiters!(
            "time-out",
            "10,000 tasks wait for one name and time out, from the start of the first to the end of the last",
            [contenders!(time_out: OneTokioMutex), every_lock!(time_out)].concat()
        ),
    ]
}

fn cancel_10<P: Peer>(_: &Scale) -> Vec<f64> {
    cancel::<P>(1, 100, 10)
}

/// For what has no names, and is therefore there once for each.
fn cancel_10_of_each<P: Peer>(_: &Scale) -> Vec<f64> {
    cancel::<P>(100, 1, 10)
}

fn cancel_1000<P: Peer>(_: &Scale) -> Vec<f64> {
    cancel::<P>(1, 1, 1_000)
}

fn cancel_100_000<P: Peer>(_: &Scale) -> Vec<f64> {
    cancel::<P>(1, 1, 100_000)
}

/// Each of so many peers has so many held names with so many waiters, and all are dropped in one random
/// order.
fn cancel<P: Peer>(peers: usize, held: usize, waiting: usize) -> Vec<f64> {
    let peers: Vec<P> = (0..peers).map(|_| P::new()).collect();
    let places = || peers.iter().flat_map(|peer| names(held).iter().map(move |name| (peer, name)));
    let _guards: Vec<_> = places().map(|(peer, name)| now_or_wait(peer.acquire(name))).collect();
    let mut waiters = Vec::new();
    for (peer, name) in (0..waiting).flat_map(|_| places()) {
        // In a box that stays, so that dropping the future does not pay for freeing it.
        let mut waiter = Box::pin(Some(peer.acquire(name)));
        let future = waiter.as_mut().as_pin_mut().expect("it is there");
        assert!(poll_once(future).is_pending(), "it is held");
        waiters.push(waiter);
    }
    fastrand::Rng::with_seed(2).shuffle(&mut waiters);
    vec![once(waiters.len(), || waiters.iter_mut().for_each(|waiter| waiter.as_mut().set(None)))]
}

fn time_out<P: Peer>(_: &Scale) -> Vec<f64> {
    const TASKS: usize = 10_000;
    const LIMIT: Duration = Duration::from_millis(20);
    let (peer, name) = (Arc::new(P::new()), names(1)[0]);
    let runtime = runtime(0);
    let work = || {
        runtime.block_on(async {
            let _guard = peer.acquire(name).await;
            let mut tasks = JoinSet::new();
            for _ in 0..TASKS {
                let peer = Arc::clone(&peer);
                tasks.spawn(async move { peer.acquire_within(name, LIMIT).await.is_err() });
            }
            assert!(tasks.join_all().await.into_iter().all(|timed_out| timed_out));
        });
    };
    vec![once(TASKS, work)]
}
