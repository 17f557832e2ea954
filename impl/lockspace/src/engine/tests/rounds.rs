//! What the reaper goes by, and when it is started and woken: looked at by one thread, so nothing for loom.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crate::clock::Tick;
use crate::engine::Effects;
use crate::engine::rounds::{Rounds, Stop};

use super::plain::Count;

fn tick(at: u64) -> Tick {
    Tick::at(Duration::from_nanos(at))
}

/// Tells, and answers whether a reaper must be started.
fn tell(rounds: &mut Rounds, shard: usize, first: Tick) -> bool {
    let mut effects = Effects::default();
    rounds.tell(shard, first, &mut effects);
    let starts = effects.must_start_reaper();
    effects.carry_out();
    starts
}

#[test]
fn the_first_timer_starts_a_reaper_and_the_last_one_ends_it() {
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut rounds = Rounds::new(2);
    assert!(tell(&mut rounds, 1, tick(5)), "nobody serves the timers yet");
    assert!(!tell(&mut rounds, 0, tick(3)), "somebody was started");
    assert_eq!(rounds.sleep_until(&waker), Some(tick(3)));

    tell(&mut rounds, 0, Tick::NEVER);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "another timer is left");
    tell(&mut rounds, 1, Tick::NEVER);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(rounds.sleep_until(&waker), None);
    assert!(!rounds.has_reaper());
    assert!(!tell(&mut rounds, 1, Tick::NEVER), "nothing is armed");
    assert!(tell(&mut rounds, 1, tick(9)));
}

#[test]
fn a_reaper_that_sleeps_is_woken_for_what_is_earlier_and_for_nothing_else() {
    for (at, wakes) in [(1, 1), (2, 0), (3, 0)] {
        let woken = Arc::new(Count::default());
        let mut rounds = Rounds::new(2);
        assert!(tell(&mut rounds, 0, tick(2)));
        assert!(rounds.sleep_until(&Waker::from(Arc::clone(&woken))).is_some());
        tell(&mut rounds, 1, tick(at));
        assert_eq!(woken.0.load(Ordering::Relaxed), wakes);
        tell(&mut rounds, 1, tick(0));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "one who is awake is not woken again");
    }
}

#[test]
fn a_reaper_that_is_up_is_not_woken() {
    let woken = Arc::new(Count::default());
    let mut rounds = Rounds::new(2);
    assert!(tell(&mut rounds, 0, tick(2)));
    assert!(rounds.sleep_until(&Waker::from(Arc::clone(&woken))).is_some());
    let mut effects = Effects::default();
    assert_eq!(rounds.due(tick(1), &mut effects), None);
    tell(&mut rounds, 1, tick(0));
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&woken), 2, "its waker is dropped in the open");
    effects.carry_out();
    assert_eq!(Arc::strong_count(&woken), 1);
}

#[test]
fn a_reaper_goes_where_something_is_due_first_and_then_to_the_grace() {
    let mut rounds = Rounds::new(3);
    for (shard, first) in [(0, 3), (1, 2), (2, 7)] {
        tell(&mut rounds, shard, tick(first));
    }
    rounds.tell_grace(tick(3), &mut Effects::default());
    let stops = [Stop::Shard(1), Stop::Shard(0), Stop::Grace];
    for stop in stops {
        assert_eq!(rounds.due(tick(6), &mut Effects::default()), Some(stop));
        match stop {
            Stop::Shard(shard) => _ = tell(&mut rounds, shard, Tick::NEVER),
            Stop::Grace => rounds.tell_grace(Tick::NEVER, &mut Effects::default()),
        }
    }
    assert_eq!(rounds.due(tick(6), &mut Effects::default()), None);
    assert_eq!(rounds.due(tick(7), &mut Effects::default()), Some(Stop::Shard(2)));
}

#[test]
fn a_reaper_that_died_is_replaced_only_while_it_is_needed() {
    let mut rounds = Rounds::new(1);
    assert!(tell(&mut rounds, 0, tick(1)));
    assert!(rounds.reaper_died(), "a timer is armed, so another reaper must serve it");
    tell(&mut rounds, 0, Tick::NEVER);
    assert!(!rounds.reaper_died());
    assert!(!rounds.has_reaper());
}
