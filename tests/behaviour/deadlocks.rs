//! Who would wait for himself, or in a cycle with others, is told so instead.

use std::future::IntoFuture;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lockspace::{AcquireError, Deadlock, LockSpace, SectionError, SectionOptions};
use lockspace_tests::Hand;

use crate::named;

fn that_detects_self_wait() -> LockSpace {
    LockSpace::builder().detect_self_wait(true).build()
}

#[tokio::test]
async fn task_that_would_wait_for_itself_is_told() {
    let space = that_detects_self_wait();
    let asks_twice = tokio::spawn(async move {
        let _guard = space.acquire("a").await.unwrap();
        let error = space.acquire("a").await.unwrap_err();
        assert_eq!(space.stats().refused_self_wait, 1);
        error
    });
    let error = asks_twice.await.unwrap();
    assert_eq!(error, AcquireError::SelfWait { name: named("a") });
    assert_eq!(error.refusal(), None);
}

#[test]
fn thread_that_would_wait_for_itself_is_told() {
    let space = that_detects_self_wait();
    let _guard = space.blocking_acquire("a").unwrap();
    let error = space.blocking_acquire("a").unwrap_err();
    assert_eq!(error, AcquireError::SelfWait { name: named("a") });
}

#[tokio::test]
async fn another_task_is_not_suspected_of_waiting_for_itself() {
    let space = that_detects_self_wait();
    let other = space.clone();
    let (asked, asks) = tokio::sync::oneshot::channel();
    let holder = tokio::spawn(async move {
        let guard = other.acquire("a").await.unwrap().into_owned();
        asked.send(guard).unwrap();
    });
    holder.await.unwrap();
    let waiter = tokio::spawn(async move { space.acquire("a").await.is_ok() });
    drop(asks.await.unwrap());
    assert!(waiter.await.unwrap());
}

#[tokio::test]
async fn task_that_gave_its_guard_away_may_wait_for_it() {
    let space = that_detects_self_wait();
    let waits_for_what_it_gave_away = tokio::spawn(async move {
        let guard = space.acquire("a").await.unwrap().into_owned();
        tokio::spawn(async move { drop(guard) });
        space.acquire("a").await.is_ok()
    });
    assert!(waits_for_what_it_gave_away.await.unwrap());
}

#[tokio::test]
async fn without_detection_a_task_may_queue_behind_itself() {
    let space = LockSpace::new();
    let queues_behind_itself = tokio::spawn(async move {
        let guard = space.acquire("a").await.unwrap();
        let waits = Hand::new(space.acquire("a").into_future()).waits();
        drop(guard);
        waits.answer().is_ok()
    });
    assert!(queues_behind_itself.await.unwrap());
}

#[tokio::test]
async fn task_that_asks_behind_a_grant_that_it_has_not_looked_at_is_told() {
    let space = that_detects_self_wait();
    let asks_twice = tokio::spawn(async move {
        let guard = space.acquire("a").await.unwrap().into_owned();
        let _unpolled = Hand::new(space.acquire("a").into_future()).waits();
        drop(guard);
        space.acquire("a").await.unwrap_err()
    });
    let error = asks_twice.await.unwrap();
    assert_eq!(error, AcquireError::SelfWait { name: named("a") });
}

/// A documented limit: a queued future that is kept and never polled is granted all the same, and those
/// behind it wait, of the same task or not.
#[tokio::test]
async fn task_that_queues_behind_its_own_queued_future_is_not_told() {
    let space = that_detects_self_wait();
    let queues_twice = tokio::spawn(async move {
        let guard = space.acquire("a").await.unwrap().into_owned();
        let unpolled = Hand::new(space.acquire("a").into_future()).waits();
        let mut behind = Hand::new(space.acquire("a").into_future()).waits();
        drop(guard);
        assert_eq!(space.audit().unseen, 1, "granted to a future that does not look");
        assert!(behind.poll().is_pending());
        drop(unpolled);
        behind.answer().is_ok()
    });
    assert!(queues_twice.await.unwrap());
}

fn that_detects_deadlocks() -> LockSpace {
    LockSpace::builder().detect_deadlocks(true).build()
}

/// Why an acquire is refused, which must be at once: one that waits fails here, and does not hang.
fn refused(space: &LockSpace, name: &str, owner: u64) -> AcquireError {
    Hand::new(space.acquire(name).owner(owner).into_future()).answer().unwrap_err()
}

/// The cycle that an acquire is refused for: who, by number, waits for what.
fn cycle(error: AcquireError) -> Vec<(Option<u64>, String)> {
    match error {
        AcquireError::Deadlock(deadlock) => {
            let Deadlock { cycle, .. } = *deadlock;
            cycle.iter().map(|waits| (waits.owner.id(), waits.name.to_string())).collect()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_would_close_a_cycle_of_two_is_told_the_cycle() {
    let space = that_detects_deadlocks();
    let _anns = space.acquire("a").owner(1).label("ann's").await.unwrap();
    let _bens = space.acquire("b").owner(2).await.unwrap();
    let _waits = Hand::new(space.acquire("b").owner(1).into_future()).waits();

    let error = refused(&space, "a", 2);
    assert_eq!(
        error.to_string(),
        "\"a\" is not granted: nobody would go on, since owner 2 waits for \"a\" of owner 1 (ann's), \
         owner 1 (ann's) waits for \"b\" of owner 2"
    );
    assert_eq!(error.refusal(), None);
    assert_eq!(cycle(error), [(Some(2), "a".into()), (Some(1), "b".into())]);
    assert_eq!(space.stats().refused_deadlock, 1);
    assert!(space.audit().is_clean());
}

#[tokio::test]
async fn who_would_close_a_cycle_of_three_is_told_the_cycle() {
    let space = that_detects_deadlocks();
    let holds =
        ["a", "b", "c"].map(|name| Hand::new(space.acquire(name).owner(owner(name)).into_future()));
    let _guards = holds.map(|hold| hold.answer().unwrap());
    let _a_waits = Hand::new(space.acquire("b").owner(owner("a")).into_future()).waits();
    let _b_waits = Hand::new(space.acquire("c").owner(owner("b")).into_future()).waits();
    let error = refused(&space, "a", owner("c"));
    let waits = |who: &str, name: &str| (Some(owner(who)), name.to_owned());
    assert_eq!(cycle(error), [waits("c", "a"), waits("a", "b"), waits("b", "c")]);
}

fn owner(name: &str) -> u64 {
    name.as_bytes()[0].into()
}

#[tokio::test]
async fn a_chain_that_leads_elsewhere_is_no_cycle() {
    let space = that_detects_deadlocks();
    let a = space.acquire("a").owner(1).await.unwrap();
    let b = space.acquire("b").owner(2).await.unwrap();
    let first = Hand::new(space.acquire("b").owner(1).into_future()).waits();
    let second = Hand::new(space.acquire("a").owner(3).into_future()).waits();
    drop(b);
    drop(first.answer().unwrap());
    drop(a);
    assert!(second.answer().is_ok());
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn tasks_are_owners_by_themselves() {
    let space = that_detects_deadlocks();
    let (holds, held) = tokio::sync::oneshot::channel();
    let (asks, asked) = tokio::sync::oneshot::channel();
    let other = space.clone();
    let ann = tokio::spawn(async move {
        let _a = other.acquire("a").await.unwrap();
        holds.send(()).unwrap();
        asked.await.unwrap();
        other.acquire("b").await.map(drop)
    });
    held.await.unwrap();
    let ben = tokio::spawn(async move {
        let _b = space.acquire("b").await.unwrap();
        asks.send(()).unwrap();
        space.acquire("a").await.map(drop)
    });
    // Whoever of the two comes second is turned away and drops what it holds; the other goes on.
    let told = [ann.await.unwrap(), ben.await.unwrap()];
    let refused = told.iter().filter(|told| matches!(told, Err(AcquireError::Deadlock(_))));
    assert_eq!((refused.count(), told.iter().filter(|told| told.is_ok()).count()), (1, 1));
}

#[test]
fn threads_are_owners_by_themselves() {
    let space = that_detects_deadlocks();
    let _a = space.blocking_acquire("a").unwrap();
    let (holds, held) = mpsc::channel();
    let other = space.clone();
    let ben = thread::spawn(move || {
        let _b = other.try_acquire("b").unwrap();
        holds.send(()).unwrap();
        other.blocking_acquire("a").map(drop)
    });
    held.recv().unwrap();
    while space.audit().waiting == 0 {
        thread::yield_now();
    }
    let error = space.blocking_acquire("b").unwrap_err();
    assert_eq!(cycle(error).len(), 2);
    drop(_a);
    ben.join().unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_wait_closes_no_cycle() {
    let space = that_detects_deadlocks();
    let _a = space.acquire("a").owner(1).await.unwrap();
    let _b = space.acquire("b").owner(2).await.unwrap();
    let _waits = Hand::new(space.acquire("b").owner(1).into_future()).waits();
    let error = space.acquire("a").owner(2).try_now().unwrap_err();
    assert_eq!(error, AcquireError::Busy { name: named("a") });
}

#[tokio::test(start_paused = true)]
async fn waits_and_holds_that_have_ended_close_no_cycle() {
    let space = that_detects_deadlocks();
    let second = Duration::from_secs(1);
    let _a = space.acquire("a").owner(1).await.unwrap();
    let b = space.acquire("b").owner(2).lease(3 * second).await.unwrap();
    let timed_out = space.acquire("b").owner(1).wait_timeout(second).await;
    assert!(matches!(timed_out, Err(AcquireError::TimedOut(_))));
    // Ann waits no more.
    drop(Hand::new(space.acquire("a").owner(2).into_future()).waits());
    // And Ben, once his lease has ended, holds nothing.
    let waits = Hand::new(space.acquire("a").owner(2).into_future()).waits();
    assert_eq!(cycle(refused(&space, "b", 1)).len(), 2);
    b.lost().await;
    drop(space.acquire("b").owner(1).await.unwrap());
    drop(waits);
    assert!(space.audit().is_clean());
}

#[tokio::test]
async fn an_owner_that_was_named_stays_the_owner_of_what_is_sent_away() {
    let space = that_detects_deadlocks();
    let guard = space.acquire("a").owner(1).await.unwrap().into_owned();
    let refused = refused(&space, "a", 1);
    assert_eq!(refused, AcquireError::SelfWait { name: named("a") });
    drop(guard);
    let nobodys = space.acquire("a").await.unwrap().into_owned();
    let _waits = Hand::new(space.acquire("a").owner(1).into_future()).waits();
    drop(nobodys);
}

#[tokio::test]
async fn a_section_has_an_owner_too() {
    let space = that_detects_deadlocks();
    let _a = space.acquire("a").owner(1).await.unwrap();
    let _waits = {
        let bens = SectionOptions::new().owner(2);
        let waits_inside = async |_token| space.acquire("a").owner(2).await.map(drop);
        let mut section = Hand::new(Box::pin(space.critical_section("b", bens, waits_inside)));
        assert!(section.poll().is_pending());
        section
    };
    let anns = SectionOptions::new().owner(1);
    let refused = space.critical_section("b", anns, async |_token| ()).await.unwrap_err();
    let SectionError::Acquire(error) = refused else { panic!("{refused}") };
    assert_eq!(cycle(error), [(Some(1), "b".into()), (Some(2), "a".into())]);
}

#[tokio::test]
async fn a_peak_of_owners_leaves_nothing_behind() {
    let space = that_detects_deadlocks();
    let names: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let mut guards = Vec::new();
    for (owner, name) in names.iter().enumerate() {
        guards.push(space.acquire(name).owner(owner as u64).await.unwrap());
    }
    // A chain of a thousand, each of whom waits for the next.
    let chain = names[1..].iter().enumerate();
    let chain: Vec<_> = chain
        .map(|(owner, next)| {
            Hand::new(space.acquire(next).owner(owner as u64).into_future()).waits()
        })
        .collect();
    let error = refused(&space, "0", 999);
    assert_eq!(cycle(error).len(), 1_000);
    drop(chain);
    drop(guards);
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn without_detection_nobody_is_turned_away_and_a_cycle_waits() {
    let space = LockSpace::new();
    let _a = space.acquire("a").owner(1).await.unwrap();
    let _b = space.acquire("b").owner(2).await.unwrap();
    let _ann = Hand::new(space.acquire("b").owner(1).into_future()).waits();
    let _ben = Hand::new(space.acquire("a").owner(2).into_future()).waits();
}
