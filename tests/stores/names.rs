//! Names that several lockspaces want.

use std::time::Duration;

use lockspace::store::{Memory, Options};
use lockspace::{AcquireError, LockSpace, Loss};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, settle, within};

#[tokio::test(start_paused = true)]
async fn a_name_is_held_by_one_of_two_lockspaces() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let error = there.acquire(NAME).wait_timeout(Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(error, AcquireError::TimedOut { .. }), "{error}");
    assert!(!guard.is_lost());
    drop(guard);
    let _guard = within(Duration::from_secs(1), there.acquire(NAME)).await.unwrap();
    assert!(here.audit().is_clean() && there.audit().is_clean());
}

#[tokio::test(start_paused = true)]
async fn whoever_would_not_wait_awaits_that_in_a_task_and_does_not_block_it() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let blocks = tokio::spawn({
        let space = space.clone();
        async move { space.try_acquire(NAME).map(drop) }
    });
    assert!(blocks.await.unwrap_err().is_panic());
    let guard = space.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap();
    // What is held here is known here: nobody need be asked.
    assert!(matches!(space.try_acquire(NAME), Err(AcquireError::Busy { .. })));
    drop(guard);
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
    assert!(space.audit().is_clean(), "{}", space.audit());
}

#[tokio::test(start_paused = true)]
async fn tokens_grow_although_no_row_is_left() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let mut last = None;
    for space in [&here, &there, &here, &here, &there] {
        let guard = space.acquire(NAME).await.unwrap();
        assert!(Some(guard.fencing_token()) > last);
        last = Some(guard.fencing_token());
        guard.release().unwrap();
        settle().await;
        assert_eq!(names(&store).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_granted_in_the_order_in_which_they_came() {
    let store = Memory::new();
    let spaces = [open(store.clone()).await, open(store.clone()).await, open(store.clone()).await];
    let first = open(store.clone()).await;
    let guard = first.acquire(NAME).await.unwrap();
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for (number, space) in spaces.iter().enumerate() {
        let (space, order) = (space.clone(), std::sync::Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let guard = space.acquire(NAME).await.unwrap();
            order.lock().unwrap().push(number);
            guard.release().unwrap();
        }));
        settle().await;
    }
    drop(guard);
    for task in tasks {
        within(TTL, task).await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_held_elsewhere_is_busy_for_whoever_does_not_wait() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap();
    let busy = AcquireError::Busy { name: guard.name() };
    let at_once = there.acquire(NAME).wait_timeout(Duration::ZERO);
    assert_eq!(within(Duration::from_secs(1), at_once).await.unwrap_err(), busy);
    assert_eq!(here.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap_err(), busy);
    settle().await;
    assert!(there.audit().is_quiescent(), "{}", there.audit());
    drop(guard);
    there.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap().release().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_just_released_here_is_not_busy() {
    let space = open(Memory::new()).await;
    for _ in 0..10 {
        let guard = space.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap();
        drop(guard);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_leaves_nothing() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let waits = there.acquire(NAME).wait_timeout(Duration::from_secs(3));
    assert!(waits.await.is_err());
    settle().await;
    assert!(there.audit().is_quiescent(), "{}", there.audit());
    guard.release().unwrap();
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_hints_a_name_changes_hands_all_the_same() {
    let store = Memory::new();
    let here = open(Faulty::over(store.clone())).await;
    let there = open(Faulty::over(store.clone())).await;
    let guard = here.acquire(NAME).await.unwrap();
    let waits = tokio::spawn(async move { there.acquire(NAME).await.unwrap().release() });
    pass(Duration::from_secs(1)).await;
    guard.release().unwrap();
    within(Duration::from_secs(1), waits).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_a_hold_in_the_store() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).lease(Duration::from_secs(2)).await.unwrap();
    let other = within(Duration::from_secs(3), there.acquire(NAME)).await.unwrap();
    assert!(other.fencing_token() > guard.fencing_token());
    assert_eq!(guard.release().unwrap_err().reason, Loss::LeaseElapsed);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_away_here_goes_to_who_waits_there() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    assert_eq!(here.force_release(NAME), Ok(Some(guard.fencing_token())));
    assert_eq!(there.force_release(NAME), Ok(None));
    assert!(guard.is_lost());
    within(Duration::from_secs(1), there.acquire(NAME)).await.unwrap().release().unwrap();
}

#[tokio::test]
async fn threads_wait_too() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let there = tokio::task::spawn_blocking(move || {
        let busy = there.try_acquire(NAME).map(drop).unwrap_err();
        assert!(matches!(busy, AcquireError::Busy { .. }), "{busy}");
        there
    });
    let there = there.await.unwrap();
    let waits =
        tokio::task::spawn_blocking(move || there.acquire(NAME).blocking().unwrap().release());
    drop(guard);
    waits.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_or_may_have_happened_leaves_nothing_whichever_it_is() {
    for fate in [Fate::AnswerLost, Fate::RequestLost, Fate::Refused, Fate::Swallowed] {
        for call in 0..6 {
            let inner = Memory::new();
            let store = Faulty::over(inner.clone());
            let (here, there) = (open(store.clone()).await, open(inner.clone()).await);
            store.at(store.calls() + call, fate);
            let mut last = None;
            for space in [&here, &there, &here] {
                let guard = within(TTL, space.acquire(NAME)).await.unwrap();
                assert!(Some(guard.fencing_token()) > last, "{fate:?} at {call}");
                last = Some(guard.fencing_token());
            }
            pass(3 * TTL).await;
            assert_eq!(names(&inner).await, [""; 0], "{fate:?} at {call}");
            assert!(here.audit().is_quiescent(), "{fate:?} at {call}: {}", here.audit());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_slow_and_loses_nothing() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let space = open(store.clone()).await;
    store.usually(Fate::Slow(1_500));
    let guard = space.acquire(NAME).await.unwrap();
    pass(10 * TTL).await;
    assert!(!guard.is_lost());
    guard.release().unwrap();
    pass(Duration::from_secs(2)).await;
    assert_eq!(names(&inner).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_in_vain_says_who_elsewhere_was_in_the_way() {
    let store = Memory::new();
    let labelled = Options::new().label("worker 7");
    let there = LockSpace::open(store.clone(), labelled).await.unwrap();
    let (second, here) = (open(store.clone()).await, open(store.clone()).await);
    let guard = there.acquire(NAME).await.unwrap();
    let waits = tokio::spawn(async move { second.acquire(NAME).await.map(drop) });
    settle().await;
    let request = here.acquire(NAME).wait_timeout(Duration::from_millis(900));
    let AcquireError::TimedOut(error) = request.await.unwrap_err() else { panic!("it waits") };
    let text = error.to_string();
    let standing = error.standing;
    assert!(standing.holder.is_none());
    let holder = standing.elsewhere.unwrap();
    assert_eq!(holder.label.as_deref(), Some("worker 7"));
    assert_eq!((holder.token, holder.ahead), (guard.fencing_token(), 1));
    let session = here.survey().await.unwrap().names[0].holder.session;
    assert_eq!(holder.session, session);
    let says = format!(
        ": held elsewhere by worker 7 (session {session}) under token {}, with 1 session waiting \
         before this one; 0 of 1 in the queue were ahead",
        holder.token,
    );
    assert!(text.ends_with(&says), "{text}");
    // What is held here is said as in one process, and what was seen of others is forgotten.
    drop(guard);
    waits.await.unwrap().unwrap();
    let guard = here.acquire(NAME).await.unwrap();
    let error = here.acquire(NAME).wait_timeout(TTL).await.unwrap_err();
    let AcquireError::TimedOut(error) = error else { panic!("{error}") };
    let standing = error.standing;
    assert_eq!(standing.holder.map(|holder| holder.token), Some(guard.fencing_token()));
    assert_eq!(standing.elsewhere, None);
}

#[tokio::test(start_paused = true)]
async fn every_wait_timeout_ends_whether_the_name_is_held_here_or_elsewhere() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    for space in [&here, &there] {
        for micros in [0, 1, 999, 1_000, 1_001] {
            let wait = Duration::from_micros(micros);
            for wait in [wait, wait + Duration::from_nanos(1)] {
                let answer = within(2 * TTL, space.acquire(NAME).wait_timeout(wait)).await;
                let told = answer.as_ref().unwrap_err();
                let is_busy = matches!(told, AcquireError::Busy { .. });
                let timed_out = matches!(told, AcquireError::TimedOut(_));
                // So short a wait may end before the store has said anything.
                let unreachable = matches!(told, AcquireError::Unreachable(_));
                let fits = if wait.is_zero() { is_busy } else { timed_out || unreachable };
                assert!(fits, "{wait:?}: {told}");
            }
        }
    }
    let longest = tokio::spawn({
        let there = there.clone();
        async move { there.acquire(NAME).wait_timeout(Duration::MAX).await.unwrap().release() }
    });
    pass(20 * TTL).await;
    assert!(!longest.is_finished());
    drop(guard);
    within(Duration::from_millis(1), longest).await.unwrap().unwrap();
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
    assert!(here.audit().is_quiescent() && there.audit().is_quiescent());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_hours_keeps_its_place() {
    let store = Memory::new();
    let here = open(store.clone()).await;
    let guard = here.acquire(NAME).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let there = open(store.clone()).await;
        waiting.push(tokio::spawn(async move {
            let guard = there.acquire(NAME).await.unwrap();
            pass(TTL).await;
            guard.release()
        }));
        settle().await;
    }
    pass(Duration::from_secs(4 * 3_600)).await;
    assert!(!guard.is_lost());
    guard.release().unwrap();
    for (turn, waiting) in (1..).zip(waiting) {
        let granted = within(TTL + Duration::from_millis(5), waiting).await;
        assert_eq!(granted.unwrap(), Ok(()), "the {turn}. in the queue");
    }
    settle().await;
    assert_eq!(names(&store).await, [""; 0]);
}
