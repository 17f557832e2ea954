//! What a lockspace says of itself while its store fails now and then, or for long.

use std::time::Duration;

use lockspace::store::Memory;
use lockspace::{AcquireError, HealthLevel, HealthReason, LockSpace, SessionState};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, open, pass, settle, within};

fn state(space: &LockSpace) -> SessionState {
    space.health().session.expect("it is over a store").state
}

#[tokio::test(start_paused = true)]
async fn a_session_is_fresh_then_suspect_then_lost_and_then_fresh_again() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let health = space.health();
    assert_eq!((health.level(), state(&space)), (HealthLevel::Ok, SessionState::Fresh));
    store.usually(Fate::Refused);
    let half = (TTL - TTL / 10) / 2;
    pass(half - Duration::from_millis(1)).await;
    assert_eq!(space.health().level(), HealthLevel::Ok);
    pass(Duration::from_millis(2)).await;
    let health = space.health();
    let [HealthReason::SessionSuspect { silent_for, problem: Some(problem) }] = &health.reasons[..]
    else {
        panic!("{health}")
    };
    assert!(*silent_for >= half && problem.contains("refused"), "{health}");
    assert_eq!(health.level(), HealthLevel::Degraded);
    pass(half).await;
    let health = space.health();
    assert!(matches!(&health.reasons[..], [HealthReason::SessionLost { problem: Some(_) }]));
    assert_eq!((health.level(), state(&space)), (HealthLevel::Failing, SessionState::Lost));
    store.usually(Fate::Done);
    pass(TTL).await;
    assert_eq!((space.health().level(), state(&space)), (HealthLevel::Ok, SessionState::Fresh));
}

#[tokio::test(start_paused = true)]
async fn who_stood_still_past_its_ttl_is_not_well_before_its_driver_has_run() {
    let space = open(Memory::new()).await;
    tokio::time::advance(TTL).await;
    assert_eq!(state(&space), SessionState::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_that_fails_says_nothing_of_the_name_that_somebody_waits_for() {
    let inner = Memory::new();
    let holder = open(inner.clone()).await;
    let _guard = holder.acquire(NAME).await.unwrap();
    let store = Faulty::over(inner).with_hints();
    let space = open(store.clone()).await;
    let keep_alive = (TTL - TTL / 10) / 3;
    let limit = keep_alive + Duration::from_millis(100);
    let waits = tokio::spawn({
        let space = space.clone();
        async move { space.acquire(NAME).wait_timeout(limit).await.map(drop).unwrap_err() }
    });
    // The keep-alive is all that is asked from here on until the wait ends; its failure is the last news.
    pass(keep_alive - Duration::from_millis(10)).await;
    store.usually(Fate::Refused);
    settle().await;
    let error = within(TTL, waits).await.unwrap();
    assert!(matches!(error, AcquireError::TimedOut(_)), "{error}");
    assert_eq!(space.health().level(), HealthLevel::Ok, "{}", space.health());
}

#[tokio::test(start_paused = true)]
async fn a_lockspace_of_one_process_has_no_session() {
    assert_eq!(LockSpace::new().health().session, None);
}
