//! Many who want the same name: by hand, which is what the lock itself costs, and as tasks of a runtime with
//! two workers, which is what users see.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};

use crate::by_hand::{poll_once, runtime};
use crate::clock::each;
use crate::measure::{Scale, Workload, repeat};
use crate::peer::{Peer, names};

const MUTEX: &[&str] = &["one tokio Mutex"];

pub(super) fn workloads() -> Vec<Workload> {
    macro_rules! tasks {
        ($id:literal, $what:literal, $run:ident) => {
            Workload {
                id: $id,
                what: $what,
                measures: &["ns"],
                references: MUTEX,
                contenders: [contenders!($run: OneTokioMutex), every_lock!($run)].concat(),
            }
        };
    }
    vec![
        tasks!("hand-off", "two futures polled by hand: one waits, the other releases", hand_off),
        tasks!("contended-2", "2 tasks: acquire, yield, release", contended_2),
        tasks!("contended-10", "10 tasks: acquire, yield, release", contended_10),
        tasks!("contended-100", "100 tasks: acquire, yield, release", contended_100),
        tasks!("contended-10000", "10,000 tasks: acquire, yield, release", contended_10_000),
        tasks!("contended-timed", "100 tasks: acquire within ten seconds, yield, release", timed),
        Workload {
            id: "contended-no-yield",
            what: "100 tasks: acquire, release",
            measures: &["ns"],
            references: MUTEX,
            // async-lock spends no budget and lets others barge: a task that never yields keeps its worker,
            // and the run would not end.
            contenders: contenders!(no_yield: OneTokioMutex, LockSpace, Lockable, KeyedLock, KeyMutex,
                AsyncNamedLocker, DashMapLeaky, DashMapCleaned, MokaIdle),
        },
        Workload {
            id: "zipf",
            what: "100 tasks over 10,000 names, some much more wanted than others: acquire, yield, release",
            measures: &["ns"],
            references: &["striped × 1024"],
            contenders: [contenders!(zipf: Striped), every_lock!(zipf)].concat(),
        },
    ]
}

fn hand_off<P: Peer>(scale: &Scale) -> Vec<f64> {
    let (peer, name) = (P::new(), names(1)[0]);
    let Poll::Ready(first) = poll_once(pin!(peer.acquire(name))) else {
        panic!("it is free");
    };
    let mut guard = Some(first);
    vec![repeat(scale, || {
        let mut waiter = pin!(peer.acquire(name));
        assert!(poll_once(waiter.as_mut()).is_pending(), "it is held");
        drop(guard.take());
        let Poll::Ready(next) = poll_once(waiter) else {
            panic!("it was handed over");
        };
        guard = Some(next);
    })]
}

/// What a task does while others do the same. A type for each, so that a task is no larger than what it does.
trait Turn: 'static {
    fn take<P: Peer>(peer: &P, name: &str) -> impl Future<Output = ()> + Send;
}

struct Plain;

impl Turn for Plain {
    async fn take<P: Peer>(peer: &P, name: &str) {
        drop(peer.acquire(name).await);
    }
}

struct Yielding;

impl Turn for Yielding {
    async fn take<P: Peer>(peer: &P, name: &str) {
        let guard = peer.acquire(name).await;
        yield_now().await;
        drop(guard);
    }
}

struct Timed;

impl Turn for Timed {
    async fn take<P: Peer>(peer: &P, name: &str) {
        let granted = peer.acquire_within(name, Duration::from_secs(10)).await;
        let guard = granted.expect("nobody waits that long");
        yield_now().await;
        drop(guard);
    }
}

fn contended_2<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Yielding>(scale, 2, one_name)
}

fn contended_10<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Yielding>(scale, 10, one_name)
}

fn contended_100<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Yielding>(scale, 100, one_name)
}

fn contended_10_000<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Yielding>(scale, 10_000, one_name)
}

fn timed<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Timed>(scale, 100, one_name)
}

fn no_yield<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Plain>(scale, 100, one_name)
}

fn zipf<P: Peer>(scale: &Scale) -> Vec<f64> {
    turns::<P, Yielding>(scale, 100, zipfian)
}

/// Everybody wants the same.
fn one_name() -> &'static [&'static str] {
    names(1)
}

/// A sequence of names in which the n-th of 10,000 is wanted in proportion to n^-0.99.
fn zipfian() -> &'static [&'static str] {
    static WANTED: LazyLock<Vec<&'static str>> = LazyLock::new(draw_zipfian);
    &WANTED
}

fn draw_zipfian() -> Vec<&'static str> {
    let names = names(10_000);
    let mut sum = 0.0;
    let up_to: Vec<f64> = (1..=names.len())
        .map(|rank| {
            sum += (rank as f64).powf(-0.99);
            sum
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut draw = || up_to.partition_point(|up_to| *up_to < random.f64() * sum);
    (0..1 << 16).map(|_| names[draw().min(names.len() - 1)]).collect()
}

/// So many tasks go through a sequence of names, each from its own place: nanoseconds of the wall's clock
/// for each turn of anybody's, from the first to the last, when everybody has been told to stop and has.
fn turns<P: Peer, T: Turn>(
    scale: &Scale,
    count: usize,
    wanted: fn() -> &'static [&'static str],
) -> Vec<f64> {
    let runtime = runtime(2);
    let (peer, wanted) = (Arc::new(P::new()), wanted());
    let ready = Arc::new(Barrier::new(count + 1));
    let stop = Arc::new(AtomicBool::new(false));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for task in 0..count {
            let (peer, ready, stop) = (Arc::clone(&peer), Arc::clone(&ready), Arc::clone(&stop));
            tasks.spawn(async move {
                ready.wait().await;
                let mut next = task * wanted.len() / count;
                let mut times = 0_u64;
                // The flag says stop and publishes nothing.
                while !stop.load(Ordering::Relaxed) {
                    T::take(&*peer, wanted[next]).await;
                    next = if next + 1 == wanted.len() { 0 } else { next + 1 };
                    times += 1;
                }
                times
            });
        }
        ready.wait().await;
        let begun = Instant::now();
        tokio::time::sleep(scale.sample).await;
        stop.store(true, Ordering::Relaxed);
        let times = tasks.join_all().await.into_iter().sum();
        vec![each(begun.elapsed(), times)]
    })
}
