//! What is done, many times over. Each round must leave the lockspace as it found it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lockspace::{AcquireFuture, Guard, LockSpace, SectionOptions};
use lockspace_tests::Hand;

type Going<'s> = Pin<Box<dyn Future<Output = ()> + 's>>;

/// Something to do many times.
pub(crate) struct Round {
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// How often.
    pub(crate) times: usize,
    /// Does it so often.
    pub(crate) go: for<'s> fn(&'s LockSpace, usize) -> Going<'s>,
}

const fn round(
    times: usize,
    what: &'static str,
    go: for<'s> fn(&'s LockSpace, usize) -> Going<'s>,
) -> Round {
    Round { what, times, go }
}

pub(crate) const ROUNDS: [Round; 10] = [
    round(100_000, "names used once", |space, times| Box::pin(names_used_once(space, times))),
    round(10_000, "names held at once", |space, times| Box::pin(names_held_at_once(space, times))),
    round(10_000, "waiters of one name cancelled in any order", |space, times| {
        Box::pin(waiters_cancelled(space, times))
    }),
    round(10_000, "waiters timed out", |space, times| Box::pin(waiters_timed_out(space, times))),
    round(10_000, "leases ended", |space, times| Box::pin(leases_ended(space, times))),
    round(10_000, "leases released in time, with a renewal", |space, times| {
        Box::pin(leases_released(space, times))
    }),
    round(10_000, "waiters dropped after their grant", |space, times| {
        Box::pin(grants_dropped_unseen(space, times))
    }),
    round(10_000, "watchers of a loss dropped", |space, times| {
        Box::pin(watchers_dropped(space, times))
    }),
    round(10_000, "sections stopped at their time limit", |space, times| {
        Box::pin(sections_stopped(space, times))
    }),
    round(1_000, "held and as many waiting when the lockspace shuts down", |_, times| {
        Box::pin(shut_down(times))
    }),
];

const SOON: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(3_600);

fn name(n: usize) -> String {
    match n % 2 {
        0 => format!("{n}"),
        _ => format!("a name of more than twenty-three bytes, number {n}"),
    }
}

fn waits<'s>(space: &'s LockSpace, wait: Option<Duration>) -> Hand<AcquireFuture<'s, 'static>> {
    let request = space.acquire("a");
    let request = match wait {
        Some(wait) => request.wait_timeout(wait),
        None => request,
    };
    Hand::new(request.into_future()).waits()
}

async fn names_used_once(space: &LockSpace, times: usize) {
    for n in 0..times {
        drop(space.acquire(&name(n)).label("once").try_now().unwrap());
    }
}

async fn names_held_at_once(space: &LockSpace, times: usize) {
    let guards = (0..times).map(|n| space.try_acquire(&name(n)).unwrap().into_owned());
    drop(guards.collect::<Vec<_>>());
}

async fn waiters_cancelled(space: &LockSpace, times: usize) {
    let _guard = space.try_acquire("a").unwrap();
    let wait = |n| (n % 2 == 0).then_some(LONG);
    let mut waiters: Vec<_> = (0..times).map(|n| waits(space, wait(n))).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut waiters);
    drop(waiters);
}

async fn waiters_timed_out(space: &LockSpace, times: usize) {
    let _guard = space.try_acquire("a").unwrap();
    let waiters: Vec<_> = (0..times).map(|_| waits(space, Some(SOON))).collect();
    tokio::time::sleep(2 * SOON).await;
    for waiter in waiters {
        assert!(waiter.answer().is_err());
    }
}

async fn leases_ended(space: &LockSpace, times: usize) {
    let lease = |n| space.acquire(&name(n)).lease(SOON).try_now().unwrap().into_owned();
    let guards: Vec<Guard<'static>> = (0..times).map(lease).collect();
    tokio::time::sleep(2 * SOON).await;
    for guard in guards {
        assert!(guard.release().is_err());
    }
}

async fn leases_released(space: &LockSpace, times: usize) {
    for n in 0..times {
        let guard = space.acquire(&name(n)).lease(SOON).try_now().unwrap().into_owned();
        guard.renew(LONG).unwrap();
        guard.release().unwrap();
    }
}

async fn grants_dropped_unseen(space: &LockSpace, times: usize) {
    let guard = space.try_acquire("a").unwrap();
    let waiters: Vec<_> = (0..times).map(|_| waits(space, None)).collect();
    drop(guard);
    for granted in waiters {
        drop(granted); // Each is granted by the drop of the one before it, and never looks.
    }
}

async fn watchers_dropped(space: &LockSpace, times: usize) {
    let guard = space.try_acquire("a").unwrap();
    let half: Vec<_> = (0..times / 2).map(|_| Hand::new(guard.lost()).waits()).collect();
    for _ in 0..times / 2 {
        drop(Hand::new(guard.lost()).waits());
    }
    drop(half);
}

async fn sections_stopped(space: &LockSpace, times: usize) {
    let options = SectionOptions::new().time_limit(Duration::from_millis(1));
    for n in 0..times {
        let name = name(n);
        let section = space.critical_section(&name, options, |_| std::future::pending::<()>());
        assert!(section.await.is_err());
    }
}

/// A lockspace can be shut down only once, so each time has its own.
async fn shut_down(times: usize) {
    let space = LockSpace::new();
    let names: Vec<_> = (0..times).map(name).collect();
    let hold = |name| space.try_acquire(name).unwrap();
    let guards: Vec<_> = names.iter().map(|name| hold(name)).collect();
    let wait = |name| Hand::new(space.acquire(name).wait_timeout(LONG).into_future()).waits();
    let waiters: Vec<_> = names.iter().map(|name| wait(name)).collect();
    let report = space.shutdown(SOON).await;
    assert_eq!((report.cancelled, report.revoked), (times, times));
    assert!(waiters.into_iter().all(|waiter| waiter.answer().is_err()));
    drop(guards);
    tokio::time::sleep(SOON).await;
    assert!(space.audit().is_quiescent(), "{}", space.audit());
}

/// Without a runtime: a lease that a thread watches over, and a lockspace that goes before it ends.
pub(crate) fn in_a_thread() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(LONG).blocking().unwrap().into_owned();
    drop(space);
    drop(guard);
}
