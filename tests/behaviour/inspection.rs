//! Looking at a lockspace: snapshot, audit, health, statistics.

use lockspace::{Audit, HealthLevel, HealthLimits, HealthReason, LockName, LockSpace};
use lockspace::{Loss, SessionEnd, SessionState};
use lockspace_tests::Hand;

use crate::ms;

#[tokio::test(start_paused = true)]
async fn snapshot_shows_holders_and_queues_in_order_with_labels_and_what_is_left() {
    let space = LockSpace::builder().timing(true).build();
    let guard = space.acquire("b").label("importer").lease(ms(100)).await.unwrap();
    let _other = space.acquire("a").await.unwrap();
    let first = space.acquire("b").label("first").wait_timeout(ms(50));
    let _first = Hand::new(first.into_future()).waits();
    tokio::time::advance(ms(10)).await;
    let _second = Hand::new(space.acquire("b").into_future()).waits();

    let snapshot = space.snapshot();
    let names: Vec<_> = snapshot.names.iter().map(|seen| seen.name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "in alphabetical order");
    let seen = &snapshot.names[1];
    assert_eq!(seen.holder.token, guard.fencing_token());
    assert_eq!(seen.holder.label.as_deref(), Some("importer"));
    assert_eq!(seen.holder.lease_left, Some(ms(90)));
    let waiters: Vec<_> = seen
        .waiters
        .iter()
        .map(|waiter| (waiter.label.as_deref(), waiter.waiting_for, waiter.wait_left))
        .collect();
    assert_eq!(waiters, [(Some("first"), Some(ms(10)), Some(ms(40))), (None, Some(ms(0)), None)]);
}

#[test]
fn losses_and_states_of_a_session_are_told_in_words() {
    let lost = [Loss::LeaseElapsed, Loss::Forced, Loss::Shutdown, Loss::Unreadable];
    let words = [
        "its lease ended",
        "it was force-released",
        "the lockspace shut down and its grace ended",
        "its row in the store cannot be read any more",
    ];
    assert_eq!(lost.map(|loss| loss.to_string()), words);
    let ends = [SessionEnd::Outage, SessionEnd::Removed];
    let ends = [ends, [SessionEnd::StoreWentBack, SessionEnd::Unreadable]].concat();
    let words = [
        "the session was not kept alive in time",
        "the session was removed from the store",
        "the store has lost data",
        "the session's row cannot be read any more",
    ];
    for (end, words) in ends.into_iter().zip(words) {
        assert_eq!((end.to_string(), Loss::Session(end).to_string()), (words.into(), words.into()));
    }
    let states = [SessionState::Fresh, SessionState::Suspect, SessionState::Lost];
    assert_eq!(states.map(|state| state.to_string()), ["fresh", "suspect", "lost"]);
}

#[tokio::test(start_paused = true)]
async fn holds_and_waits_have_an_age_only_where_they_are_timed() {
    for timing in [false, true] {
        let space = LockSpace::builder().timing(timing).build();
        let guard = space.acquire("a").label("x").await.unwrap();
        let waiter = Hand::new(space.acquire("a").label("y").into_future()).waits();
        tokio::time::advance(ms(10)).await;
        let seen = &space.snapshot().names[0];
        assert_eq!(seen.holder.held_for, timing.then_some(ms(10)));
        assert_eq!(seen.waiters[0].waiting_for, timing.then_some(ms(10)));
        drop(waiter);
        drop(guard);
        assert_eq!(space.stats().hold.count, u64::from(timing));
        assert_eq!(space.stats().hold.max, if timing { ms(10) } else { ms(0) });
    }
}

#[tokio::test(start_paused = true)]
async fn label_goes_with_the_grant_from_the_queue_to_the_hold_and_no_further() {
    let space = LockSpace::new();
    let first = space.acquire("a").label("first").await.unwrap();
    let second = Hand::new(space.acquire("a").label("second").into_future()).waits();
    let third = Hand::new(space.acquire("a").into_future()).waits();
    let label = || space.snapshot().names[0].holder.label.clone();
    assert_eq!(label().as_deref(), Some("first"));
    drop(first);
    assert_eq!(label().as_deref(), Some("second"));
    drop(second.answer());
    assert_eq!(label(), None, "the third has none");
    drop(third.answer());
}

#[tokio::test(start_paused = true)]
async fn audit_counts_each_thing_that_is_left() {
    let space = LockSpace::new();
    let guard = space.acquire("a").lease(ms(100)).await.unwrap();
    let lost = space.acquire("b").await.unwrap();
    space.force_release("b").unwrap();
    let _watcher = Hand::new(guard.lost()).waits();
    let _waiter = Hand::new(space.acquire("a").wait_timeout(ms(50)).into_future()).waits();
    let c = space.acquire("c").await.unwrap();
    let _unseen = Hand::new(space.acquire("c").into_future()).waits();
    drop(c);

    let audit = space.audit();
    let Audit { held, waiting, unseen, lost: losses, watching, timers, reaper, .. } = audit;
    assert_eq!((held, waiting, unseen, losses, watching, timers, reaper), (2, 1, 1, 1, 1, 2, true));
    assert!(audit.is_clean() && !audit.is_quiescent());
    assert_eq!(
        audit.to_string(),
        "2 held, 1 waiting, 1 unseen answers, 1 lost holds, 1 watching, 2 timers, reaper: true"
    );
    drop(lost);
}

#[tokio::test(start_paused = true)]
async fn health_names_each_limit_that_is_passed_and_by_whom() {
    let limits = HealthLimits::new().longest_hold(ms(10)).longest_wait(ms(5)).deepest_queue(1);
    let space = LockSpace::builder().health_limits(limits).build();
    let _guard = space.acquire("a").label("importer").await.unwrap();
    let _waiters = [0; 2].map(|_| Hand::new(space.acquire("a").into_future()).waits());
    let name = LockName::new("a").unwrap();
    let deep = HealthReason::DeepQueue { name: name.clone(), waiters: 2 };
    assert_eq!(space.health().reasons, std::slice::from_ref(&deep));

    tokio::time::advance(ms(10)).await;
    let waits = HealthReason::LongWait { name: name.clone(), waiting_for: ms(10) };
    assert_eq!(space.health().reasons, [waits, deep.clone()], "at its limit a hold is still well");

    tokio::time::advance(ms(1)).await;
    let health = space.health();
    let held_for = ms(11);
    let holds =
        HealthReason::LongHold { name: name.clone(), label: Some("importer".into()), held_for };
    let waits = HealthReason::LongWait { name, waiting_for: ms(11) };
    assert_eq!(health.reasons, [holds.clone(), waits, deep]);
    assert_eq!((health.longest_hold, health.longest_wait), (Some(ms(11)), Some(ms(11))));
    assert_eq!(health.deepest_queue, 2);
    assert_eq!(holds.to_string(), r#""a" has been held for 11ms by importer"#);
}

#[tokio::test(start_paused = true)]
async fn health_is_as_bad_as_its_worst_reason() {
    let limits = HealthLimits::new().longest_hold(ms(10));
    let space = LockSpace::builder().health_limits(limits).build();
    let guard = space.acquire("a").label("importer").await.unwrap();
    assert_eq!(space.health().level(), HealthLevel::Ok);
    assert_eq!(space.health().to_string(), "ok");
    tokio::time::advance(ms(11)).await;
    assert_eq!(space.health().level(), HealthLevel::Degraded);
    space.begin_shutdown(ms(1_000));
    let health = space.health();
    assert_eq!(health.level(), HealthLevel::Failing);
    let lines = [
        "failing",
        "failing: the lockspace is shutting down",
        r#"degraded: "a" has been held for 11ms by importer"#,
    ];
    assert_eq!(health.to_string(), lines.join("\n"));
    drop(guard);
}

#[tokio::test]
async fn without_limits_everything_is_well() {
    let space = LockSpace::new();
    let _guard = space.acquire("a").await.unwrap();
    let _waiter = Hand::new(space.acquire("a").into_future()).waits();
    assert!(space.health().is_well());
}

#[tokio::test(start_paused = true)]
async fn waits_are_measured_until_their_answer_whatever_it_is() {
    let space = LockSpace::builder().timing(true).build();
    let guard = space.acquire("a").await.unwrap();
    let granted = Hand::new(space.acquire("a").into_future()).waits();
    space.acquire("a").wait_timeout(ms(4)).await.unwrap_err();
    tokio::time::advance(ms(4)).await;
    drop(guard);
    drop(granted.answer().unwrap());

    let wait = space.stats().wait;
    assert_eq!((wait.count, wait.total, wait.max), (2, ms(12), ms(8)));
    assert_eq!(wait.mean(), Some(ms(6)));
    assert_eq!(wait.buckets.iter().sum::<u64>(), 2);
    assert_eq!(
        (wait.buckets[11], wait.buckets[12]),
        (1, 1),
        "2^11 µs is about 2 ms, 2^12 about 4 ms"
    );
}

#[tokio::test]
async fn acquire_that_need_not_wait_is_not_measured_and_touches_no_timer() {
    let space = LockSpace::builder().timing(true).build();
    drop(space.acquire("a").wait_timeout(ms(1_000)).await.unwrap());
    assert_eq!(space.stats().wait.mean(), None);
    assert!(space.audit().is_quiescent(), "nor was a reaper ever started");
}

/// A future that queues, is kept and never polled again is granted all the same. Nobody can make it look, and
/// it is shown.
#[tokio::test(start_paused = true)]
async fn grant_that_nobody_looks_at_is_shown_with_its_label_counted_and_reported() {
    let limits = HealthLimits::new().longest_hold(ms(1_000)).longest_wait(ms(1_000));
    let space = LockSpace::builder().health_limits(limits).build();
    let guard = space.acquire("a").await.unwrap();
    let kept = Hand::new(space.acquire("a").label("kept").into_future()).waits();
    let mut behind = Hand::new(space.acquire("a").into_future()).waits();
    drop(guard);
    assert_eq!((space.audit().held, space.audit().unseen), (1, 1), "{}", space.audit());
    tokio::time::advance(ms(1_001)).await;
    assert!(behind.poll().is_pending());
    let holder = space.snapshot().names.remove(0).holder;
    assert_eq!(holder.label.as_deref(), Some("kept"));
    let health = space.health();
    assert_eq!(health.level(), HealthLevel::Degraded);
    let held_long = |reason: &HealthReason| match reason {
        HealthReason::LongHold { label, .. } => label.as_deref() == Some("kept"),
        _ => false,
    };
    let waits_long = |reason: &HealthReason| matches!(reason, HealthReason::LongWait { .. });
    assert!(health.reasons.iter().any(held_long), "{health}");
    assert!(health.reasons.iter().any(waits_long), "{health}");
    drop(kept);
    assert!(behind.answer().is_ok(), "and whoever drops it lets the next one in");
}

#[tokio::test(start_paused = true)]
async fn grant_that_nobody_looks_at_ends_with_its_lease() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let kept = Hand::new(space.acquire("a").lease(ms(10)).into_future()).waits();
    let behind = space.acquire("a").into_future();
    drop(guard);
    drop(tokio::time::timeout(ms(11), behind).await.unwrap().unwrap());
    assert!(kept.answer().unwrap().is_lost());
}
