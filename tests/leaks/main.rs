//! The leak ledger: after each kind of use, multiplied, nothing is left of it.
//!
//! Two claims are made, and both are exact.
//! 1. *While the lockspace lives*, use leaves no bytes: with one shard, the live bytes after a few rounds
//!    and after very many are the same number. (What a shard keeps for its next use does not depend upon
//!    what has gone before; how names spread over several shards does, so there the claim is a bound.)
//! 2. *When it is gone*, live bytes and live blocks are what they were before it was made.
//!
//! An allocator that counts sees the whole process. So this binary has one test, which takes one thing
//! after the other, and nothing runs beside it.

mod rounds;

use std::alloc::System;

use lockspace::LockSpace;
use rounds::{ROUNDS, Round, in_a_thread};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By how much more a shard may keep after many rounds than after a few: room for the few entries that it
/// had at once. A leak of one byte a name would be three times as much.
const MORE_A_SHARD: isize = 1024;

/// What is allocated at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    bytes: isize,
    blocks: isize,
}

impl Live {
    fn now() -> Self {
        let stats = ALLOCATOR.stats();
        Self {
            bytes: stats.bytes_allocated as isize - stats.bytes_deallocated as isize,
            blocks: stats.allocations as isize - stats.deallocations as isize,
        }
    }
}

#[test]
fn everything_returns_to_the_baseline() {
    control_a_leak_is_seen();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    for round in &ROUNDS {
        // Once before anything is measured: what a thread or the runtime allocates once, it has now.
        with_a_lockspace_of(4, round, &runtime, |_, _| {});
        let before = Live::now();
        with_a_lockspace_of(1, round, &runtime, |few, many| {
            assert_eq!(few, many, "{}: memory depends upon how much was done", round.what);
        });
        assert_eq!(Live::now(), before, "{}: something outlived the lockspace", round.what);

        let shards = 32;
        with_a_lockspace_of(shards, round, &runtime, |few, many| {
            let grown = many.bytes - few.bytes;
            let bound = MORE_A_SHARD * shards as isize;
            assert!(grown <= bound, "{}: {grown} bytes more, {bound} at most", round.what);
        });
        assert_eq!(Live::now(), before, "{}: something outlived the lockspace", round.what);
        println!("{:>7} times: {}", round.times, round.what);
    }
    drop(runtime);
    in_a_thread_too();
}

/// Makes a lockspace, has a round done a little and then as often as it says, and compares the memory
/// in use after each, when nothing may be left of it.
fn with_a_lockspace_of(
    shards: usize,
    round: &Round,
    runtime: &Runtime,
    compare: impl FnOnce(Live, Live),
) {
    // More than a shard keeps for its next use, so that a few are enough to show what it gives back.
    let few = 100;
    runtime.block_on(async {
        let space = LockSpace::builder().shards(shards).build();
        let after = async |times| {
            (round.go)(&space, times).await;
            // The reaper goes when it has nothing to do, before time passes on.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let audit = space.audit();
            assert!(audit.is_quiescent(), "{}: {audit}", round.what);
            assert_eq!(runtime.metrics().num_alive_tasks(), 0, "{}", round.what);
            drop(audit);
            Live::now()
        };
        let after_few = after(few).await;
        let after_many = after(round.times).await;
        compare(after_few, after_many);
        drop(space);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    });
}

/// The same where a thread serves the timers: when it has ended, it has left nothing.
fn in_a_thread_too() {
    // What this thread allocates once, for waiting and for starting another thread, it has now.
    let space = LockSpace::new();
    let held = space.try_acquire("a").unwrap();
    let soon = std::time::Duration::from_millis(1);
    space.acquire("a").wait_timeout(soon).blocking().unwrap_err();
    drop(held);
    drop(space);
    std::thread::spawn(|| {}).join().unwrap();
    let before = Live::now();
    for _ in 0..100 {
        in_a_thread();
    }
    lockspace_tests::until("the last thread has ended", || Live::now() == before);
}

/// The ledger must see a single byte.
fn control_a_leak_is_seen() {
    let before = Live::now();
    let leak = Box::new(1_u8);
    assert_eq!(Live::now().bytes, before.bytes + 1);
    assert_eq!(Live::now().blocks, before.blocks + 1);
    drop(leak);
    assert_eq!(Live::now(), before);
}
