//! Critical sections, renewals and waits for the end of a hold, over a store: what is said of them holds
//! there too, and when the session ends under a section, its body is stopped and the caller told why.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use lockspace::store::{Key, Memory, Store};
use lockspace::{
    Guard, LockSpace, Loss, RenewError, SectionError, SectionOptions, SessionEnd, WaitError,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, settle, within};

/// Is there as long as a body is, and notes when it has gone.
struct Inside(Arc<AtomicBool>);

impl Inside {
    fn enter() -> (Self, Arc<AtomicBool>) {
        let inside = Arc::new(AtomicBool::new(true));
        (Self(Arc::clone(&inside)), inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn options() -> SectionOptions<'static> {
    SectionOptions::new()
}

/// A section whose body goes on until it is stopped. Answers how it ended, and when; and whether the body is
/// inside.
async fn endless(
    space: &LockSpace,
) -> (tokio::task::JoinHandle<(SectionError, Instant)>, Arc<AtomicBool>) {
    let (body, inside) = Inside::enter();
    let (begins, begun) = oneshot::channel();
    let space = space.clone();
    let section = tokio::spawn(async move {
        let section = space.critical_section(NAME, options(), |_| async move {
            let _body = body;
            begins.send(()).unwrap();
            pending::<()>().await;
        });
        (section.await.unwrap_err(), Instant::now())
    });
    begun.await.unwrap();
    (section, inside)
}

#[tokio::test(start_paused = true)]
async fn sections_of_two_processes_are_never_inside_together() {
    let store = Memory::new();
    let inside = Arc::new(AtomicBool::new(false));
    let mut sections = Vec::new();
    for _ in 0..2 {
        let space = open(store.clone()).await;
        for _ in 0..4 {
            let (space, inside) = (space.clone(), Arc::clone(&inside));
            sections.push(tokio::spawn(async move {
                let body = |token| async move {
                    assert!(!inside.swap(true, Ordering::SeqCst), "two are inside");
                    pass(Duration::from_secs(1)).await;
                    inside.store(false, Ordering::SeqCst);
                    token
                };
                space.critical_section(NAME, options(), body).await.unwrap()
            }));
        }
    }
    let mut tokens = Vec::new();
    for section in sections {
        tokens.push(within(10 * TTL, section).await.unwrap());
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 8, "each body was given a token of its own");
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_stopped_when_the_store_is_out_of_reach_before_anybody_else_is_inside() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let (here, there) = (open(store.clone()).await, open(inner.clone()).await);
    let (section, inside) = endless(&here).await;
    let heir = tokio::spawn({
        let inside = Arc::clone(&inside);
        async move {
            let body = |_| async move { (inside.load(Ordering::SeqCst), Instant::now()) };
            there.critical_section(NAME, options(), body).await.unwrap()
        }
    });
    store.usually(Fate::Swallowed);
    let (error, told) = within(2 * TTL, section).await.unwrap();
    let SectionError::Lost(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage));
    assert!(!inside.load(Ordering::SeqCst), "the body was stopped");
    let (together, entered) = within(2 * TTL, heir).await.unwrap();
    assert!(!together && told < entered, "two bodies were inside");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_stopped_when_its_session_was_declared_dead() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let (section, inside) = endless(&space).await;
    for row in store.scan(Key::SESSIONS).await.unwrap() {
        store.swap(&row.key, Some(row.version), None).await.unwrap();
    }
    let (error, _) = within(TTL, section).await.unwrap();
    let SectionError::Lost(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Removed));
    assert!(!inside.load(Ordering::SeqCst));
    // A new session has begun, and the name is free.
    let answer = within(TTL, space.critical_section(NAME, options(), |_| async { 42 })).await;
    assert_eq!(answer, Ok(42));
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_stopped_before_the_name_is_released_at_the_time_limit() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let (body, inside) = Inside::enter();
    let limit = Duration::from_secs(3);
    let section = here.critical_section(NAME, options().time_limit(limit), |_| async move {
        let _body = body;
        pending::<()>().await;
    });
    let heir = async {
        settle().await;
        let guard = there.acquire(NAME).await.unwrap();
        assert!(!inside.load(Ordering::SeqCst), "two bodies were inside");
        guard.release().unwrap();
    };
    let (ended, ()) = within(TTL, async { tokio::join!(section, heir) }).await;
    assert!(matches!(ended, Err(SectionError::TimeLimit { .. })), "{ended:?}");
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_blocking_body_runs_to_its_end_and_its_caller_is_told_that_the_session_ended() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let (ends, end) = mpsc::channel();
    let (begins, begun) = oneshot::channel();
    let section = tokio::spawn({
        let space = space.clone();
        async move {
            space
                .critical_section_blocking(NAME, options(), move |token| {
                    begins.send(token).unwrap();
                    end.recv().unwrap()
                })
                .await
        }
    });
    // A thread that works keeps paused time from moving on by itself.
    let token = begun.await.unwrap();
    for row in store.scan(Key::SESSIONS).await.unwrap() {
        store.swap(&row.key, Some(row.version), None).await.unwrap();
    }
    tokio::time::advance(TTL).await;
    assert!(!section.is_finished(), "nobody can stop it");
    ends.send(42).unwrap();
    let Err(SectionError::Lost(lost)) = section.await.unwrap() else { panic!("it was lost") };
    assert!(matches!(lost.reason, Loss::Session(_)), "{lost:?}");
    assert_eq!(lost.token, token);
    // The row of a session that is dead goes with the next sweep.
    pass(2 * TTL).await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_blocking_body_holds_the_name_everywhere_until_it_has_ended() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let answer = here.critical_section_blocking(NAME, options(), |token| token).await.unwrap();
    let guard = within(TTL, there.acquire(NAME)).await.unwrap();
    assert!(answer < guard.fencing_token());
    drop(guard);
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_goes_on_over_a_store_and_none_is_renewed_after_its_end() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let lease = Duration::from_secs(10);
    let guard = here.acquire(NAME).lease(lease).await.unwrap();
    let waits = tokio::spawn(async move { there.acquire(NAME).await.map(Guard::into_owned) });
    for _ in 0..5 {
        pass(lease * 8 / 10).await;
        guard.renew(lease).unwrap();
        assert!(!waits.is_finished() && !guard.is_lost());
    }
    let heir = within(2 * lease, waits).await.unwrap().unwrap();
    let Err(RenewError::Lost(lost)) = guard.renew(lease) else { panic!("its lease has ended") };
    assert_eq!(lost.reason, Loss::LeaseElapsed);
    assert!(!heir.is_lost(), "a late renewal ends nobody's hold");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_not_renewed_once_the_session_has_ended() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).lease(10 * TTL).await.unwrap();
    store.usually(Fate::Swallowed);
    pass(TTL).await;
    let Err(RenewError::Lost(lost)) = guard.renew(10 * TTL) else { panic!("it was lost") };
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_end_of_a_hold_of_this_process_is_told_of_it() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let limit = Duration::from_secs(5);
    let waited = here.wait_until_released(NAME, Some(limit)).await;
    assert!(matches!(waited, Err(WaitError::TimedOut { .. })), "{waited:?}");
    // What another process holds is not held here.
    assert_eq!(there.wait_until_released(NAME, None).await, Ok(()));
    let waits = tokio::spawn({
        let here = here.clone();
        async move { here.wait_until_released(NAME, None).await }
    });
    settle().await;
    assert!(!waits.is_finished());
    drop(guard);
    assert_eq!(within(limit, waits).await.unwrap(), Ok(()));
    assert!(here.audit().is_quiescent(), "{}", here.audit());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_end_of_a_hold_is_told_when_the_session_ends() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.usually(Fate::Swallowed);
    assert_eq!(within(2 * TTL, space.wait_until_released(NAME, None)).await, Ok(()));
    assert!(guard.is_lost());
}
