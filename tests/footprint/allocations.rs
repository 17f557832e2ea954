//! What is allocated: for a short name nothing, and for waiting nothing that was not allocated before.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use lockspace::{Acquire, AcquireFuture, LockSpace};

use crate::{HOUR, NAME};

/// How many wait at once.
const QUEUE: usize = 10;

/// How often everything is done.
const TIMES: usize = 1_000;

/// What `work` allocates, done again and again, when it has been done a few times before.
fn allocations(mut work: impl FnMut()) -> u64 {
    (0..10).for_each(|_| work());
    measure(|| (0..TIMES).for_each(|_| work())).count_total
}

/// Polls without a box around the future.
fn poll<'s>(future: &mut AcquireFuture<'s, '_>) -> Poll<lockspace::Guard<'s>> {
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(future).poll(&mut context).map(Result::unwrap)
}

/// Polls so many requests, all of which wait.
fn queue<'s>(request: impl Fn() -> Acquire<'s, 's>) -> [AcquireFuture<'s, 's>; QUEUE] {
    std::array::from_fn(|_| {
        let mut future = request().into_future();
        assert!(poll(&mut future).is_pending());
        future
    })
}

#[test]
fn a_short_name_is_acquired_and_released_without_an_allocation() {
    let space = LockSpace::new();
    let text = "x".repeat(22);
    for length in 1..=text.len() {
        let name = &text[..length];
        let ways: [(&str, &dyn Fn()); 4] = [
            ("awaited", &|| assert!(poll(&mut space.acquire(name).into_future()).is_ready())),
            ("awaited with a wait timeout", &|| {
                let mut future = space.acquire(name).wait_timeout(HOUR).into_future();
                assert!(poll(&mut future).is_ready());
            }),
            ("tried", &|| drop(space.try_acquire(name).unwrap())),
            ("blocking", &|| drop(space.blocking_acquire(name).unwrap())),
        ];
        for (way, pair) in ways {
            assert_eq!(allocations(pair), 0, "{length} bytes, {way}");
        }
    }
}

#[test]
fn a_lease_is_armed_and_disarmed_without_an_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let space = LockSpace::new();
    // With another lease armed the reaper stays.
    let _other = space.acquire("other").lease(HOUR).try_now().unwrap();
    let pair = || drop(space.acquire(NAME).lease(HOUR).try_now().unwrap());
    assert_eq!(allocations(pair), 0);
}

#[test]
fn waiters_are_granted_without_an_allocation() {
    let space = LockSpace::new();
    let round = || {
        let mut guard = space.try_acquire(NAME).unwrap();
        for mut waiter in queue(|| space.acquire(NAME)) {
            drop(guard);
            guard = match poll(&mut waiter) {
                Poll::Ready(next) => next,
                Poll::Pending => panic!("it was handed over"),
            };
        }
    };
    assert_eq!(allocations(round), 0);
}

#[test]
fn waiters_are_cancelled_without_an_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let space = LockSpace::new();
    let _other = space.acquire("other").lease(HOUR).try_now().unwrap();
    let _guard = space.try_acquire(NAME).unwrap();
    assert_eq!(allocations(|| drop(queue(|| space.acquire(NAME)))), 0);
    assert_eq!(allocations(|| drop(queue(|| space.acquire(NAME).wait_timeout(HOUR)))), 0);
}

/// It is what each is told: who held the name, and how it stood in line. The reaper's work counts as well,
/// since it is done on this thread: whenever it wakes, its own waker goes with that of whom it finds first.
#[test]
fn waiters_time_out_with_one_allocation_each() {
    const SOON: Duration = Duration::from_millis(10);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let space = LockSpace::new();
    let _other = space.acquire("other").lease(1_000 * HOUR).try_now().unwrap();
    let _guard = space.try_acquire(NAME).unwrap();
    let round = async || {
        let mut waiters = queue(|| space.acquire(NAME).wait_timeout(SOON));
        tokio::time::sleep(2 * SOON).await;
        for waiter in &mut waiters {
            let mut context = Context::from_waker(Waker::noop());
            assert!(matches!(Pin::new(waiter).poll(&mut context), Poll::Ready(Err(_))));
        }
    };
    assert_eq!(allocations(|| runtime.block_on(round())), (TIMES * (QUEUE + 1)) as u64);
}

#[test]
fn control_an_allocation_is_seen() {
    assert_eq!(allocations(|| drop(Box::new(1))), TIMES as u64);
    let space = LockSpace::new();
    let long = "x".repeat(30);
    assert!(allocations(|| drop(space.try_acquire(&long).unwrap())) > 0);
}
