//! A name that others want too: handed over, given up, and fought for.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use lockspace::{AcquireFuture, Guard, LockSpace};
use tokio::task::{JoinSet, yield_now};

const NAME: &str = "invoice/00000042";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    hand_over(&mut criterion);
    cancel(&mut criterion);
    contended(&mut criterion);
    criterion.final_summary();
}

fn poll<'s>(future: Pin<&mut AcquireFuture<'s, '_>>) -> Poll<Guard<'s>> {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .map(|guard| guard.expect("nothing refuses"))
}

/// One waits, the other releases, the first sees that it holds the name. No task is woken.
fn hand_over(criterion: &mut Criterion) {
    let space = LockSpace::new();
    let mut guard = space.try_acquire(NAME).ok();
    criterion.bench_function("hand over", |bencher| {
        bencher.iter(|| {
            let mut waiter = pin!(space.acquire(black_box(NAME)).into_future());
            assert!(poll(waiter.as_mut()).is_pending());
            drop(guard.take());
            let Poll::Ready(next) = poll(waiter) else {
                panic!("it was handed over");
            };
            guard = Some(next);
        });
    });
}

/// All of so many waiters, in random order. Constant for each.
fn cancel(criterion: &mut Criterion) {
    let space = LockSpace::new();
    let _guard = space.try_acquire(NAME);
    let mut group = criterion.benchmark_group("cancel all waiters");
    for count in [10_usize, 1_000, 100_000] {
        let queue = || {
            let mut waiters: Vec<_> =
                (0..count).map(|_| space.acquire(NAME).into_future()).collect();
            waiters.iter_mut().for_each(|waiter| assert!(poll(Pin::new(waiter)).is_pending()));
            // A stride without a common factor takes every waiter once, and no neighbours together.
            let mut waiters: Vec<_> = waiters.into_iter().map(Some).collect();
            (0..count).map(|turn| waiters[turn * 7_919 % count].take()).collect::<Vec<_>>()
        };
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(queue, drop, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// So many tasks of two workers acquire one name, yield and release it.
fn contended(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut group = criterion.benchmark_group("contended by tasks");
    for count in [2_u64, 10, 100] {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|times| runtime.block_on(turns(count, times.div_ceil(count))));
        });
    }
    group.finish();
}

/// How long it takes until everybody has had as many turns.
async fn turns(tasks: u64, times: u64) -> Duration {
    let space = LockSpace::new();
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        let space = space.clone();
        all.spawn(async move {
            for _ in 0..times {
                let guard = space.acquire(NAME).await.expect("nothing refuses");
                yield_now().await;
                drop(guard);
            }
        });
    }
    all.join_all().await;
    begun.elapsed()
}
