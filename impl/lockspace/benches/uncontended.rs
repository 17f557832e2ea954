//! A free name, acquired and released: what nobody else is in the way of.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::Criterion;
use lockspace::{Acquire, LockSpace};

const NAME: &str = "invoice/00000042";
const MINUTE: Duration = Duration::from_secs(60);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    tasks(&mut criterion);
    threads(&mut criterion);
    criterion.final_summary();
}

/// So many pairs, as the body of a task would have them, in one future that is polled by hand: a runtime
/// would cost more than the lock.
fn pairs<'s>(times: u64, request: impl Fn(&'static str) -> Acquire<'s, 'static>) -> Duration {
    let begun = Instant::now();
    let body = pin!(async {
        for _ in 0..times {
            drop(request(black_box(NAME)).await.expect("nothing refuses"));
        }
    });
    assert_eq!(body.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    begun.elapsed()
}

fn tasks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("task");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let space = LockSpace::new();
    group.bench_function("plain", |bencher| {
        bencher.iter_custom(|times| pairs(times, |name| space.acquire(name)));
    });
    group.bench_function("with a wait timeout", |bencher| {
        bencher.iter_custom(|times| pairs(times, |name| space.acquire(name).wait_timeout(MINUTE)));
    });
    group.bench_function("with a lease", |bencher| {
        // With another lease armed, so that the reaper neither comes nor goes.
        let _other = space.acquire("other").lease(MINUTE).try_now();
        bencher.iter_custom(|times| pairs(times, |name| space.acquire(name).lease(MINUTE)));
    });
    group.finish();
}

fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("thread");
    let space = LockSpace::new();
    group.bench_function("blocking", |bencher| {
        bencher.iter(|| drop(space.blocking_acquire(black_box(NAME)).expect("nothing refuses")));
    });
    group.bench_function("try", |bencher| {
        bencher.iter(|| drop(space.try_acquire(black_box(NAME)).expect("nothing refuses")));
    });
    group.finish();
}
