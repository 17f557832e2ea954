//! What operators see and do, with a lockspace over the store and without one.

use std::time::{Duration, SystemTime};

use lockspace::store::record::RecordError;
use lockspace::store::{Memory, OperateError, Options, Store, force_release, survey};
use lockspace::{LockSpace, Loss};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, rows, settle, within};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_from_a_holder_elsewhere_and_the_holder_hears_of_it() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let third = open(store.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    let waits =
        tokio::spawn(async move { third.acquire(NAME).await.map(lockspace::Guard::into_owned) });
    settle().await;
    let taken = there.force_release_everywhere(NAME).await;
    assert_eq!(taken, Ok(Some(guard.fencing_token())));
    let heir = within(Duration::from_secs(1), waits).await.unwrap().unwrap();
    assert!(heir.fencing_token() > guard.fencing_token());
    let lost = within(TTL + Duration::from_secs(1), guard.lost()).await;
    assert_eq!((lost.reason, lost.token), (Loss::Forced, guard.fencing_token()));
    assert_eq!(guard.release().unwrap_err().reason, Loss::Forced);
    assert!(!heir.is_lost());
    drop(heir);
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
    assert_eq!(there.force_release_everywhere(NAME).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_from_a_holder_here_who_is_told_at_once_and_the_next_one_is_granted() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let next = tokio::spawn({
        let here = here.clone();
        async move { here.acquire(NAME).await.unwrap().fencing_token() }
    });
    settle().await;
    assert_eq!(here.force_release_everywhere(NAME).await, Ok(Some(guard.fencing_token())));
    assert!(guard.is_lost());
    assert!(within(TTL, next).await.unwrap() > guard.fencing_token());
    drop(guard);
    within(TTL, there.acquire(NAME)).await.unwrap().release().unwrap();
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
    assert!(here.audit().is_quiescent(), "{}", here.audit());
}

#[tokio::test(start_paused = true)]
async fn a_forced_release_whose_calls_fail_ends_one_hold_at_most() {
    for fate in [Fate::Refused, Fate::AnswerLost, Fate::RequestLost, Fate::Swallowed] {
        for call in 0..3 {
            let inner = Memory::new();
            let store = Faulty::over(inner.clone());
            let (here, there) = (open(inner.clone()).await, open(store.clone()).await);
            let third = open(inner.clone()).await;
            let guard = here.acquire(NAME).await.unwrap();
            let waits =
                tokio::spawn(
                    async move { third.acquire(NAME).await.map(lockspace::Guard::into_owned) },
                );
            settle().await;
            store.at(store.calls() + call, fate);
            let taken = within(TTL, there.force_release_everywhere(NAME)).await;
            assert_eq!(taken, Ok(Some(guard.fencing_token())), "{fate:?} at {call}");
            let heir = within(TTL, waits).await.unwrap().unwrap();
            pass(2 * TTL).await;
            assert!(guard.is_lost() && !heir.is_lost(), "{fate:?} at {call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_release_says_what_is_wrong_and_does_nothing_then() {
    let alone = LockSpace::new().force_release_everywhere(NAME).await;
    assert_eq!(alone, Err(OperateError::NoStore));
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let space = open(store.clone()).await;
    let bad = space.force_release_everywhere("").await;
    assert!(matches!(bad, Err(OperateError::InvalidName(_))), "{bad:?}");
    inner.swap("lock/invoice/42", None, Some(b"{}")).await.unwrap();
    let unreadable = space.force_release_everywhere(NAME).await.unwrap_err();
    assert!(matches!(unreadable, OperateError::Unreadable { problem: RecordError::Foreign, .. }));
    assert!(unreadable.to_string().contains("lock/invoice/42"), "{unreadable}");
    assert_eq!(inner.load("lock/invoice/42").await.unwrap().unwrap().1, b"{}");
    store.usually(Fate::Refused);
    let before = store.calls();
    let down = space.force_release_everywhere(NAME).await;
    assert!(matches!(down, Err(OperateError::Store { .. })), "{down:?}");
    assert_eq!(store.calls() - before, 3);
}

#[tokio::test(start_paused = true)]
async fn a_survey_shows_holders_and_queues_of_all_processes_with_their_labels() {
    let store = Memory::new();
    let label = |label: &str| LockSpace::open(store.clone(), Options::new().label(label));
    let (here, there) = (label("worker 1").await.unwrap(), label("worker 2").await.unwrap());
    let guard = here.acquire(NAME).await.unwrap();
    let waits = tokio::spawn(async move { there.acquire(NAME).await.map(drop) });
    settle().await;
    store.swap("lock/odd", None, Some(b"lockspace-lock/1 ?")).await.unwrap();
    let survey = here.survey().await.unwrap();
    let [name] = &survey.names[..] else { panic!("{survey:?}") };
    assert_eq!((name.name.as_str(), name.token), (NAME, guard.fencing_token()));
    assert_eq!(name.holder.label.as_deref(), Some("worker 1"));
    assert_eq!(name.queue.len(), 1);
    assert_eq!(name.queue[0].label.as_deref(), Some("worker 2"));
    assert!(!name.holder.gone && !name.queue[0].gone);
    assert_eq!(survey.sessions.len(), 2);
    assert!(survey.sessions.iter().all(|session| session.ttl == TTL));
    assert_eq!(survey.unreadable, [("lock/odd".to_owned(), RecordError::Damaged)]);
    // A session without a row has ended.
    let key = format!("session/{}", name.holder.session);
    let (version, _) = store.load(&key).await.unwrap().unwrap();
    store.swap(&key, Some(version), None).await.unwrap();
    let survey = here.survey().await.unwrap();
    assert!(survey.names[0].holder.gone && survey.names[0].holder.label.is_none());
    waits.abort();
    assert_eq!(LockSpace::new().survey().await, Err(OperateError::NoStore));
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_or_forces_has_no_session_and_sees_the_same() {
    let store = Memory::new();
    assert_eq!(survey(&store, LIMIT).await.unwrap(), Default::default());
    assert_eq!(force_release(&store, NAME, LIMIT).await, Ok(None));
    assert_eq!(rows(&store).await, [""; 0]);
    let here = open(store.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    assert_eq!(survey(&store, LIMIT).await, here.survey().await);
    assert_eq!(rows(&store).await.len(), 2, "the name and the session that holds it");
    let taken = force_release(&store, NAME, LIMIT).await;
    assert_eq!(taken, Ok(Some(guard.fencing_token())));
    let lost = within(TTL + Duration::from_secs(1), guard.lost()).await;
    assert_eq!(lost.reason, Loss::Forced);
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_or_forces_is_told_what_is_wrong_within_the_limit() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let bad = force_release(&store, "", LIMIT).await;
    assert!(matches!(bad, Err(OperateError::InvalidName(_))), "{bad:?}");
    store.usually(Fate::Swallowed);
    let looked = within(LIMIT + Duration::from_secs(1), survey(&store, LIMIT)).await;
    assert!(matches!(looked, Err(OperateError::Store { .. })), "{looked:?}");
    let forced = force_release(&store, NAME, LIMIT);
    let forced = within(3 * LIMIT + Duration::from_secs(1), forced).await;
    assert!(matches!(forced, Err(OperateError::Store { .. })), "{forced:?}");
}

#[tokio::test(start_paused = true)]
async fn a_survey_tells_when_each_has_asked_by_its_own_clock() {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let begun = now();
    let guard = here.acquire(NAME).await.unwrap();
    let held = now();
    let waits = tokio::spawn(async move { there.acquire(NAME).await.map(drop) });
    settle().await;
    let found = survey(&store, LIMIT).await.unwrap();
    let name = &found.names[0];
    let asked = [&name.holder, &name.queue[0]].map(|claimed| claimed.asked.expect("it says so"));
    // A claim knows microseconds.
    assert!(begun <= asked[0] + Duration::from_micros(1) && asked[0] <= held, "{found:?}");
    assert!(held <= asked[1] + Duration::from_micros(1) && asked[1] <= now(), "{found:?}");
    drop(guard);
    within(TTL, waits).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_a_name_passes_on_within_a_process_it_is_asked_for_anew() {
    let store = Memory::new();
    let here = open(store.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    let asked = || async { survey(&store, LIMIT).await.unwrap().names[0].holder.asked };
    let first = asked().await;
    let next = tokio::spawn({
        let here = here.clone();
        async move { here.acquire(NAME).await.map(lockspace::Guard::into_owned) }
    });
    settle().await;
    drop(guard);
    let next = within(TTL, next).await.unwrap().unwrap();
    assert!(asked().await > first, "that is when the next one began to hold it");
    drop(next);
}
