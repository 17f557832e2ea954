//! Points 5 and 6 of the contract: what fails says whether it was done, and whoever is dropped or cut off
//! leaves the store usable.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use lockspace::store::Store;
use tokio::join;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{CROWD, Looked, again, agree, load, soon, swap, until_done, version_again};
use crate::client::Client;
use crate::place::Place;
use crate::process::{Processes, Remote};
use crate::{NotOffered, judge};

pub(crate) async fn an_error_says_whether_it_was_done(place: Place) -> Looked {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let swapped = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CROWD {
        let mut client = Client::new(place.open().await, number, seed);
        let (stopped, swapped) = (stopped.clone(), Arc::clone(&swapped));
        clients.spawn(async move {
            // In a row of its own nobody else can have done what it is told that it has not.
            let own = own(number);
            while !*stopped.borrow() {
                client.step(&["a", "b"]).await;
                let is_done = client.make_or_remove(&own).await;
                swapped.fetch_add(usize::from(is_done), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            client
        });
    }
    let disturbed = async {
        for _ in 0..10 {
            // What nobody is in the middle of is not disturbed.
            let begun = swapped.load(Ordering::Relaxed);
            while swapped.load(Ordering::Relaxed) < begun + 2 * CROWD {
                sleep(Duration::from_millis(1)).await;
            }
            place.disturb().await?;
        }
        Ok::<_, NotOffered>(())
    };
    let disturbed = soon("ten disturbances", disturbed).await;
    let _ = stop.send(true);
    let clients = soon("all clients", clients.join_all()).await;
    if let Err(what) = disturbed {
        return match Processes::at(&place) {
            Ok(processes) => a_killed_call_is_done_or_not(&place, &processes).await,
            Err(_) => Err(what.into()),
        };
    }
    // What stands there at the end counts as seen.
    let mut last = Client::new(place.open().await, CROWD, seed);
    for key in ["a".into(), "b".into()].into_iter().chain((0..CROWD).map(own)) {
        last.load(&key).await;
    }
    let seen: Vec<_> = clients.into_iter().chain([last]).flat_map(|client| client.seen).collect();
    agree(judge::swaps(&seen))
}

/// The key of a row that only this client swaps.
fn own(number: usize) -> String {
    format!("own/{number}")
}

/// Where nobody can disturb a call, whoever makes it can still be killed.
async fn a_killed_call_is_done_or_not(place: &Place, processes: &Processes) -> Looked {
    const KEYS: &[&str] = &["killed/a", "killed/b"];
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut clients = JoinSet::new();
    for lane in 0..4 {
        let processes = processes.clone();
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed ^ lane);
            let mut seen = Vec::new();
            for life in 0..6 {
                let process = Arc::new(processes.start());
                let number = usize::try_from(lane * 100 + life).expect("they are few");
                let mut client = Client::new(Remote(Arc::clone(&process)), number, seed);
                // It has started, and is soon killed in the middle of something.
                soon("the start of a process", client.load(KEYS[0])).await;
                // At any moment: the kill is meant to meet a call.
                let kill = async {
                    sleep(Duration::from_micros(random.u64(..40_000))).await;
                    process.kill();
                };
                let steps = async {
                    while !process.is_gone() {
                        client.step(KEYS).await;
                    }
                };
                soon("the end of a process", async { join!(kill, steps) }).await;
                seen.append(&mut client.seen);
            }
            seen
        });
    }
    let mut seen = clients.join_all().await.concat();
    let mut last = Client::new(place.open().await, CROWD * 100, seed);
    for key in KEYS {
        last.load(key).await;
    }
    seen.append(&mut last.seen);
    agree(judge::swaps(&seen))
}

/// Polls it so many times, each time when it asks to be, and drops it.
async fn polled(times: usize, future: impl Future) {
    let mut left = times;
    let mut future = pin!(future);
    poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

pub(crate) async fn a_dropped_call_leaves_the_store_usable(place: Place) -> Looked {
    let (store, other) = (place.open().await, place.open().await);
    let known = swap(&store, "k", None, Some(b"row")).await;
    for times in (0..5).cycle().take(50) {
        soon("a dropped load", polled(times, store.load("k"))).await;
        soon("a dropped scan", polled(times, store.scan(""))).await;
        soon("a dropped watch", polled(times.min(1), store.watch("k", Some(known)))).await;
        let before = load(&store, "k").await.expect("it is never removed").0;
        soon("a dropped swap", polled(times, store.swap("k", Some(before), Some(b"late")))).await;
        // Whatever becomes of it: it may do what it said to this version of the row, and to no other.
        let after = loop {
            let now = load(&other, "k").await.expect("it is never removed").0;
            let swapped = until_done("a swap", || other.swap("k", Some(now), Some(b"next"))).await;
            if let lockspace::store::Swap::Swapped(version) = swapped.expect("it is usable") {
                break version;
            }
        };
        assert_eq!(load(&store, "k").await, Some((after, b"next".to_vec())), "dropped, and late");
    }
    Ok(())
}

/// One that was open all the time, and one that is opened afterwards.
pub(crate) async fn the_store_is_usable_after_a_restart(place: Place) -> Looked {
    let old = place.open().await;
    swap(&old, "old", None, Some(b"row")).await;
    soon("a restart", place.restart()).await?;
    let version = version_again(&old, "old").await.expect("an orderly restart loses nothing");
    swap(&old, "old", Some(version), None).await;
    let new = place.open().await;
    assert!(again("a scan", || new.scan("")).await.is_empty());
    swap(&new, "new", None, Some(b"row")).await;
    Ok(())
}
