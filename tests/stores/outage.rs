//! Outages, to the millisecond: when a holder is told, what becomes of whoever waits meanwhile, and what an
//! acquire that failed leaves.

use std::time::Duration;

use lockspace::store::record::{Record, SessionId};
use lockspace::store::{Memory, Options, Store};
use lockspace::{AcquireError, FencingToken, Guard, LockSpace, Loss, SessionEnd};
use lockspace_tests::Hand;
use tokio::time::{Instant, sleep_until};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, settle, within};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// For how long a session trusts itself after the last keep-alive that was answered: the ttl less the margin.
const TRUST: Duration = Duration::from_millis(13_500);
/// How often it is kept alive.
const KEEP_ALIVE: Duration = Duration::from_millis(4_500);

/// No call is answered.
const OUTAGES: [Fate; 4] = [Fate::Refused, Fate::RequestLost, Fate::AnswerLost, Fate::Swallowed];

/// Which session holds the name by the row that stands in the store, and in what version.
async fn holder(store: &Memory) -> Option<(SessionId, FencingToken)> {
    let (version, bytes) = store.load(&format!("lock/{NAME}")).await.unwrap()?;
    Some((Record::read(&bytes).unwrap().holder.session, version.into()))
}

#[tokio::test(start_paused = true)]
async fn outages_shorter_than_the_trust_end_no_hold_however_many_they_are() {
    for fate in OUTAGES.into_iter().chain([Fate::Slow(1_500), Fate::Done]) {
        let inner = Memory::new();
        let store = Faulty::over(inner.clone());
        let space = open(store.clone()).await;
        let guard = space.acquire(NAME).await.unwrap();
        let held = holder(&inner).await;
        let mut lost = Hand::new(guard.lost()).waits();
        for _ in 0..1_000 {
            store.usually(fate);
            pass(5 * SECOND).await;
            store.usually(Fate::Done);
            pass(10 * SECOND).await;
        }
        assert_eq!(lost.take_wakes(), 0, "{fate:?}: it was woken for no reason");
        assert!(lost.poll().is_pending() && !guard.is_lost(), "{fate:?}");
        assert_eq!(holder(&inner).await, held, "{fate:?}: the same session, and the same grant");
        drop(lost);
        assert_eq!(guard.release(), Ok(()), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_is_told_of_an_outage_at_the_end_of_its_trust_and_not_before() {
    for fate in OUTAGES {
        for after in (0..9_000).step_by(250) {
            let store = Faulty::over(Memory::new());
            let begun = Instant::now();
            let space = open(store.clone()).await;
            let guard = space.acquire(NAME).await.unwrap();
            pass(Duration::from_millis(after) + MILLISECOND).await;
            store.usually(fate);
            let kept_alive = begun + KEEP_ALIVE * u32::try_from(after / 4_500).unwrap();
            let mut lost = Hand::new(guard.lost()).waits();
            sleep_until(kept_alive + TRUST - MILLISECOND).await;
            assert!(!guard.is_lost(), "{fate:?} after {after} ms");
            assert_eq!(lost.take_wakes(), 0, "{fate:?} after {after} ms: it was told too early");
            sleep_until(kept_alive + TRUST + MILLISECOND).await;
            assert_eq!(lost.take_wakes(), 1, "{fate:?} after {after} ms: it was not told");
            let why = lost.answer().reason;
            assert_eq!(why, Loss::Session(SessionEnd::Outage), "{fate:?} after {after} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_overtaken_holder_writes_is_refused_and_it_finds_out() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let (here, there) = (open(store.clone()).await, open(inner).await);
    // What the name protects: it takes no token that is smaller than one it has seen.
    let mut greatest = FencingToken(0);
    let mut write = |token| {
        let is_current = token >= greatest;
        greatest = greatest.max(token);
        is_current
    };
    let stale = here.acquire(NAME).await.unwrap();
    assert!(write(stale.fencing_token()));
    store.usually(Fate::Swallowed);
    let heir = within(2 * TTL, there.acquire(NAME)).await.unwrap();
    assert!(heir.fencing_token() > stale.fencing_token() && write(heir.fencing_token()));
    // It did not look, and goes on with what it was doing.
    assert!(!write(stale.fencing_token()));
    assert!(stale.is_lost() && !heir.is_lost());
    store.usually(Fate::Done);
    pass(2 * TTL).await;
    assert_eq!(stale.release().unwrap_err().reason, Loss::Session(SessionEnd::Outage));
    assert!(!heir.is_lost() && write(heir.fencing_token()));
}

/// Waits behind somebody, and is cut off. The name is released to it, and the store comes back after
/// `outage`. Answers the claim that the name was released to, and with what it was granted in the end.
async fn granted_after(outage: Duration) -> [(SessionId, FencingToken); 2] {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let (here, there) = (open(inner.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let waits = tokio::spawn({
        let there = there.clone();
        async move { there.acquire(NAME).await.map(Guard::into_owned) }
    });
    settle().await;
    store.usually(Fate::Swallowed);
    guard.release().unwrap();
    settle().await;
    let released_to = holder(&inner).await.expect("it waits");
    pass(outage).await;
    assert!(!waits.is_finished(), "nobody can have told it");
    store.usually(Fate::Done);
    let guard = within(2 * TTL, waits).await.unwrap().unwrap();
    let held = holder(&inner).await.expect("it was granted");
    assert_eq!(held.1, guard.fencing_token());
    drop(guard);
    settle().await;
    assert_eq!(names(&inner).await, [""; 0]);
    assert!(there.audit().is_quiescent(), "{}", there.audit());
    [released_to, held]
}

#[tokio::test(start_paused = true)]
async fn who_was_cut_off_while_it_waited_takes_nothing_that_was_left_to_its_dead_session() {
    // The session lives: what was released to it is its own.
    let [released_to, held] = granted_after(5 * SECOND).await;
    assert_eq!(released_to, held);
    // Its trust is over, though nobody has removed it yet; and long after somebody has.
    for outage in [TRUST + SECOND / 2, 20 * TTL] {
        let [released_to, held] = granted_after(outage).await;
        assert_ne!(released_to.0, held.0, "{outage:?}: another session");
        assert!(released_to.1 < held.1, "{outage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_while_it_waits_is_told_at_the_end_of_its_wait() {
    let inner = Memory::new();
    let store = Faulty::over(inner.clone());
    let (here, there) = (open(inner.clone()).await, open(store.clone()).await);
    let guard = here.acquire(NAME).await.unwrap();
    let begun = Instant::now();
    let waits = tokio::spawn(async move {
        let refused = there.acquire(NAME).wait_timeout(4 * TTL).await.map(drop);
        (refused, begun.elapsed())
    });
    settle().await;
    store.usually(Fate::Swallowed);
    guard.release().unwrap();
    let (refused, after) = within(5 * TTL, waits).await.unwrap();
    assert!(matches!(refused, Err(AcquireError::Unreachable(_))), "{refused:?}");
    assert!(after - 4 * TTL < 5 * MILLISECOND, "{after:?}");
    assert_eq!(names(&inner).await, [""; 0], "others have cleared its place away");
}

#[tokio::test(start_paused = true)]
async fn each_session_is_believed_in_for_its_own_ttl_whatever_that_of_others_is() {
    for (ttl, other) in [(30 * SECOND, 3 * SECOND), (3 * SECOND, 30 * SECOND)] {
        let inner = Memory::new();
        let store = Faulty::over(inner.clone());
        let here = LockSpace::open(store.clone(), Options::new().ttl(ttl)).await.unwrap();
        let there = LockSpace::open(inner, Options::new().ttl(other)).await.unwrap();
        let guard = here.acquire(NAME).await.unwrap();
        let begun = Instant::now();
        store.usually(Fate::Swallowed);
        let heir = tokio::spawn(async move {
            let _heir = there.acquire(NAME).await.unwrap();
            Instant::now()
        });
        guard.lost().await;
        assert!(begun.elapsed() < ttl && !heir.is_finished(), "{ttl:?}, {other:?}");
        let after = within(2 * (ttl + other), heir).await.unwrap() - begun;
        assert!(after >= ttl && after < ttl + other, "{ttl:?}, {other:?}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_failed_holds_nothing() {
    for fate in OUTAGES {
        for wait in [Duration::ZERO, MILLISECOND, 3 * SECOND] {
            let told = format!("{fate:?}, {wait:?}");
            let inner = Memory::new();
            let store = Faulty::over(inner.clone());
            let (here, there) = (open(inner.clone()).await, open(store.clone()).await);
            store.usually(fate);
            let refused = there.acquire(NAME).wait_timeout(wait).await.unwrap_err();
            // A call that is still under way has not failed.
            let fits = match refused {
                AcquireError::Unreachable(_) => true,
                AcquireError::TimedOut(_) => fate == Fate::Swallowed && wait == MILLISECOND,
                _ => false,
            };
            assert!(fits, "{told}: {refused}");
            store.usually(Fate::Done);
            // Others are not kept waiting for longer than a ttl, though they do not know of it.
            within(TTL, here.acquire(NAME)).await.unwrap().release().unwrap();
            pass(2 * TTL).await;
            assert_eq!(names(&inner).await, [""; 0], "{told}");
            assert!(there.audit().is_quiescent(), "{told}: {}", there.audit());
            within(TTL, there.acquire(NAME)).await.unwrap().release().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_ends_the_lockspace_and_not_the_process() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    let waits = tokio::spawn({
        let space = space.clone();
        async move { space.acquire(NAME).await.map(drop) }
    });
    settle().await;
    store.usually(Fate::Panics);
    let lost = within(TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage));
    let refused = within(TTL, waits).await.unwrap();
    assert!(matches!(refused, Err(AcquireError::ShuttingDown { .. })), "{refused:?}");
    let report = within(TTL, space.shutdown(Duration::ZERO)).await;
    assert!(report.session_left, "its row goes when others have missed it for a ttl");
    let told = report.to_string();
    assert_eq!(told, "0 released, 1 cancelled, 0 revoked, in 0ns; the session's row is left");
    drop(guard);
    assert!(space.audit().is_quiescent(), "{}", space.audit());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_the_store_tells_what_it_could_not_give_back() {
    let store = Faulty::over(Memory::new());
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.usually(Fate::Swallowed);
    let report = within(TTL, space.shutdown(Duration::ZERO)).await;
    assert_eq!((report.revoked, report.unreturned, report.session_left), (1, 1, true));
    let told = report.to_string();
    assert!(told.ends_with("; 1 not given back to the store; the session's row is left"), "{told}");
    drop(guard);
}
