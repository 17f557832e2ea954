//! Critical sections: the body is stopped before the lock is released, whatever ends it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lockspace::{AcquireError, LockName, LockSpace, Loss, SectionError, SectionOptions};
use lockspace_tests::Hand;
use tokio::sync::oneshot;

use crate::ms;

/// Lives in a body; when it is dropped, it notes whether the name was still held.
struct Probe {
    space: LockSpace,
    still_held: Arc<AtomicUsize>,
}

impl Probe {
    fn new(space: &LockSpace) -> (Self, Arc<AtomicUsize>) {
        let still_held = Arc::new(AtomicUsize::new(0));
        let probe = Self { space: space.clone(), still_held: Arc::clone(&still_held) };
        (probe, still_held)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let held = self.space.try_acquire("a").is_err();
        self.still_held.fetch_add(usize::from(held), Ordering::SeqCst);
    }
}

fn options() -> SectionOptions<'static> {
    SectionOptions::new()
}

#[tokio::test]
async fn section_answers_what_its_body_answers_and_releases() {
    let space = LockSpace::new();
    let answer = space
        .critical_section("a", options().label("sum"), |token| {
            let space = space.clone();
            async move {
                let seen = &space.snapshot().names[0].holder;
                assert_eq!((seen.token, seen.label.as_deref()), (token, Some("sum")));
                40 + 2
            }
        })
        .await;
    assert_eq!(answer, Ok(42));
    assert!(space.audit().is_quiescent());
}

#[tokio::test(start_paused = true)]
async fn body_is_stopped_before_the_lock_is_released_at_the_time_limit() {
    let space = LockSpace::new();
    let (probe, still_held) = Probe::new(&space);
    let limit = ms(10);
    let ended = space
        .critical_section("a", options().time_limit(limit), |_| async {
            let _probe = probe;
            pending::<()>().await;
        })
        .await;
    let name = LockName::new("a").unwrap();
    assert_eq!(ended, Err(SectionError::TimeLimit { name, limit }));
    assert_eq!(still_held.load(Ordering::SeqCst), 1, "the body was gone before the lock was");
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn body_is_stopped_before_the_lock_is_released_when_the_caller_leaves() {
    let space = LockSpace::new();
    let (probe, still_held) = Probe::new(&space);
    let section = space.critical_section("a", options(), |_| async {
        let _probe = probe;
        pending::<()>().await;
    });
    drop(Hand::new(section).waits());
    assert_eq!(still_held.load(Ordering::SeqCst), 1);
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn body_that_panics_releases_and_the_panic_goes_on() {
    let space = LockSpace::new();
    let other = space.clone();
    let panics = tokio::spawn(async move {
        other.critical_section("a", options(), |_| async { panic!("on purpose") }).await
    });
    let panic = panics.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn body_is_stopped_when_its_name_is_taken_away() {
    let space = LockSpace::new();
    let stopped = Arc::new(AtomicBool::new(false));
    let body_ran_on = Arc::clone(&stopped);
    let mut section = Hand::new(space.critical_section("a", options(), |_| async move {
        tokio::task::yield_now().await;
        body_ran_on.store(true, Ordering::SeqCst);
    }))
    .waits();
    section.take_wakes();
    space.force_release("a").unwrap();
    assert!(section.take_wakes() > 0);
    let Err(SectionError::Lost(lost)) = section.answer() else { panic!("the hold was lost") };
    assert_eq!(lost.reason, Loss::Forced);
    assert!(!stopped.load(Ordering::SeqCst), "the body was not polled again");
    assert!(space.audit().is_quiescent());
}

#[tokio::test(start_paused = true)]
async fn body_is_stopped_at_the_end_of_a_shutdowns_grace() {
    let space = LockSpace::new();
    let section = Hand::new(space.critical_section("a", options(), |_| pending::<()>())).waits();
    let report = space.shutdown(ms(10)).await;
    assert_eq!(report.revoked, 1);
    let Err(SectionError::Lost(lost)) = section.answer() else { panic!("the hold was lost") };
    assert_eq!(lost.reason, Loss::Shutdown);
}

#[tokio::test]
async fn body_that_ends_after_its_hold_was_lost_is_told_so() {
    let space = LockSpace::new();
    let result = space
        .critical_section("a", options(), |_| async {
            space.force_release("a").unwrap();
        })
        .await;
    assert!(matches!(result, Err(SectionError::Lost(_))), "{result:?}");
}

#[tokio::test]
async fn body_without_any_time_does_not_run() {
    let space = LockSpace::new();
    let result = space
        .critical_section("a", options().time_limit(Duration::ZERO), |_| async {
            unreachable!("it may run for no time at all")
        })
        .await;
    let name = LockName::new("a").unwrap();
    assert_eq!(result, Err::<(), _>(SectionError::ZeroTimeLimit { name }));
}

#[tokio::test(start_paused = true)]
async fn section_that_is_not_granted_does_not_run_its_body() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let refused = |result: Result<(), SectionError>| match result {
        Err(SectionError::Acquire(error)) => error,
        other => panic!("it was to be refused: {other:?}"),
    };
    let body = |_| async { unreachable!("the lock is not granted") };
    let now = options().wait_timeout(Duration::ZERO);
    let error = refused(space.critical_section("a", now, body).await);
    assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
    let soon = options().wait_timeout(ms(10));
    let error = refused(space.critical_section("a", soon, body).await);
    assert!(matches!(error, AcquireError::TimedOut { .. }), "{error}");
    let error = refused(space.critical_section("", options(), body).await);
    assert!(matches!(error, AcquireError::InvalidName(_)), "{error}");
    let error = refused(space.critical_section_blocking("a", now, |_| ()).await);
    assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
    drop(guard);
    assert!(space.audit().is_quiescent());
}

#[tokio::test(start_paused = true)]
async fn body_that_meets_its_limit_in_time_has_a_result() {
    let space = LockSpace::new();
    let result = space
        .critical_section("a", options().time_limit(ms(10)), |_| tokio::time::sleep(ms(9)))
        .await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn blocking_body_answers_and_releases() {
    let space = LockSpace::new();
    let result = space.critical_section_blocking("a", options(), |token| token.0 > 0).await;
    assert_eq!(result, Ok(true));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn blocking_body_that_panics_releases_and_the_panic_goes_on() {
    let space = LockSpace::new();
    let other = space.clone();
    let panics = tokio::spawn(async move {
        other.critical_section_blocking("a", options(), |_| panic!("on purpose")).await
    });
    let panic = panics.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn blocking_body_keeps_the_lock_until_it_has_really_ended() {
    let space = LockSpace::new();
    let (begin, begun) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let mut section = Hand::new(space.critical_section_blocking("a", options(), move |_| {
        begin.send(()).unwrap();
        ended.blocking_recv().unwrap();
    }))
    .waits();
    begun.await.unwrap();
    assert!(section.poll().is_pending());
    drop(section); // The caller gives up.
    assert!(space.try_acquire("a").is_err(), "the body still runs");
    end.send(()).unwrap();
    space.acquire("a").await.unwrap().release().unwrap();
}

#[tokio::test]
async fn blocking_body_that_lost_its_lock_is_told_at_its_end() {
    let space = LockSpace::new();
    let operator = space.clone();
    let result = space
        .critical_section_blocking("a", options(), move |_| {
            operator.force_release("a").unwrap();
        })
        .await;
    assert!(matches!(result, Err(SectionError::Lost(_))), "{result:?}");
    assert!(space.audit().is_quiescent());
}

#[test]
fn blocking_body_that_never_began_is_said_not_to_have_run() {
    let space = LockSpace::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _context = handle.enter();
    let body = |_| unreachable!("the runtime has ended");
    let section = Hand::new(space.critical_section_blocking("a", options(), body));
    let name = LockName::new("a").unwrap();
    assert_eq!(section.answer(), Err::<(), _>(SectionError::NotRun { name }));
    assert!(space.audit().is_quiescent());
}
