//! What a request may say, and every way in which it is refused.

use std::time::Duration;

use lockspace::{AcquireError, LockName, LockSpace, NameError, Refusal, Standing, WaitError};
use lockspace_tests::Hand;

use crate::{ms, named};

#[tokio::test]
async fn empty_name_is_refused_by_every_operation() {
    let space = LockSpace::new();
    let error = AcquireError::InvalidName(NameError::Empty);
    assert_eq!(space.try_acquire("").unwrap_err(), error);
    assert_eq!(space.acquire("").await.unwrap_err(), error);
    assert_eq!(space.blocking_acquire("").unwrap_err(), error);
    assert_eq!(space.force_release(""), Err(NameError::Empty));
    let waited = space.wait_until_released("", None).await;
    assert_eq!(waited, Err(WaitError::InvalidName(NameError::Empty)));
    assert!(space.audit().is_quiescent());
}

#[test]
fn name_of_255_bytes_is_one_and_of_256_is_not() {
    let space = LockSpace::new();
    let longest = "x".repeat(LockName::MAX_BYTES);
    assert_eq!(space.try_acquire(&longest).unwrap().name().as_str(), longest);
    let error = space.try_acquire(&"x".repeat(256)).unwrap_err();
    assert_eq!(error, AcquireError::InvalidName(NameError::TooLong { bytes: 256 }));
    assert_eq!(error.refusal(), None, "the protocol was never asked");
}

#[test]
fn length_of_a_name_is_counted_in_bytes_and_not_in_characters() {
    let space = LockSpace::new();
    let fits = "é".repeat(127); // 254 bytes
    assert_eq!(space.try_acquire(&fits).unwrap().name().as_str(), fits);
    let error = space.try_acquire(&"é".repeat(128)).unwrap_err();
    assert_eq!(error, AcquireError::InvalidName(NameError::TooLong { bytes: 256 }));
}

#[test]
fn names_are_compared_byte_for_byte() {
    let space = LockSpace::new();
    let names = ["a", "A", "a ", "a\0", "á", "a\u{301}"];
    let guards = names.map(|name| space.try_acquire(name).unwrap());
    assert_eq!(space.audit().held, guards.len());
}

#[tokio::test]
async fn lease_without_length_is_refused() {
    let space = LockSpace::new();
    let error = AcquireError::ZeroLease { name: named("a") };
    let request = space.acquire("a").lease(Duration::ZERO);
    assert_eq!(request.try_now().unwrap_err(), error);
    assert_eq!(request.await.unwrap_err(), error);
    assert_eq!(request.blocking().unwrap_err(), error);
    assert!(space.audit().is_quiescent());
}

#[tokio::test]
async fn zero_wait_is_exactly_a_try() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let busy = AcquireError::Busy { name: named("a") };
    let request = space.acquire("a").wait_timeout(Duration::ZERO);
    assert_eq!(Hand::new(request.into_future()).answer().unwrap_err(), busy);
    assert_eq!(request.blocking().unwrap_err(), busy);
    assert_eq!(space.try_acquire("a").unwrap_err(), busy);
    assert_eq!(space.stats().queued, 0, "nobody ever stood in the queue");
    drop(guard);
    drop(Hand::new(request.into_future()).answer().unwrap());
}

#[tokio::test]
async fn try_does_not_wait_whatever_the_wait_timeout() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let tried = space.acquire("a").wait_timeout(ms(1_000)).try_now();
    assert_eq!(tried.unwrap_err(), AcquireError::Busy { name: named("a") });
}

#[tokio::test(start_paused = true)]
async fn shortest_wait_ends_and_says_how_long_it_was_to_be() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let wait_timeout = Duration::from_nanos(1);
    let error = space.acquire("a").wait_timeout(wait_timeout).await.unwrap_err();
    let AcquireError::TimedOut(error) = error else { panic!("{error}") };
    assert_eq!((error.name, error.wait_timeout), (named("a"), wait_timeout));
}

/// In nanoseconds: none, the least, and what is around a microsecond and a millisecond.
const WAITS: [u64; 7] = [0, 1, 999, 1_000, 999_999, 1_000_000, 1_000_001];

/// Whether this is what is told to somebody who waited so long in vain.
fn fits(error: &AcquireError, wait: Duration) -> bool {
    match error {
        AcquireError::Busy { .. } => wait.is_zero(),
        AcquireError::TimedOut(error) => !wait.is_zero() && error.wait_timeout == wait,
        _ => false,
    }
}

#[test]
fn every_wait_timeout_of_a_thread_ends_and_zero_is_a_try() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    for wait in WAITS.map(Duration::from_nanos) {
        let error = space.acquire("a").wait_timeout(wait).blocking().unwrap_err();
        assert!(fits(&error, wait), "{wait:?}: {error}");
    }
    assert_eq!(space.audit().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn every_wait_timeout_of_a_task_ends_and_zero_is_a_try() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    for wait in WAITS.map(Duration::from_nanos) {
        let request = space.acquire("a").wait_timeout(wait).into_future();
        let ended = tokio::time::timeout(ms(3), request).await.expect("to the millisecond");
        let error = ended.unwrap_err();
        assert!(fits(&error, wait), "{wait:?}: {error}");
    }
    assert_eq!(space.audit().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn who_waited_in_vain_is_told_who_held_the_name_and_how_it_stood_in_line() {
    let space = LockSpace::builder().timing(true).build();
    let request = space.acquire("a").lease(ms(10_000)).label("nightly");
    let guard = request.await.unwrap();
    tokio::time::sleep(ms(1_000)).await;
    let _first = Hand::new(space.acquire("a").into_future()).waits();
    let waits_in_vain = Hand::new(space.acquire("a").wait_timeout(ms(2_000)).into_future()).waits();
    let _third = Hand::new(space.acquire("a").into_future()).waits();
    tokio::time::sleep(ms(2_001)).await;
    // What happens before it looks changes nothing of what it is told.
    let token = guard.fencing_token();
    drop(guard);
    let error = waits_in_vain.answer().unwrap_err();
    let text = error.to_string();
    let AcquireError::TimedOut(error) = error else { panic!("{error}") };
    let standing = error.standing;
    let holder = standing.holder.unwrap();
    assert_eq!((holder.token, holder.label.as_deref()), (token, Some("nightly")));
    assert_eq!((standing.ahead, standing.queued), (1, 3));
    let (held, left) = (holder.held_for.unwrap(), holder.lease_left.unwrap());
    assert_eq!(held + left, ms(10_000));
    assert!(held >= ms(3_000) && held <= ms(3_001), "{held:?}");
    let expected = format!(
        "\"a\" did not come free within the wait timeout of 2s: held by nightly under token {token} \
         for {held:?}, with {left:?} left of its lease; 1 of 3 in the queue were ahead"
    );
    assert_eq!(text, expected);
}

#[test]
fn a_thread_that_waited_in_vain_is_told_as_well() {
    let space = LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let error = space.acquire("a").wait_timeout(ms(1)).blocking().unwrap_err();
    let AcquireError::TimedOut(error) = error else { panic!("{error}") };
    let standing = error.standing;
    let holder = standing.holder.unwrap();
    assert_eq!(holder.token, guard.fencing_token());
    assert_eq!((holder.label, holder.held_for, holder.lease_left), (None, None, None));
    assert_eq!((standing.ahead, standing.queued), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_far_behind_is_told_so_roughly() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let wait = || Hand::new(space.acquire("a").into_future()).waits();
    let _before: Vec<_> = (0..Standing::COUNTED + 10).map(|_| wait()).collect();
    let error = space.acquire("a").wait_timeout(ms(1)).await.unwrap_err();
    assert!(
        error.to_string().ends_with("; 1000 or more of 1011 in the queue were ahead"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn wait_timeout_lets_nobody_wait_for_less() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("a").unwrap();
    let began = tokio::time::Instant::now();
    space.acquire("a").wait_timeout(Duration::from_micros(2_500)).await.unwrap_err();
    assert!((2_500..=4_000).contains(&began.elapsed().as_micros()), "to the millisecond");
}

#[tokio::test(start_paused = true)]
async fn longest_durations_neither_overflow_nor_end() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(Duration::MAX).await.unwrap();
    let wait = Hand::new(space.acquire("a").wait_timeout(Duration::MAX).into_future()).waits();
    tokio::time::advance(Duration::from_secs(365 * 24 * 3_600)).await;
    guard.renew(Duration::MAX).unwrap();
    assert!(!guard.is_lost());
    assert_eq!(space.audit().timers, 2);
    drop(guard);
    drop(wait.answer().unwrap());
    space.begin_shutdown(Duration::MAX);
    tokio::task::yield_now().await;
    assert!(space.audit().is_quiescent());
}

#[test]
fn longest_blocking_wait_is_granted_as_any_other() {
    let space = LockSpace::new();
    drop(space.acquire("a").wait_timeout(Duration::MAX).blocking().unwrap());
    std::thread::scope(|threads| {
        let guard = space.try_acquire("a").unwrap();
        let waiter =
            threads.spawn(|| space.acquire("a").wait_timeout(Duration::MAX).blocking().is_ok());
        lockspace_tests::until("the thread waits", || space.audit().waiting == 1);
        drop(guard);
        assert!(waiter.join().unwrap());
    });
}

#[tokio::test]
async fn one_name_too_many_is_refused_until_another_comes_free() {
    let space = LockSpace::builder().max_names(2).build();
    let first = space.try_acquire("a").unwrap();
    let _second = space.try_acquire("b").unwrap();
    let error = space.acquire("c").await.unwrap_err();
    assert_eq!(error, AcquireError::AtCapacity { name: named("c") });
    assert_eq!(error.refusal(), Some(Refusal::AtCapacity));
    drop(first);
    drop(space.try_acquire("c").unwrap());
}

#[tokio::test]
async fn one_waiter_too_many_is_refused_until_another_leaves() {
    let space = LockSpace::builder().max_waiters_per_name(1).build();
    let _guard = space.try_acquire("a").unwrap();
    let waiter = Hand::new(space.acquire("a").into_future()).waits();
    let error = space.acquire("a").await.unwrap_err();
    assert_eq!(error, AcquireError::AtCapacity { name: named("a") });
    drop(waiter);
    drop(Hand::new(space.acquire("a").into_future()).waits());
}

#[tokio::test]
async fn errors_say_which_name_and_what_to_do() {
    let space = LockSpace::new();
    let _guard = space.try_acquire("invoice/42").unwrap();
    let error = space.try_acquire("invoice/42").unwrap_err();
    let told = r#""invoice/42" is held by somebody else: try again later, or wait for it"#;
    assert_eq!(error.to_string(), told);
}
