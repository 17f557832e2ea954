//! Shutting down: who is told what, what is reported, and what is left.

use std::time::Duration;

use lockspace::{AcquireError, HealthReason, LockSpace, Phase};
use lockspace_tests::{Hand, let_tasks_run};

use crate::ms;

#[tokio::test]
async fn lockspace_that_is_idle_closes_at_once() {
    let space = LockSpace::new();
    let report = Hand::new(space.shutdown(ms(60_000))).answer();
    assert_eq!((report.released, report.cancelled, report.revoked), (0, 0, 0));
    assert_eq!(space.phase(), Phase::Closed);
}

#[tokio::test(start_paused = true)]
async fn report_tells_what_became_of_everybody() {
    let space = LockSpace::new();
    let keep = ["a", "b", "c"].map(|name| space.try_acquire(name).unwrap());
    let finish = ["d", "e"].map(|name| space.try_acquire(name).unwrap());
    let leased = space.acquire("f").lease(ms(5)).try_now().unwrap();
    let forced = space.try_acquire("g").unwrap();
    let waiters = [0; 4].map(|_| Hand::new(space.acquire("a").into_future()).waits());

    let mut shutdown = Hand::new(space.shutdown(ms(10))).waits();
    drop(finish);
    space.force_release("g").unwrap();
    for waiter in waiters {
        let error = waiter.answer().unwrap_err();
        assert!(matches!(error, AcquireError::ShuttingDown { .. }), "{error}");
    }
    tokio::time::sleep(ms(9)).await;
    assert!(shutdown.poll().is_pending());
    tokio::time::sleep(ms(1)).await;
    let_tasks_run().await;
    let report = shutdown.answer();
    assert_eq!((report.released, report.cancelled, report.revoked), (4, 4, 3));
    assert_eq!(report.took, ms(10));
    let told = report.to_string();
    assert_eq!(told, "4 released, 4 cancelled, 3 revoked, in 10ms");
    drop((keep, leased, forced));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn newcomers_are_refused_from_the_beginning_of_a_shutdown_for_good() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    space.begin_shutdown(ms(60_000));
    for name in ["a", "b"] {
        let error = space.acquire(name).await.unwrap_err();
        assert!(matches!(error, AcquireError::ShuttingDown { .. }), "{error}");
    }
    drop(guard);
    let error = space.try_acquire("a").unwrap_err();
    assert!(matches!(error, AcquireError::ShuttingDown { .. }), "{error}");
    assert_eq!(space.stats().refused_shutting_down, 3);
}

#[tokio::test(start_paused = true)]
async fn all_who_shut_down_at_once_get_the_same_report_at_the_earliest_end() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let began = tokio::time::Instant::now();
    let reports = tokio::join!(
        space.shutdown(ms(1_000)),
        space.shutdown(ms(50)),
        space.shutdown(Duration::MAX),
        space.closed(),
    );
    assert_eq!(began.elapsed(), ms(50));
    assert_eq!(reports.0.revoked, 1);
    assert!([reports.1, reports.2, reports.3].iter().all(|report| *report == reports.0));
    assert_eq!(space.shutdown(ms(1)).await, reports.0, "and so do those who come late");
}

#[tokio::test]
async fn second_shutdown_without_grace_ends_the_patience_of_the_first() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let mut first = Hand::new(space.shutdown(Duration::MAX)).waits();
    let second = Hand::new(space.shutdown(Duration::ZERO)).answer();
    assert_eq!(first.take_wakes(), 1);
    assert_eq!(first.answer(), second);
    assert!(guard.is_lost());
}

#[tokio::test]
async fn shutdown_whose_caller_left_goes_on() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    drop(Hand::new(space.shutdown(ms(60_000))).waits());
    assert_eq!((space.phase(), space.audit().watching), (Phase::Draining, 0));
    drop(guard);
    assert_eq!(space.phase(), Phase::Closed);
    let_tasks_run().await;
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn shutdown_that_nobody_polled_has_not_begun() {
    let space = LockSpace::new();
    drop(space.shutdown(Duration::ZERO));
    assert_eq!(space.phase(), Phase::Open);
}

#[tokio::test]
async fn whoever_waits_for_the_close_without_a_shutdown_waits_for_ever() {
    let space = LockSpace::new();
    let mut closed = Hand::new(space.closed()).waits();
    drop(space.try_acquire("a").unwrap());
    assert_eq!(closed.take_wakes(), 0);
    assert!(closed.poll().is_pending());
}

#[tokio::test]
async fn lockspace_that_shuts_down_is_not_well() {
    let space = LockSpace::new();
    space.begin_shutdown(Duration::ZERO);
    assert_eq!(space.health().reasons, [HealthReason::ShuttingDown]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_many_holders_and_waiters_leaves_nothing() {
    let space = LockSpace::new();
    let names: Vec<_> = (0..1_000).map(|n| format!("name/{n}")).collect();
    let guards: Vec<_> = names.iter().map(|name| space.try_acquire(name).unwrap()).collect();
    let waits = names.iter().map(|name| Hand::new(space.acquire(name).into_future()).waits());
    let waiters: Vec<_> = waits.collect();
    let report = space.shutdown(ms(10)).await;
    assert_eq!((report.cancelled, report.revoked), (1_000, 1_000));
    assert!(guards.iter().all(lockspace::Guard::is_lost));
    assert!(waiters.into_iter().all(|waiter| waiter.answer().is_err()));
    drop(guards);
    let_tasks_run().await;
    assert!(space.audit().is_quiescent());
}
