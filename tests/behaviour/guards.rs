//! Guards: what they prove, how they end, and how their holders hear of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use lockspace::{FencingToken, Guard, LockName, LockSpace, Loss, LostHold, RenewError, WaitError};
use lockspace_spec::history::{Call, Event, Recorder, What};
use lockspace_tests::Hand;

use crate::ms;

#[track_caller]
fn assert_lost(lost: &LostHold, token: FencingToken, reason: Loss) {
    assert_eq!(lost.name, LockName::new("a").unwrap());
    assert_eq!((lost.token, lost.reason), (token, reason));
}

#[tokio::test]
async fn guard_knows_its_name_and_its_token() {
    let space = LockSpace::new();
    let first = space.acquire("a").await.unwrap();
    assert_eq!(first.name().as_str(), "a");
    let token = first.fencing_token();
    first.release().unwrap();
    assert!(space.acquire("a").await.unwrap().fencing_token() > token);
}

#[tokio::test]
async fn dropped_guard_releases() {
    let space = LockSpace::new();
    drop(space.acquire("a").await.unwrap());
    assert!(space.audit().is_quiescent());
}

#[test]
fn guard_may_be_sent_to_another_thread_and_dropped_there() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap().into_owned();
    std::thread::spawn(move || drop(guard)).join().unwrap();
    assert!(space.audit().is_quiescent());
}

#[test]
fn owned_guard_keeps_its_lockspace_alive() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap().into_owned();
    drop(space);
    assert!(!guard.is_lost());
    assert_eq!(guard.into_owned().release(), Ok(()));
}

#[test]
fn panic_while_holding_releases_and_poisons_nothing() {
    let space = LockSpace::new();
    let other = space.clone();
    let panics = std::thread::spawn(move || {
        let _guard = other.blocking_acquire("a").unwrap();
        panic!("on purpose");
    });
    panics.join().unwrap_err();
    drop(space.try_acquire("a").unwrap());
}

#[tokio::test]
async fn healthy_hold_is_not_told_that_it_is_lost() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let mut lost = Hand::new(guard.lost()).waits();
    assert!(!guard.is_lost());
    drop(space.acquire("b").await.unwrap());
    assert_eq!(lost.take_wakes(), 0);
    assert!(lost.poll().is_pending());
}

#[tokio::test(start_paused = true)]
async fn holder_is_told_when_its_lease_ends() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(10)).await.unwrap();
    let lost = guard.lost().await;
    assert_lost(&lost, guard.fencing_token(), Loss::LeaseElapsed);
    assert!(guard.is_lost());
    assert_eq!(guard.lost().await, lost, "and whoever asks later is told the same");
    assert_eq!(guard.name().as_str(), "a");
    assert_eq!(guard.release(), Err(lost));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn holder_is_told_when_its_name_is_taken_away() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let token = guard.fencing_token();
    let mut lost = Hand::new(guard.lost()).waits();
    assert_eq!(space.force_release("a"), Ok(Some(token)));
    assert_eq!(lost.take_wakes(), 1);
    assert_lost(&lost.answer(), token, Loss::Forced);
    assert_eq!(space.force_release("a"), Ok(None));
}

#[tokio::test(start_paused = true)]
async fn holder_is_told_when_a_shutdown_revokes_its_hold() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    space.begin_shutdown(ms(10));
    let lost = guard.lost().await;
    assert_lost(&lost, guard.fencing_token(), Loss::Shutdown);
    assert_eq!(
        lost.to_string(),
        format!(
            r#"the hold of "a" with token {} was lost: the lockspace shut down and its grace ended"#,
            lost.token
        )
    );
}

#[tokio::test]
async fn everybody_who_watches_a_hold_is_told_of_its_loss() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let watchers: Vec<_> = (0..3).map(|_| Hand::new(guard.lost()).waits()).collect();
    assert_eq!(space.audit().watching, 3);
    space.force_release("a").unwrap();
    assert_eq!(space.audit().watching, 0);
    for lost in watchers {
        assert_lost(&lost.answer(), guard.fencing_token(), Loss::Forced);
    }
}

#[tokio::test(start_paused = true)]
async fn renewal_extends_a_lease_again_and_again() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(10)).await.unwrap();
    for _ in 0..100 {
        tokio::time::sleep(ms(8)).await;
        guard.renew(ms(10)).unwrap();
    }
    assert_eq!(space.audit().timers, 1);
    guard.lost().await;
    assert_eq!(space.stats().renewed, 100);
}

#[tokio::test(start_paused = true)]
async fn renewal_never_resurrects() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(10)).await.unwrap();
    let lost = guard.lost().await;
    assert_eq!(guard.renew(ms(10)), Err(RenewError::Lost(lost)));
    assert_eq!(space.audit().held, 0);
    let successor = space.acquire("a").await.unwrap();
    guard.renew(ms(10)).unwrap_err();
    assert!(guard.is_lost() && !successor.is_lost());
    assert!(successor.fencing_token() > guard.fencing_token());
}

#[tokio::test]
async fn renewal_for_no_time_changes_nothing() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(1_000)).await.unwrap();
    let name = guard.name();
    assert_eq!(guard.renew(Duration::ZERO), Err(RenewError::ZeroLease { name }));
    assert!(!guard.is_lost());
}

#[tokio::test]
async fn hold_without_a_lease_stays_without_one_when_it_is_renewed() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    guard.renew(ms(10)).unwrap();
    assert_eq!(space.audit().timers, 0);
    assert_eq!(space.snapshot().names[0].holder.lease_left, None);
}

#[tokio::test(start_paused = true)]
async fn released_lease_leaves_no_timer_and_no_task() {
    let space = LockSpace::new();
    for _ in 0..1_000 {
        let guard = space.acquire("a").lease(ms(10)).await.unwrap();
        guard.renew(ms(20)).unwrap();
        drop(guard);
    }
    lockspace_tests::let_tasks_run().await;
    assert!(space.audit().is_quiescent());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_release_hears_of_each_way_a_hold_can_end() {
    let space = LockSpace::new();
    let ends: [fn(&LockSpace, Guard<'_>); 3] = [
        |_, guard| drop(guard),
        |space, guard| {
            space.force_release("a").unwrap();
            drop(guard);
        },
        |space, guard| {
            space.begin_shutdown(Duration::ZERO);
            drop(guard);
        },
    ];
    for end in ends {
        let guard = space.acquire("a").await.unwrap();
        let waits = Hand::new(space.wait_until_released("a", None)).waits();
        end(&space, guard);
        assert_eq!(waits.answer(), Ok(()));
    }
}

#[tokio::test]
async fn nobody_waits_for_the_release_of_a_free_name() {
    let space = LockSpace::new();
    assert_eq!(Hand::new(space.wait_until_released("a", None)).answer(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn wait_for_a_release_ends_at_its_limit() {
    let space = LockSpace::new();
    let _guard = space.acquire("a").await.unwrap();
    let (name, limit) = (LockName::new("a").unwrap(), ms(10));
    let waited = space.wait_until_released("a", Some(limit)).await;
    assert_eq!(waited, Err(WaitError::TimedOut { name, limit }));
    assert_eq!(space.audit().watching, 0);
}

#[tokio::test]
async fn waiting_for_a_release_is_about_the_hold_that_is_current_and_not_its_successor() {
    let space = LockSpace::new();
    let first = space.acquire("a").await.unwrap();
    let successor = Hand::new(space.acquire("a").into_future()).waits();
    let waits = Hand::new(space.wait_until_released("a", None)).waits();
    drop(first);
    let _second = successor.answer().unwrap();
    assert_eq!(waits.answer(), Ok(()));
}

#[tokio::test]
async fn lost_guard_is_accounted_for_until_it_is_dropped() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    space.force_release("a").unwrap();
    assert_eq!(space.audit().lost, 1);
    assert!(!space.audit().is_quiescent());
    drop(guard);
    assert!(space.audit().is_quiescent());
}

/// Four names lie beside the lock of their shard, the fifth one elsewhere.
#[tokio::test]
async fn whoever_lost_a_fifth_name_to_the_next_in_line_is_told_so() {
    let space = LockSpace::builder().shards(1).build();
    let names = ["a", "b", "c", "d", "e"];
    let mut guards: Vec<_> = names.map(|name| space.try_acquire(name).unwrap()).into();
    let next = Hand::new(space.acquire("e").into_future()).waits();
    space.force_release("e").unwrap();
    let next = next.answer().unwrap();
    let overtaken = guards.pop().unwrap();
    assert!(overtaken.is_lost() && !next.is_lost());
    let lost = overtaken.release().unwrap_err();
    assert_eq!((lost.name.as_str(), lost.reason), ("e", Loss::Forced));
    assert_eq!(next.name().as_str(), "e");
    drop((next, guards));
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn first_of_several_waiters_is_woken_and_no_other() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let mut waiters: Vec<_> =
        (0..5).map(|_| Hand::new(space.acquire("a").into_future()).waits()).collect();
    drop(guard);
    let wakes: Vec<_> = waiters.iter_mut().map(Hand::take_wakes).collect();
    assert_eq!(wakes, [1, 0, 0, 0, 0]);
    assert!(matches!(waiters[0].poll(), Poll::Ready(Ok(_))));
}

/// Panics when it is told of a release.
struct Fragile;

impl Recorder for Fragile {
    fn record(&self, event: Event) {
        assert!(!matches!(event.what, What::Invoke(_, Call::Release { .. })), "it is fragile");
    }
}

#[test]
fn a_panic_in_a_release_is_one_panic_and_ends_no_process() {
    let space = LockSpace::builder().recorder(Arc::new(Fragile)).build();
    let guard = space.try_acquire("a").unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| guard.release())).is_err());
}

/// Panics when it is told of an answer, once.
#[derive(Default)]
struct FragileOnce(AtomicBool);

impl Recorder for FragileOnce {
    fn record(&self, event: Event) {
        let answers = matches!(event.what, What::Return(..));
        assert!(!answers || self.0.swap(true, Ordering::SeqCst), "it is fragile");
    }
}

#[test]
fn a_recorder_that_panics_leaves_no_hold_behind() {
    let space = LockSpace::builder().recorder(Arc::new(FragileOnce::default())).build();
    assert!(catch_unwind(AssertUnwindSafe(|| space.try_acquire("a"))).is_err());
    assert!(space.audit().is_quiescent());
}
