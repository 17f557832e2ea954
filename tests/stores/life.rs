//! Sessions: how they end, what that does to holds, and how they begin anew.

use std::time::Duration;

use lockspace::store::{Memory, OpenError, Options, Store};
use lockspace::{AcquireError, Guard, LockSpace, Loss, SessionEnd};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, rows, settle, within};

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_no_row() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let names: Vec<String> = (0..1_000).map(|number| format!("name/{number}")).collect();
    let acquire = |name: &String| {
        let (space, name) = (space.clone(), name.clone());
        tokio::spawn(async move { space.acquire(&name).await.map(lockspace::Guard::into_owned) })
    };
    let mut guards = Vec::new();
    for task in names.iter().map(acquire).collect::<Vec<_>>() {
        guards.push(task.await.unwrap().unwrap());
    }
    let other = open(store.clone()).await;
    let waiting: Vec<_> = names
        .iter()
        .map(|name| {
            let (other, name) = (other.clone(), name.clone());
            tokio::spawn(async move { other.acquire(&name).await.map(drop) })
        })
        .collect();
    settle().await;
    let report = other.shutdown(Duration::ZERO).await;
    assert_eq!((report.cancelled, report.unreturned, report.session_left), (1_000, 0, false));
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Err(AcquireError::ShuttingDown { .. })));
    }
    let report = space.shutdown(Duration::from_secs(5)).await;
    assert_eq!((report.revoked, report.unreturned, report.session_left), (1_000, 0, false));
    assert!(guards.iter().all(lockspace::Guard::is_lost));
    assert_eq!(rows(&store).await, [""; 0]);
    drop(guards);
    assert!(space.audit().is_quiescent() && other.audit().is_quiescent());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_over_a_silent_store_takes_five_seconds_however_long_the_ttl_is() {
    for ttl in [Duration::from_secs(3600), Options::LONGEST_TTL] {
        let store = Faulty::over(Memory::new());
        let space = LockSpace::open(store.clone(), Options::new().ttl(ttl)).await.unwrap();
        let guard = space.acquire(NAME).await.unwrap().into_owned();
        store.usually(Fate::Swallowed);
        let report = within(Duration::from_millis(5_010), space.shutdown(Duration::ZERO)).await;
        assert!(report.session_left, "{report:?}");
        assert!(guard.is_lost());
        drop(guard);
        assert!(space.audit().is_quiescent(), "{}", space.audit());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_leaves_no_row() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap().into_owned();
    drop(space);
    settle().await;
    assert_eq!(rows(&store).await.len(), 2);
    drop(guard);
    settle().await;
    assert_eq!(rows(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_before_anybody_can_take_over() {
    for fate in [Fate::Swallowed, Fate::Refused, Fate::RequestLost, Fate::AnswerLost] {
        let inner = Memory::new();
        let store = Faulty::over(inner.clone());
        let (here, there) = (open(store.clone()).await, open(inner.clone()).await);
        let guard = here.acquire(NAME).await.unwrap();
        store.usually(fate);
        let heir = tokio::spawn(async move {
            let heir = there.acquire(NAME).await.unwrap();
            (heir.fencing_token(), tokio::time::Instant::now())
        });
        let lost = guard.lost().await;
        let told = tokio::time::Instant::now();
        assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage), "{fate:?}");
        assert!(guard.is_lost());
        let (token, taken) = within(2 * TTL, heir).await.unwrap();
        assert!(told < taken && token > lost.token, "{fate:?}");
        assert_eq!(guard.release().unwrap_err().reason, lost.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn who_stood_still_past_its_ttl_finds_its_hold_lost_before_its_driver_has_run() {
    let space = open(Memory::new()).await;
    let guard = space.acquire(NAME).await.unwrap();
    // Time goes on and no task runs: as if the process had been stopped.
    tokio::time::advance(TTL).await;
    assert!(guard.is_lost());
    assert_eq!(guard.release().unwrap_err().reason, Loss::Session(SessionEnd::Outage));
}

#[tokio::test(start_paused = true)]
async fn a_session_begins_anew_and_those_who_wait_go_on() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.usually(Fate::Swallowed);
    let waits = tokio::spawn({
        let space = space.clone();
        async move { space.acquire(NAME).await.unwrap().fencing_token() }
    });
    let token = guard.lost().await.token;
    pass(Duration::from_secs(300)).await;
    store.usually(Fate::Done);
    assert!(within(TTL, waits).await.unwrap() > token);
    drop(guard);
    settle().await;
    assert_eq!(names(&inner).await, [""; 0]);
    assert!(space.audit().is_quiescent(), "{}", space.audit());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_somebody_removes_is_told_and_begins_anew() {
    let store = Memory::new();
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    for row in store.scan("").await.unwrap() {
        store.swap(&row.key, Some(row.version), None).await.unwrap();
    }
    let lost = within(TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Removed));
    let again = within(TTL, space.acquire(NAME)).await.unwrap();
    assert!(again.fencing_token() > guard.fencing_token());
}

#[tokio::test(start_paused = true)]
async fn what_a_runtime_that_ended_held_is_taken_over() {
    let store = Memory::new();
    let there = open(store.clone()).await;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let theirs = store.clone();
    // On a thread of its own: its runtime ends, and with it all calls that would give anything back.
    let dead = std::thread::spawn(move || {
        let space = runtime.block_on(open(theirs));
        let guard = runtime.block_on(async { space.acquire(NAME).await.map(Guard::into_owned) });
        drop(runtime);
        let guard = guard.unwrap();
        assert!(guard.is_lost());
        assert_eq!(space.phase(), lockspace::Phase::Closed);
        let refused = space.acquire(NAME).blocking().map(drop).unwrap_err();
        assert!(matches!(refused, AcquireError::ShuttingDown { .. }), "{refused}");
    });
    dead.join().unwrap();
    within(2 * TTL, there.acquire(NAME)).await.unwrap().release().unwrap();
    pass(3 * TTL).await;
    assert_eq!(rows(&store).await.len(), 1, "its own session");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_said_within_the_wait_timeout() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    for fate in [Fate::Refused, Fate::Swallowed] {
        store.usually(fate);
        let limit = Duration::from_secs(4);
        let error =
            within(limit + Duration::from_millis(2), space.acquire(NAME).wait_timeout(limit));
        let error = error.await.unwrap_err();
        assert!(matches!(error, AcquireError::Unreachable(_)), "{fate:?}: {error}");
        let at_once = space.acquire("other").wait_timeout(Duration::ZERO);
        let error = within(limit, at_once).await.unwrap_err();
        assert!(matches!(error, AcquireError::Unreachable(_)), "{fate:?}: {error}");
    }
    store.usually(Fate::Done);
    within(TTL, space.acquire(NAME)).await.unwrap().release().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_not_asked_in_a_hot_loop() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    for fate in [Fate::Refused, Fate::RequestLost] {
        store.usually(fate);
        let waits = space.acquire(NAME).wait_timeout(Duration::from_secs(600));
        let before = store.calls();
        assert!(waits.await.is_err());
        let calls = store.calls() - before;
        assert!((100..3_000).contains(&calls), "{fate:?}: {calls} calls in ten minutes");
        store.usually(Fate::Done);
        pass(2 * TTL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_opened() {
    let store = Faulty::over(Memory::new());
    store.usually(Fate::Refused);
    let error = LockSpace::open(store.clone(), Options::new()).await.unwrap_err();
    assert!(matches!(error, OpenError::Store { .. }), "{error}");
    store.usually(Fate::AnswerLost);
    let error = LockSpace::open(store.clone(), Options::new()).await.unwrap_err();
    assert!(matches!(error, OpenError::Store { .. }), "{error}");
    store.usually(Fate::Done);
    pass(TTL).await;
    assert_eq!(rows(&store.inner).await, [""; 0], "a row that was written all the same");
}

/// After so long, for the first time.
const KEEP_ALIVE: Duration = Duration::from_millis(4_500);

/// A name is held, and the first keep-alive has this fate. So long after it began the session is closed: what
/// is left of it then, and ever after?
async fn closed_after(fate: Fate, after: Duration) {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).lease(10 * TTL).await.unwrap();
    if after > KEEP_ALIVE {
        store.at(store.calls(), fate);
    }
    pass(after).await;
    let report = if after.as_millis().is_multiple_of(2) {
        drop(guard);
        space.shutdown(Duration::ZERO).await
    } else {
        let report = space.shutdown(Duration::ZERO).await;
        drop(guard);
        report
    };
    let told = format!("{fate:?}, closed after {after:?}");
    assert_eq!((report.unreturned, report.session_left), (0, false), "{told}");
    assert_eq!(rows(&inner).await, [""; 0], "{told}");
    pass(TTL).await;
    assert_eq!(rows(&inner).await, [""; 0], "{told}: it was brought back");
    assert!(space.audit().is_quiescent(), "{told}: {}", space.audit());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_around_its_keep_alive_leaves_no_row_task_or_timer() {
    for after in 4_000..6_000 {
        closed_after(Fate::Done, Duration::from_millis(after)).await;
    }
    for fate in [Fate::Slow(700), Fate::AnswerLost, Fate::RequestLost, Fate::Refused] {
        for after in 4_501..6_000 {
            closed_after(fate, Duration::from_millis(after)).await;
        }
    }
    // A call without an answer is given up after 2,250 ms.
    for after in 4_501..7_001 {
        closed_after(Fate::Swallowed, Duration::from_millis(after)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_or_panics_gives_its_name_back_to_other_processes() {
    let store = Memory::new();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    for panics in [false, true] {
        let (end, ends) = tokio::sync::oneshot::channel::<()>();
        let space = here.clone();
        let holder = tokio::spawn(async move {
            let _guard = space.acquire(NAME).lease(10 * TTL).await.unwrap();
            assert!(ends.await.is_ok(), "on purpose");
        });
        settle().await;
        assert_eq!(names(&store).await.len(), 1);
        if panics {
            drop(end);
            assert!(holder.await.unwrap_err().is_panic());
        } else {
            holder.abort();
            assert!(holder.await.unwrap_err().is_cancelled());
        }
        // By its guard, and not because somebody has missed it.
        within(Duration::from_millis(1), there.acquire(NAME)).await.unwrap().release().unwrap();
        settle().await;
        assert_eq!(names(&store).await, [""; 0]);
        assert!(here.audit().is_quiescent(), "{}", here.audit());
    }
}
