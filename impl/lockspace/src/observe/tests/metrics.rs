//! Metrics, read as Prometheus reads them.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Return, Ticket, What};
use lockspace_spec::{FencingToken, Lease, Loss, Wait};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::observe::Metrics;
use crate::store::{Memory, Options, Store};
use crate::{AcquireError, AcquireFuture, Builder, LockSpace, Recorder, SessionEnd};

const MINUTE: Duration = Duration::from_secs(60);

/// A lockspace that is measured, in a runtime whose time is paused, and what its metrics say in the end.
fn page(metrics: impl FnOnce() -> Metrics, work: impl AsyncFnOnce(LockSpace, &Metrics)) -> Page {
    page_with(LockSpace::builder(), metrics, work)
}

/// The same of a lockspace with settings of its own.
fn page_with(
    builder: Builder,
    metrics: impl FnOnce() -> Metrics,
    work: impl AsyncFnOnce(LockSpace, &Metrics),
) -> Page {
    let exporter = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&exporter, || {
        let metrics = Arc::new(metrics());
        let space = builder.recorder(metrics.clone()).build();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(work(space, &metrics));
        assert_eq!(metrics.remembered(), (0, 0), "calls and queues that nothing is left of");
    });
    Page(exporter.handle().render())
}

/// What is exported.
struct Page(String);

impl Page {
    /// The value of the one sample whose name and labels contain all of this.
    #[track_caller]
    fn value(&self, parts: &[&str]) -> f64 {
        let samples: Vec<_> = self.0.lines().filter(|line| !line.starts_with('#')).collect();
        let fits = |line: &&&str| {
            let name = line.split(['{', ' ']).next();
            name == Some(parts[0]) && parts[1..].iter().all(|part| line.contains(part))
        };
        match samples.iter().filter(fits).collect::<Vec<_>>()[..] {
            [sample] => sample.rsplit(' ').next().unwrap().parse().unwrap(),
            ref found => panic!("{} samples of {parts:?} in\n{}", found.len(), self.0),
        }
    }
}

fn billing() -> Metrics {
    Metrics::new("billing")
}

#[track_caller]
fn waits<'s, 'n>(request: crate::Acquire<'s, 'n>) -> Pin<Box<AcquireFuture<'s, 'n>>> {
    let mut future = Box::pin(request.into_future());
    assert!(poll(&mut future).is_none());
    future
}

fn poll<'s>(
    future: &mut Pin<Box<AcquireFuture<'s, '_>>>,
) -> Option<Result<crate::Guard<'s>, crate::AcquireError>> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn acquires_waits_refusals_and_cancels_are_counted_once_each() {
    let page = page(billing, async |space, metrics| {
        let guard = space.try_acquire("a").unwrap();
        assert!(space.try_acquire("a").is_err());
        let first = waits(space.acquire("a"));
        let mut second = waits(space.acquire("a"));
        let impatient = space.acquire("a").wait_timeout(MINUTE);
        assert!(impatient.await.is_err());
        assert_eq!(metrics.remembered(), (3, 1));
        drop(first);
        drop(guard);
        drop(poll(&mut second).unwrap().unwrap());
        assert!(space.audit().is_quiescent());
    });
    assert_eq!(page.value(&["lockspace_acquires_total", "lockspace=\"billing\""]), 2.0);
    assert_eq!(page.value(&["lockspace_acquires_total", "class=\"all\""]), 2.0);
    assert_eq!(page.value(&["lockspace_contended_total"]), 3.0);
    assert_eq!(page.value(&["lockspace_cancelled_total"]), 1.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"busy\""]), 1.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"timed_out\""]), 1.0);
    assert_eq!(page.value(&["lockspace_wait_seconds_count", "outcome=\"granted\""]), 1.0);
    assert_eq!(page.value(&["lockspace_wait_seconds_count", "outcome=\"refused\""]), 1.0);
    assert_eq!(page.value(&["lockspace_wait_seconds_count", "outcome=\"cancelled\""]), 1.0);
    assert_eq!(page.value(&["lockspace_hold_seconds_count"]), 2.0);
    assert_eq!(page.value(&["lockspace_handoff_seconds_count"]), 1.0);
}

#[test]
fn one_name_too_many_and_one_waiter_too_many_are_at_capacity() {
    let limited = LockSpace::builder().max_names(1).max_waiters_per_name(1);
    let page = page_with(limited, billing, async |space, _| {
        let at_capacity = |error| assert!(matches!(error, AcquireError::AtCapacity { .. }));
        let guard = space.try_acquire("a").unwrap();
        at_capacity(space.try_acquire("b").unwrap_err());
        let waiter = waits(space.acquire("a"));
        at_capacity(space.acquire("a").await.unwrap_err());
        drop((waiter, guard));
    });
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"at_capacity\""]), 2.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"busy\""]), 0.0);
    // Whoever is turned away has not queued.
    assert_eq!(page.value(&["lockspace_contended_total"]), 1.0);
}

#[test]
fn a_request_that_would_wait_for_itself_or_close_a_cycle_is_ruled_out() {
    let looking = LockSpace::builder().detect_deadlocks(true);
    let page = page_with(looking, billing, async |space, _| {
        let ann = space.acquire("a").owner(1).await.unwrap();
        let ben = space.acquire("b").owner(2).await.unwrap();
        let itself = space.acquire("a").owner(1).await.unwrap_err();
        assert!(matches!(itself, AcquireError::SelfWait { .. }), "{itself}");
        let waiter = waits(space.acquire("b").owner(1));
        let cycle = space.acquire("a").owner(2).await.unwrap_err();
        assert!(matches!(cycle, AcquireError::Deadlock(_)), "{cycle}");
        drop((waiter, ann, ben));
    });
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"ruled_out\""]), 2.0);
    assert_eq!(page.value(&["lockspace_contended_total"]), 1.0);
}

#[test]
fn a_loss_is_one_loss_however_often_its_holder_is_told() {
    let page = page(billing, async |space, _| {
        let guard = space.acquire("a").lease(MINUTE).await.unwrap();
        guard.renew(MINUTE).unwrap();
        assert_eq!(guard.lost().await.reason, crate::Loss::LeaseElapsed);
        assert_eq!(guard.lost().await.reason, crate::Loss::LeaseElapsed);
        assert!(guard.renew(MINUTE).is_err());
        assert!(guard.release().is_err());
    });
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"lease_elapsed\""]), 1.0);
    assert_eq!(page.value(&["lockspace_renewals_total"]), 1.0);
}

#[test]
fn a_loss_that_only_the_release_tells_is_counted() {
    let page = page(billing, async |space, _| {
        let guard = space.try_acquire("a").unwrap();
        assert!(space.force_release("a").unwrap().is_some());
        assert!(space.force_release("a").unwrap().is_none());
        drop(guard);
        let guard = space.try_acquire("b").unwrap();
        space.begin_shutdown(Duration::ZERO);
        drop(guard);
        assert!(space.try_acquire("c").is_err());
    });
    assert_eq!(page.value(&["lockspace_forced_total"]), 1.0);
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"forced\""]), 1.0);
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"shutdown\""]), 1.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"shutting_down\""]), 1.0);
    assert_eq!(page.value(&["lockspace_hold_seconds_count"]), 0.0);
}

#[test]
fn a_grant_that_nobody_saw_is_a_cancel_and_nothing_else() {
    let page = page(billing, async |space, _| {
        let guard = space.try_acquire("a").unwrap();
        let unseen = waits(space.acquire("a"));
        drop(guard);
        drop(unseen);
    });
    assert_eq!(page.value(&["lockspace_acquires_total"]), 1.0);
    assert_eq!(page.value(&["lockspace_cancelled_total"]), 1.0);
    assert_eq!(page.value(&["lockspace_handoff_seconds_count"]), 0.0);
}

#[test]
fn names_fall_into_classes_and_there_are_no_more_than_a_hundred_and_one() {
    let classified = || billing().classify(|name| name.split('/').next().unwrap().to_owned());
    let page = page(classified, async |space, _| {
        drop(space.try_acquire("invoice/1").unwrap());
        drop(space.try_acquire("invoice/2").unwrap());
        for number in 0..200 {
            drop(space.try_acquire(&format!("{number}/x")).unwrap());
        }
    });
    assert_eq!(page.value(&["lockspace_acquires_total", "class=\"invoice\""]), 2.0);
    assert_eq!(page.value(&["lockspace_acquires_total", "class=\"98\""]), 1.0);
    assert_eq!(page.value(&["lockspace_acquires_total", "class=\"other\""]), 101.0);
}

#[test]
fn gauges_show_what_there_is_when_they_are_published() {
    let page = page(billing, async |space, metrics| {
        let guard = space.acquire("a").lease(MINUTE).await.unwrap();
        let waiter = waits(space.acquire("a").wait_timeout(MINUTE));
        let other = space.try_acquire("b").unwrap();
        metrics.publish(&space);
        drop((other, waiter, guard));
    });
    assert_eq!(page.value(&["lockspace_held", "lockspace=\"billing\""]), 2.0);
    assert_eq!(page.value(&["lockspace_waiters"]), 1.0);
    assert_eq!(page.value(&["lockspace_timers"]), 2.0);
}

#[test]
fn sessions_are_shown_over_a_store_and_nowhere_else() {
    let alone = page(billing, async |space, metrics| metrics.publish(&space));
    assert!(!alone.0.lines().any(|line| line.starts_with("lockspace_session")), "{}", alone.0);
    let page = page(billing, async |_, metrics| {
        let space = LockSpace::open(Memory::new(), Options::new()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        metrics.publish(&space);
    });
    assert_eq!(page.value(&["lockspace_sessions", "lockspace=\"billing\""]), 1.0);
    let silence = page.value(&["lockspace_session_silence_seconds"]);
    assert!((1.9..2.1).contains(&silence), "{silence}");
}

#[test]
fn what_users_of_a_store_are_told_is_counted_as_they_are_told_it() {
    let exporter = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&exporter, || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (store, metrics) = (Memory::new(), Arc::new(billing()));
            let there = LockSpace::open(store.clone(), Options::new()).await.unwrap();
            let builder = LockSpace::builder().recorder(metrics.clone());
            let here = builder.open(store, Options::new()).await.unwrap();
            let theirs = there.acquire("a").await.unwrap();
            assert!(here.acquire("a").wait_timeout(Duration::ZERO).await.is_err());
            assert!(here.acquire("a").wait_timeout(MINUTE).await.is_err());
            assert!(here.force_release_everywhere("a").await.unwrap().is_some());
            assert!(here.force_release_everywhere("a").await.unwrap().is_none());
            drop(theirs);
            let ours = here.acquire("b").await.unwrap();
            assert!(here.force_release_everywhere("b").await.unwrap().is_some());
            assert!(ours.release().is_err());
            // An order that nobody waits for any more is forgotten too.
            let order = here.force_release_everywhere("b");
            assert!(futures_util::FutureExt::now_or_never(order).is_none_or(|how| how.is_ok()));
            assert_eq!(metrics.remembered(), (0, 0), "calls and queues that nothing is left of");
        });
    });
    let page = Page(exporter.handle().render());
    assert_eq!(page.value(&["lockspace_forced_total"]), 2.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"busy\""]), 1.0);
    assert_eq!(page.value(&["lockspace_refused_total", "reason=\"timed_out\""]), 1.0);
    assert_eq!(page.value(&["lockspace_contended_total"]), 3.0);
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"forced\""]), 1.0);
}

/// It comes from outside, as what an operator does, but no operator did it.
#[test]
fn over_a_store_the_end_of_the_session_is_a_forced_loss_and_no_forced_release() {
    let page = page(billing, async |_, _| {
        let store = Memory::new();
        let measured = Arc::new(billing());
        let builder = LockSpace::builder().recorder(measured.clone());
        let space = builder.open(store.clone(), Options::new()).await.unwrap();
        let guard = space.acquire("a").await.unwrap();
        for row in store.scan("").await.unwrap() {
            store.swap(&row.key, Some(row.version), None).await.unwrap();
        }
        assert_eq!(guard.lost().await.reason, crate::Loss::Session(SessionEnd::Removed));
        assert_eq!(guard.release().unwrap_err().reason, crate::Loss::Session(SessionEnd::Removed));
        assert_eq!(measured.remembered(), (0, 0), "calls and queues that nothing is left of");
    });
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"forced\""]), 1.0);
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"lease_elapsed\""]), 0.0);
    assert_eq!(page.value(&["lockspace_forced_total"]), 0.0);
    assert_eq!(page.value(&["lockspace_hold_seconds_count"]), 0.0);
}

#[test]
fn every_recorder_is_told_everything() {
    let exporter = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&exporter, || {
        let (one, other) = (Arc::new(Metrics::new("one")), Arc::new(Metrics::new("other")));
        let space = LockSpace::builder().recorder(one).recorder(other).build();
        drop(space.try_acquire("a").unwrap());
    });
    let page = Page(exporter.handle().render());
    assert_eq!(page.value(&["lockspace_acquires_total", "lockspace=\"one\""]), 1.0);
    assert_eq!(page.value(&["lockspace_acquires_total", "lockspace=\"other\""]), 1.0);
}

/// Two requests of one name, the second of which waits: everything it takes, in seconds.
#[test]
fn times_are_in_seconds_and_of_what_they_say() {
    const SECOND: u64 = 1_000_000_000;
    let acquire =
        || Call::Acquire { name: "a".into(), wait: Wait::Unbounded, lease: Lease::Unbounded };
    let granted = |token| Return::Done(Done::Granted(Some(FencingToken(token))));
    let (first, second, release, again) = (CallId(1), CallId(2), CallId(3), CallId(4));
    let told = [
        (0, What::Invoke(first, acquire())),
        (0, What::Return(first, granted(1))),
        (1, What::Invoke(second, acquire())),
        (1, What::Queued(second, Ticket(1))),
        (8, What::Invoke(release, Call::Release { request: first })),
        (9, What::Return(release, Return::Done(Done::Released(None)))),
        (11, What::Return(second, granted(2))),
        (16, What::Invoke(again, Call::Release { request: second })),
        (16, What::Return(again, Return::NotDone(NotDone::Lost(Loss::Forced)))),
    ];
    let page = page(billing, async |_, metrics| {
        for (at, what) in told {
            metrics.record(Event { at: at * SECOND, process: 0, what });
        }
    });
    assert_eq!(page.value(&["lockspace_wait_seconds_sum", "outcome=\"granted\""]), 10.0);
    assert_eq!(page.value(&["lockspace_hold_seconds_sum"]), 8.0);
    assert_eq!(page.value(&["lockspace_handoff_seconds_sum"]), 3.0);
    assert_eq!(page.value(&["lockspace_lost_total", "reason=\"forced\""]), 1.0);
}
