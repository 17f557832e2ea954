//! A busy lockspace: tasks and threads that acquire, wait, time out, cancel, lose and release, while a
//! recorder listens. What anybody does is chosen by a seed; how they interleave is up to the machine.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use lockspace::{Acquire, Guard, LockSpace};
use lockspace_history::{Collector, Header, History};

/// How busy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    pub(crate) names: u32,
    pub(crate) tasks: u32,
    pub(crate) threads: u32,
    /// How often each of them acquires.
    pub(crate) rounds: u32,
    /// When the first task shuts the lockspace down, if it does: after so many of its rounds.
    pub(crate) shutdown_after: Option<u32>,
    /// The limits on names and on waiters per name.
    pub(crate) limits: Option<(usize, u32)>,
}

/// A seed that can be given again.
pub(crate) fn seed() -> u64 {
    match std::env::var("LOCKSPACE_SEED") {
        Ok(seed) => seed.parse().expect("LOCKSPACE_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}

/// Lets it be busy, and answers what was recorded once everybody is done.
pub(crate) fn record(busy: Busy, seed: u64) -> History {
    println!("seed {seed}: {busy:?}");
    let mut header = Header { tickets: true, ..Header::default() };
    let mut builder = LockSpace::builder();
    if let Some((names, waiters)) = busy.limits {
        builder = builder.max_names(names).max_waiters_per_name(waiters);
        (header.max_names, header.max_waiters_per_name) = (Some(names), Some(waiters as usize));
    }
    let collector = Arc::new(Collector::new(header));
    let space = builder.recorder(collector.clone()).build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime can be had");
    let mut rng = Rng::with_seed(seed);
    let tasks: Vec<_> = (0..busy.tasks)
        .map(|index| runtime.spawn(task(space.clone(), busy, rng.fork(), index == 0)))
        .collect();
    let work = |mut rng: Rng| {
        let space = space.clone();
        thread::spawn(move || (0..busy.rounds).for_each(|_| thread_round(&space, busy, &mut rng)))
    };
    let threads: Vec<_> = (0..busy.threads).map(|_| work(rng.fork())).collect();
    for task in tasks {
        runtime.block_on(task).expect("no task panics");
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    let audit = space.audit();
    let left = audit.held + audit.waiting + audit.unseen + audit.lost + audit.timers;
    assert!(left == 0 && audit.faults.is_empty(), "{audit:?}");
    collector.history_at_rest().expect("a recorder writes a history")
}

async fn task(space: LockSpace, busy: Busy, mut rng: Rng, operates: bool) {
    for round in 0..busy.rounds {
        if operates && busy.shutdown_after == Some(round) {
            let grace = Duration::from_millis(rng.u64(0..3));
            space.shutdown(grace).await;
        }
        if operates && rng.u8(..) < 25 {
            space.force_release(&name(busy, &mut rng)).expect("it is a name");
        }
        let name = name(busy, &mut rng);
        let request = request(&space, &name, &mut rng);
        match rng.u8(0..8) {
            0 => drop(request.try_now()),
            1 | 2 => give_up_after(rng.u32(0..4), request).await,
            _ => {
                if let Ok(guard) = request.await {
                    hold(guard, &mut rng).await;
                }
            }
        }
    }
}

fn thread_round(space: &LockSpace, busy: Busy, rng: &mut Rng) {
    let name = name(busy, rng);
    let Ok(guard) = request(space, &name, rng).blocking() else { return };
    if rng.bool() {
        thread::yield_now();
    }
    if rng.bool() {
        drop(guard);
    } else {
        let _ = guard.release();
    }
}

fn name(busy: Busy, rng: &mut Rng) -> String {
    format!("lock/{}", rng.u32(0..busy.names))
}

fn request<'s, 'n>(space: &'s LockSpace, name: &'n str, rng: &mut Rng) -> Acquire<'s, 'n> {
    let mut request = space.acquire(name);
    match rng.u8(0..6) {
        0 => request = request.wait_timeout(Duration::ZERO),
        1 | 2 => request = request.wait_timeout(Duration::from_micros(rng.u64(1..1500))),
        _ => {}
    }
    if rng.u8(0..4) == 0 {
        request = request.lease(Duration::from_micros(rng.u64(1..1500)));
    }
    request
}

/// Drops the request after so many turns of others, whether it was granted or not.
async fn give_up_after(turns: u32, request: Acquire<'_, '_>) {
    let mut future = pin!(request.into_future());
    for _ in 0..=turns {
        let granted = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx)));
        if granted.await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn hold(guard: Guard<'_>, rng: &mut Rng) {
    for _ in 0..rng.u8(0..3) {
        tokio::task::yield_now().await;
    }
    match rng.u8(0..6) {
        0 => drop(guard.renew(Duration::from_millis(1))),
        1 => {
            // Whoever has no lease must not wait for its end; an operator may still force it.
            let patience = tokio::time::timeout(Duration::from_millis(2), guard.lost());
            let _ = patience.await;
        }
        _ => {}
    }
    if rng.bool() {
        drop(guard);
    } else {
        let _ = guard.release();
    }
}
