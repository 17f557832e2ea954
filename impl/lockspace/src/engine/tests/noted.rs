//! What the engine counts, and what it notes of waits and holds, looked at by one thread: no race, so nothing
//! for loom.

use std::num::NonZeroU64;
use std::task::{Poll, Waker};
use std::time::Duration;

use lockspace_spec::Refusal;

use crate::Loss;
use crate::engine::{
    Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, Setup, Stats, TurnedAway, WaitKey,
};
use crate::runtime::Owner;

use super::plain::setup;

const HOUR: u64 = 3_600_000_000_000;

/// An engine in which one name may be in use, with one waiter, and everything is noted.
fn engine() -> Engine {
    Engine::new(&Setup {
        max_names: Some(1),
        max_waiters_per_name: Some(1),
        timing: true,
        detect_deadlocks: true,
        ..setup()
    })
}

/// A request for `name` that would wait.
fn ask(name: &str) -> Ask<'_> {
    let patience = Patience::Queue { waker: Waker::noop(), wait: None };
    Ask { name, patience, lease: None, label: None, owner: None }
}

fn act<R>(engine: &Engine, act: impl FnOnce(&Engine, &mut Effects) -> R) -> R {
    let mut effects = Effects::default();
    let result = act(engine, &mut effects);
    effects.carry_out();
    result
}

fn acquire(engine: &Engine, ask: &Ask<'_>) -> Result<Acquired, TurnedAway> {
    act(engine, |engine, effects| engine.door(ask.name).acquire(ask, effects))
}

fn take(engine: &Engine, ask: &Ask<'_>) -> HoldKey {
    match acquire(engine, ask) {
        Ok(Acquired::Granted(hold)) => hold,
        other => panic!("not granted: {other:?}"),
    }
}

fn queue(engine: &Engine, ask: &Ask<'_>) -> WaitKey {
    match acquire(engine, ask) {
        Ok(Acquired::Queued(key)) => key,
        other => panic!("not queued: {other:?}"),
    }
}

fn release(engine: &Engine, hold: HoldKey) -> Released {
    act(engine, |engine, effects| engine.release(hold, effects))
}

fn answer(engine: &Engine, key: WaitKey) -> Acquired {
    match act(engine, |engine, effects| engine.poll_wait(key, Waker::noop(), effects)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("no answer"),
    }
}

/// What is counted apart from grants, queues and times.
fn counted(engine: &Engine) -> Stats {
    let stats = engine.stats();
    Stats {
        granted: 0,
        queued: 0,
        wait: Stats::default().wait,
        hold: Stats::default().hold,
        ..stats
    }
}

#[test]
fn each_refusal_is_counted_as_what_it_is() {
    let engine = engine();
    let (ann, ben) = (Some(Owner::named(1)), Some(Owner::named(2)));
    let hold = take(&engine, &Ask { owner: ann, ..ask("a") });
    let refused = |ask: &Ask<'_>| match acquire(&engine, ask) {
        Ok(Acquired::Refused(why)) => Ok(why),
        Err(why) => Err(why),
        other => panic!("not refused: {other:?}"),
    };
    let patience = Patience::No { waker: Waker::noop() };
    assert_eq!(refused(&Ask { patience, ..ask("a") }), Ok(Refusal::Busy));
    assert_eq!(refused(&ask("b")), Ok(Refusal::AtCapacity));
    assert_eq!(refused(&Ask { owner: ann, ..ask("a") }), Err(TurnedAway::SelfWait));
    let key = queue(&engine, &Ask { owner: ben, ..ask("a") });
    assert_eq!(refused(&ask("a")), Ok(Refusal::AtCapacity));
    let expected =
        Stats { refused_busy: 1, refused_at_capacity: 2, refused_self_wait: 1, ..Stats::default() };
    assert_eq!(counted(&engine), expected);

    act(&engine, |engine, effects| engine.give_up(key, effects));
    assert!(matches!(answer(&engine, key), Acquired::TimedOut(_)));
    let key = queue(&engine, &ask("a"));
    act(&engine, |engine, effects| engine.shutdown(Duration::from_secs(3600), effects));
    assert_eq!(answer(&engine, key), Acquired::Refused(Refusal::ShuttingDown));
    assert_eq!(refused(&ask("a")), Ok(Refusal::ShuttingDown));
    assert_eq!(release(&engine, hold), Released::Released);
    let expected =
        Stats { refused_timed_out: 1, refused_shutting_down: 2, released: 1, ..expected };
    assert_eq!(counted(&engine), expected);
    let stats = engine.stats();
    assert_eq!((stats.granted, stats.queued), (1, 2));
}

#[test]
fn request_that_would_close_a_cycle_is_counted_as_a_deadlock() {
    let engine = Engine::new(&Setup { detect_deadlocks: true, ..setup() });
    let (ann, ben) = (Some(Owner::named(1)), Some(Owner::named(2)));
    let holds = [
        take(&engine, &Ask { owner: ann, ..ask("a") }),
        take(&engine, &Ask { owner: ben, label: Some("ben's"), ..ask("b") }),
    ];
    let key = queue(&engine, &Ask { owner: ann, ..ask("b") });
    let Err(TurnedAway::Deadlock(cycle)) = acquire(&engine, &Ask { owner: ben, ..ask("a") }) else {
        panic!("each would wait for the other")
    };
    let cycle: Vec<_> =
        cycle.iter().map(|waits| (waits.label.as_deref(), waits.name.as_str())).collect();
    assert_eq!(cycle, [(Some("ben's"), "a"), (None, "b")]);
    assert_eq!(counted(&engine), Stats { refused_deadlock: 1, ..Stats::default() });
    act(&engine, |engine, effects| engine.cancel(key, effects));
    for hold in holds {
        assert_eq!(release(&engine, hold), Released::Released);
    }
    assert!(engine.audit().is_quiescent(), "{}", engine.audit());
}

#[test]
fn each_end_of_a_hold_is_counted_as_what_it_is() {
    let engine = engine();
    let leased = take(&engine, &Ask { lease: NonZeroU64::new(HOUR), ..ask("a") });
    act(&engine, |engine, effects| engine.renew(leased, Duration::from_secs(1), effects))
        .expect("it is held");
    assert!(engine.audit().is_clean(), "its timer has moved: {}", engine.audit());
    let late = engine.common.clock.after(HOUR);
    act(&engine, |engine, effects| engine.elapse_until(late, effects));
    assert_eq!(engine.audit().lost, 1);
    assert!(
        matches!(release(&engine, leased), Released::Lost(lost) if lost.why == Loss::LeaseElapsed)
    );
    assert_eq!(engine.audit().lost, 0);

    let forced = take(&engine, &ask("a"));
    act(&engine, |engine, effects| engine.force_release("a", effects));
    assert!(matches!(release(&engine, forced), Released::Lost(lost) if lost.why == Loss::Forced));

    let first = take(&engine, &ask("a"));
    act(&engine, |engine, effects| engine.cancel(queue(engine, &ask("a")), effects));
    let key = queue(&engine, &ask("a"));
    assert_eq!(release(&engine, first), Released::Released);
    assert_eq!(engine.audit().unseen, 1, "it is granted, and nobody has looked");
    act(&engine, |engine, effects| engine.cancel(key, effects));

    let revoked = take(&engine, &ask("a"));
    act(&engine, |engine, effects| engine.shutdown(Duration::ZERO, effects));
    assert!(
        matches!(release(&engine, revoked), Released::Lost(lost) if lost.why == Loss::Shutdown)
    );
    let expected = Stats {
        renewed: 1,
        lost_lease_elapsed: 1,
        lost_forced: 1,
        lost_shutdown: 1,
        cancelled: 2,
        released: 2,
        ..Stats::default()
    };
    assert_eq!(counted(&engine), expected);
    let audit = engine.audit();
    assert_eq!((audit.held, audit.lost, audit.timers), (0, 0, 0));
    assert!(audit.is_clean(), "{audit}");
}

#[test]
fn what_is_noted_of_a_wait_is_noted_of_the_hold_that_ends_it() {
    let engine = engine();
    let first = take(&engine, &Ask { label: Some("first"), ..ask("a") });
    let owner = Some(Owner::named(1));
    let second = Ask { label: Some("second"), owner, ..ask("a") };
    let key = queue(&engine, &second);
    let labels = || {
        let names = engine.snapshot().names;
        let waiters = names[0].waiters.iter().map(|waiter| waiter.label.clone()).collect();
        (names[0].holder.label.clone(), waiters)
    };
    let label = |label: &str| Some(label.to_owned());
    assert_eq!(labels(), (label("first"), vec![label("second")]));
    assert_eq!(release(&engine, first), Released::Released);
    assert_eq!(labels(), (label("second"), Vec::new()));
    let Acquired::Granted(hold) = answer(&engine, key) else { panic!("it is free") };
    assert_eq!(acquire(&engine, &second), Err(TurnedAway::SelfWait), "it is the owner's");
    let stats = engine.stats();
    assert_eq!((stats.wait.count, stats.hold.count), (1, 1));
    assert_eq!(release(&engine, hold), Released::Released);
    assert_eq!(engine.stats().hold.count, 2);
}

#[test]
fn renewal_gives_no_lease_to_a_hold_without_one() {
    let engine = engine();
    let hold = take(&engine, &ask("a"));
    act(&engine, |engine, effects| engine.renew(hold, Duration::from_secs(1), effects))
        .expect("it is held");
    assert_eq!(engine.snapshot().names[0].holder.lease_left, None);
    assert_eq!(engine.audit().timers, 0);
    assert_eq!(release(&engine, hold), Released::Released);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_lease_and_of_a_wait_is_shown_where_there_is_one() {
    let engine = engine();
    let hold = take(&engine, &Ask { lease: NonZeroU64::new(HOUR), ..ask("a") });
    let patience = Patience::Queue { waker: Waker::noop(), wait: Some(2 * HOUR) };
    let key = queue(&engine, &Ask { patience, ..ask("a") });
    let second = Duration::from_secs(1);
    tokio::time::advance(second).await;
    let names = engine.snapshot().names;
    let (holder, waiter) = (&names[0].holder, &names[0].waiters[0]);
    let hour = Duration::from_nanos(HOUR);
    assert_eq!((holder.lease_left, holder.held_for), (Some(hour - second), Some(second)));
    assert_eq!((waiter.wait_left, waiter.waiting_for), (Some(2 * hour - second), Some(second)));
    act(&engine, |engine, effects| engine.cancel(key, effects));
    assert_eq!(release(&engine, hold), Released::Released);

    let hold = take(&engine, &ask("a"));
    let key = queue(&engine, &ask("a"));
    let names = engine.snapshot().names;
    assert_eq!((names[0].holder.lease_left, names[0].waiters[0].wait_left), (None, None));
    act(&engine, |engine, effects| engine.cancel(key, effects));
    assert_eq!(release(&engine, hold), Released::Released);
}
