//! `memory`: bytes and allocations of each peer, counted on one thread, exactly.
//!
//! "Bytes" are those that were asked for; what the system's allocator adds is its own.

use std::future::Future;
use std::mem::size_of_val;
use std::pin::Pin;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure, opt_out};
use lockspace_peers::peers::{
    AsyncNamedLocker, DashMapCleaned, DashMapLeaky, FloorPair, KeyMutex, KeyedLock, LockSpace,
    Lockable, MokaIdle, OneTokioMutex, ShardedAsyncLock, Striped,
};
use lockspace_peers::{Peer, names, now_or_wait, poll_once, runtime};

/// As many as nearly fill tables of a power of two, and as many as have just made them double.
const FULL: usize = 900_000;
const DOUBLED: usize = 1_000_000;

const WAITERS: usize = 100_000;
const LIMIT: Duration = Duration::from_secs(3600);

fn main() {
    // Made before anything is counted.
    let _ = names(DOUBLED);
    println!("| peer | {} |", COLUMNS.join(" | "));
    println!("|---|{}", "---:|".repeat(COLUMNS.len()));
    named::<FloorPair>();
    waiting::<OneTokioMutex>();
    waiting::<Striped>();
    both::<LockSpace>();
    both::<Lockable>();
    both::<KeyedLock>();
    both::<KeyMutex>();
    both::<AsyncNamedLocker>();
    both::<DashMapLeaky>();
    both::<DashMapCleaned>();
    both::<ShardedAsyncLock>();
    both::<MokaIdle>();
}

const COLUMNS: [&str; 12] = [
    "empty",
    "guard",
    "allocations of a pair",
    "a held name of 900,000",
    "a held name of 1,000,000",
    "a waiter: future",
    "and heap",
    "with a limit: future",
    "and heap",
    "kept after 1,000,000 names",
    "kept after 100,000 cancels",
    "kept for each grant dropped unseen",
];

/// A peer that has names and lets others wait.
fn both<P: Peer>() {
    row::<P>(true, true);
}

/// A peer for which nobody waits.
fn named<P: Peer>() {
    row::<P>(true, false);
}

/// A peer that cannot hold many names at once.
fn waiting<P: Peer>() {
    row::<P>(false, true);
}

fn row<P: Peer>(named: bool, waiting: bool) {
    let mut cells = [const { String::new() }; COLUMNS.len()];
    // What a process or a thread makes once is there from here on.
    drop(now_or_wait(P::new().acquire(names(1)[0])));
    cells[0] = bytes(measured(P::new).1.bytes_current as f64);
    cells[1] = size_of::<P::Guard<'_>>().to_string();
    cells[2] = format!("{}", allocations_of_a_pair::<P>());
    if named {
        cells[3] = bytes(held::<P>(FULL).0);
        let (each, kept) = held::<P>(DOUBLED);
        cells[4] = bytes(each);
        cells[9] = bytes(kept);
    }
    if waiting {
        let plain = waiter(|peer: &P, name| size_and_heap(|| peer.acquire(name)));
        (cells[5], cells[6]) = (plain.0.to_string(), bytes(plain.1));
        let timed = waiter(|peer: &P, name| size_and_heap(|| peer.acquire_within(name, LIMIT)));
        (cells[7], cells[8]) = (timed.0.to_string(), bytes(timed.1));
    }
    if waiting && P::NAME != AsyncNamedLocker::NAME {
        cells[10] = bytes(cancelled::<P>());
    }
    if named && waiting {
        cells[11] = bytes(dropped_unseen::<P>());
    }
    println!("| {} | {} |", P::NAME, cells.join(" | "));
}

/// A number of bytes, as long as it needs to be.
fn bytes(number: f64) -> String {
    // Without it, next to nothing could be less than nothing.
    let number = number.round() + 0.0;
    match number.abs() {
        size if size >= 1e6 => format!("{:.1} MB", number / 1e6),
        size if size >= 1e4 => format!("{:.1} kB", number / 1e3),
        _ => format!("{number:.0}"),
    }
}

fn measured<R>(work: impl FnOnce() -> R) -> (R, AllocationInfo) {
    let mut result = None;
    let info = measure(|| result = Some(work()));
    (result.expect("it was done"), info)
}

fn allocations_of_a_pair<P: Peer>() -> u64 {
    const TIMES: u64 = 1000;
    let (peer, name) = (P::new(), names(1)[0]);
    let pair = || drop(now_or_wait(peer.acquire(name)));
    (0..TIMES).for_each(|_| pair());
    let allocations = measure(|| (0..TIMES).for_each(|_| pair())).count_total;
    (allocations + TIMES / 2) / TIMES
}

/// Bytes for each of so many names held at once, and what is kept when all are released.
fn held<P: Peer>(count: usize) -> (f64, f64) {
    let (peer, names) = (P::new(), names(count));
    let mut guards = Vec::with_capacity(count);
    let acquire = || guards.extend(names.iter().map(|name| now_or_wait(peer.acquire(name))));
    let acquired = measure(acquire).bytes_current;
    let released = measure(|| guards.clear()).bytes_current;
    (acquired as f64 / count as f64, (acquired + released) as f64)
}

/// What a waiter takes: its future, and what the peer allocates for it.
fn waiter<P: Peer>(queue: impl Fn(&P, &'static str) -> (usize, AllocationInfo)) -> (usize, f64) {
    let runtime = runtime(0);
    let _entered = runtime.enter();
    let (peer, name) = (P::new(), names(1)[0]);
    let _guard = now_or_wait(peer.acquire(name));
    let (size, info) = queue(&peer, name);
    (size, info.bytes_current as f64 / WAITERS as f64)
}

/// The size of such a future, and what is allocated while very many of them wait.
fn size_and_heap<F: Future>(future: impl Fn() -> F) -> (usize, AllocationInfo) {
    let size = size_of_val(&future());
    let mut waiters: Vec<Pin<Box<F>>> = Vec::with_capacity(WAITERS);
    let info = measure(|| {
        for _ in 0..WAITERS {
            let future = future();
            // The box is the task's, which would hold the future anyway.
            let mut waiter = None;
            opt_out(|| waiter = Some(Box::pin(future)));
            let mut waiter = waiter.expect("it is in its box");
            assert!(poll_once(waiter.as_mut()).is_pending(), "it is held");
            waiters.push(waiter);
        }
    });
    (size, info)
}

/// Bytes that are kept when very many have waited and gone, in random order.
fn cancelled<P: Peer>() -> f64 {
    let (peer, name) = (P::new(), names(1)[0]);
    let _guard = now_or_wait(peer.acquire(name));
    let info = measure(|| {
        let mut waiters = Vec::new();
        for _ in 0..WAITERS {
            let mut waiter = Box::pin(peer.acquire(name));
            assert!(poll_once(waiter.as_mut()).is_pending(), "it is held");
            waiters.push(waiter);
        }
        fastrand::Rng::with_seed(2).shuffle(&mut waiters);
        drop(waiters);
    });
    info.bytes_current as f64
}

/// Bytes that are kept for each of very many names whose waiter was granted it and dropped unseen.
fn dropped_unseen<P: Peer>() -> f64 {
    let (peer, names) = (P::new(), names(WAITERS));
    let info = measure(|| {
        for name in names {
            let guard = now_or_wait(peer.acquire(name));
            let mut waiter = Box::pin(peer.acquire(name));
            assert!(poll_once(waiter.as_mut()).is_pending(), "it is held");
            drop(guard);
            drop(waiter);
        }
    });
    info.bytes_current as f64 / WAITERS as f64
}
