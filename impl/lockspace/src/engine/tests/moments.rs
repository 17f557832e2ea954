//! What is true between two steps of the engine, looked at by one thread: no race, so nothing for loom.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use lockspace_spec::Phase;

use crate::Loss;

use crate::clock::{Tick, clamp};
use crate::engine::board::PLACES;
use crate::engine::common::{Common, Stage};
use crate::engine::entries::KEEP;
use crate::engine::{
    Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, Setup, TurnedAway, WaitKey,
};
use crate::runtime::Owner;

use super::plain::{Count, setup};

const HOUR: u64 = 3_600_000_000_000;

fn engine() -> Engine {
    engine_of(1)
}

fn engine_of(shards: usize) -> Engine {
    Engine::new(&Setup { shards, ..setup() })
}

fn take(engine: &Engine) -> HoldKey {
    engine.door("a").take_free("a").expect("it is free")
}

fn queue(engine: &Engine, waker: &Waker) -> WaitKey {
    let ask = Ask { patience: Patience::Queue { waker, wait: None }, ..ask(None) };
    queued(engine.door("a").acquire(&ask, &mut Effects::default()))
}

fn queue_for(engine: &Engine, wait: Option<u64>) -> WaitKey {
    queued(engine.door("a").acquire(&ask(wait), &mut Effects::default()))
}

fn queued(asked: Result<Acquired, TurnedAway>) -> WaitKey {
    match asked {
        Ok(Acquired::Queued(key)) => key,
        other => unreachable!("the name is held: {other:?}"),
    }
}

fn ask(wait: Option<u64>) -> Ask<'static> {
    let patience = Patience::Queue { waker: Waker::noop(), wait };
    Ask { name: "a", patience, lease: None, label: None, owner: None }
}

fn lease(engine: &Engine, name: &str, lasts: u64, effects: &mut Effects) -> HoldKey {
    let ask = Ask { name, lease: NonZeroU64::new(lasts), ..ask(None) };
    match engine.door(name).acquire(&ask, effects) {
        Ok(Acquired::Granted(hold)) => hold,
        other => unreachable!("the name is free: {other:?}"),
    }
}

#[test]
fn nobody_holds_anything_from_the_moment_when_the_grace_ends() {
    let engine = engine();
    let hold = take(&engine);
    let mut effects = Effects::default();
    engine.enter(Stage::Draining, &mut effects);
    assert!(engine.is_held(hold));
    assert_eq!(engine.holder_of("a"), Some(hold));

    engine.enter(Stage::Revoked, &mut effects);
    // The shard has not heard of it.
    assert!(!engine.is_held(hold));
    assert_eq!(engine.holder_of("a"), None);
    assert_eq!(engine.phase(), Phase::Draining, "not everybody has been told");

    engine.tell_all_shards(&mut effects);
    assert!(!engine.is_held(hold));
    assert!(
        matches!(engine.release(hold, &mut effects), Released::Lost(lost) if lost.why == Loss::Shutdown)
    );
}

#[test]
fn end_of_the_grace_is_brought_forward_and_never_moved_back() {
    let engine = engine();
    let hold = take(&engine);
    engine.enter(Stage::Draining, &mut Effects::default());
    let [sooner, then, later] = [1, 2, 3].map(|hours| clamp(Duration::from_secs(hours * 3600)));
    let [sooner, then, later] = [sooner, then, later].map(|ns| engine.common.clock.after(ns));
    let limit = |end| {
        let Common { drain, rounds, .. } = &engine.common;
        drain.lock().limit(end, rounds, &mut Effects::default());
        rounds.lock().grace_end()
    };
    for (end, expected) in [(then, then), (then, then), (later, then), (sooner, sooner)] {
        assert_eq!(limit(end), expected);
    }
    engine.enter(Stage::Revoked, &mut Effects::default());
    assert_eq!(limit(sooner), Tick::NEVER, "it has ended");
    let _ = engine.release(hold, &mut Effects::default());
}

#[test]
fn tickets_are_in_the_order_of_queueing_and_say_which_shard_they_are_of() {
    let engine = engine_of(4);
    let _hold = take(&engine);
    let keys = [0; 3].map(|_| queue(&engine, Waker::noop()));
    assert!(keys.is_sorted_by(|one, next| one.ticket < next.ticket));
    let shard = engine.common.shard_of_hash(engine.common.hash("a"));
    assert!(keys.iter().all(|key| key.ticket.get() as usize % 4 == shard));
}

/// So many are granted the name, one after the other, and lose it before they have looked; but the last one,
/// who still holds it. Twice as many as can be posted: the others are told in their slots.
fn granted_and_unseen(engine: &Engine) -> [WaitKey; 2 * PLACES] {
    let hold = take(engine);
    let keys = [(); 2 * PLACES].map(|()| queue(engine, Waker::noop()));
    let _ = engine.release(hold, &mut Effects::default());
    for _ in 1..keys.len() {
        engine.force_release("a", &mut Effects::default()).expect("it is held");
    }
    let audit = engine.audit();
    assert_eq!((audit.held, audit.unseen, audit.lost), (1, keys.len(), keys.len() - 1));
    assert_eq!(engine.common.boards.posted(0), PLACES);
    keys
}

#[test]
fn whoever_is_granted_the_name_sees_its_own_grant_however_many_have_not_looked() {
    type Look = fn(&Engine, WaitKey) -> Option<Acquired>;
    let beside_the_lock: Look = |engine, key| engine.take_post(key).map(Acquired::Granted);
    let under_the_lock: Look =
        |engine, key| match engine.poll_wait(key, Waker::noop(), &mut Effects::default()) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        };
    for first_look in [beside_the_lock, under_the_lock] {
        let engine = engine();
        let keys = granted_and_unseen(&engine);
        // These have the slots of those whose grants are posted.
        let newcomers = [(); PLACES].map(|()| queue(&engine, Waker::noop()));
        assert!(newcomers.iter().all(|new| keys.iter().any(|key| key.slot == new.slot)));
        let tokens = keys.map(|key| {
            match first_look(&engine, key).or_else(|| under_the_lock(&engine, key)) {
                Some(Acquired::Granted(hold)) => hold.token.0,
                other => panic!("it was granted: {other:?}"),
            }
        });
        assert_eq!(tokens, [2, 3, 4, 5]);
        assert!(newcomers.iter().all(|key| under_the_lock(&engine, *key).is_none()));
        assert_eq!(engine.audit().unseen, 0);
        assert!(engine.audit().is_clean());
    }
}

#[test]
fn grants_that_nobody_wants_leave_nothing_behind_however_many_there_are() {
    let engine = engine();
    for key in granted_and_unseen(&engine) {
        engine.cancel(key, &mut Effects::default());
    }
    assert!(engine.audit().is_quiescent(), "{}", engine.audit());
    assert_eq!(engine.stats().cancelled, 2 * PLACES as u64);
}

#[test]
fn thread_that_gives_up_when_it_has_been_granted_keeps_its_grant() {
    let engine = engine();
    for key in granted_and_unseen(&engine) {
        engine.give_up(key, &mut Effects::default());
        let answer = engine.poll_wait(key, Waker::noop(), &mut Effects::default());
        assert!(matches!(answer, Poll::Ready(Acquired::Granted(_))), "{answer:?}");
    }
}

#[test]
fn waker_that_is_replaced_is_dropped_after_the_unlock_and_not_woken() {
    let engine = engine();
    let _hold = take(&engine);
    let first = Arc::new(Count::default());
    let key = queue(&engine, &Waker::from(Arc::clone(&first)));
    let mut effects = Effects::default();
    assert_eq!(engine.poll_wait(key, Waker::noop(), &mut effects), Poll::Pending);
    assert_eq!(Arc::strong_count(&first), 2, "it is kept until the effects are carried out");
    effects.carry_out();
    assert_eq!(Arc::strong_count(&first), 1);
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
}

#[test]
fn shard_that_is_idle_again_keeps_little_memory_of_its_waiters() {
    let waiters = |count: usize| {
        let engine = engine();
        let hold = take(&engine);
        let keys: Vec<WaitKey> = (0..count).map(|_| queue(&engine, Waker::noop())).collect();
        keys.into_iter().for_each(|key| engine.cancel(key, &mut Effects::default()));
        let _ = engine.release(hold, &mut Effects::default());
        engine.shards[0].lock().waiters.capacity()
    };
    assert_eq!(waiters(KEEP), KEEP);
    assert_eq!(waiters(KEEP + 1), 0);
}

#[test]
fn names_are_spread_over_the_shards() {
    let engine = engine_of(8);
    for name in 0..200 {
        let name = name.to_string();
        engine.door(&name).take_free(&name).expect("it is free");
    }
    // The hasher's key is random. It leaves a shard without a name once in ten thousand million times.
    let held = engine.shards.iter().map(|shard| shard.lock().entries.len());
    assert!(held.clone().all(|held| held > 0), "{:?}", held.collect::<Vec<_>>());
}

#[test]
fn nothing_is_noted_of_an_acquire_that_is_neither_labelled_nor_owned_nor_timed() {
    let ask = Ask {
        name: "a",
        patience: Patience::No { waker: Waker::noop() },
        lease: None,
        label: None,
        owner: None,
    };
    assert!(engine().common.detail_of(&ask).is_none());
    assert!(engine().common.detail_of(&Ask { label: Some("x"), ..ask }).is_some());
}

#[test]
fn reaper_that_dies_while_nothing_is_armed_needs_no_heir() {
    assert!(!engine().reaper_died());
}

#[test]
fn reaper_that_sleeps_is_woken_when_the_lockspace_goes() {
    let engine = engine();
    let woken = Arc::new(Count::default());
    let mut effects = Effects::default();
    let _hold = lease(&engine, "a", HOUR, &mut effects);
    assert!(engine.reaper_sleeps_until(&Waker::from(Arc::clone(&woken))).is_some());
    engine.dismiss_reaper(&mut effects);
    effects.carry_out();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn whoever_watches_is_counted_until_it_is_woken_or_forgotten() {
    let engine = engine();
    let hold = take(&engine);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut effects = Effects::default();
    let mut ids = [None; 4];
    let [of_hold, not_of_hold, of_end, forgotten] = &mut ids;
    assert!(engine.poll_ended(hold, of_hold, &waker, &mut effects).is_pending());
    assert!(engine.poll_ended(hold, not_of_hold, &waker, &mut effects).is_pending());
    assert!(engine.poll_closed(of_end, &waker, &mut effects).is_pending());
    assert!(engine.poll_closed(forgotten, &waker, &mut effects).is_pending());
    assert_eq!(engine.audit().watching, 4);

    engine.forget_close_watcher(forgotten.expect("it watches"), &mut effects);
    assert_eq!(engine.audit().watching, 3);
    engine.forget_watcher(hold, not_of_hold.expect("it watches"), &mut effects);
    assert_eq!(engine.audit().watching, 2);
    engine.shutdown(Duration::ZERO, &mut effects);
    effects.carry_out();
    assert_eq!(engine.audit().watching, 0);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert!(engine.poll_ended(hold, of_hold, &waker, &mut Effects::default()).is_ready());
}

#[test]
fn thread_that_gives_up_while_it_waits_is_answered_that_it_timed_out() {
    let engine = engine();
    let _hold = take(&engine);
    let key = queue(&engine, Waker::noop());
    engine.give_up(key, &mut Effects::default());
    let answer = engine.poll_wait(key, Waker::noop(), &mut Effects::default());
    assert!(matches!(answer, Poll::Ready(Acquired::TimedOut(_))));
}

#[test]
fn wait_whose_timeout_has_ended_is_answered_and_no_other() {
    let engine = engine();
    let _hold = take(&engine);
    let keys = [1, 3].map(|hours| queue_for(&engine, Some(hours * HOUR)));
    let late = engine.common.clock.after(2 * HOUR);
    assert!(engine.elapse_until(late, &mut Effects::default()));
    let answers = keys.map(|key| engine.poll_wait(key, Waker::noop(), &mut Effects::default()));
    assert!(matches!(answers, [Poll::Ready(Acquired::TimedOut(_)), Poll::Pending]), "{answers:?}");
}

#[test]
fn reaper_that_comes_before_the_lease_ends_takes_nothing() {
    let engine = engine();
    let mut effects = Effects::default();
    let hold = lease(&engine, "a", HOUR, &mut effects);
    let now = engine.common.clock.now();
    engine.shards[0].lock().elapse(&engine.common, &mut effects, now);
    assert!(engine.is_held(hold));
}

#[test]
fn reaper_acts_upon_one_timer_at_a_stop_and_comes_again() {
    let engine = engine();
    for name in ["a", "b"] {
        let _hold = lease(&engine, name, HOUR, &mut Effects::default());
    }
    let late = engine.common.clock.after(2 * HOUR);
    let stop = || (engine.elapse_until(late, &mut Effects::default()), engine.audit().held);
    assert_eq!([stop(), stop(), stop()], [(true, 1), (true, 0), (false, 0)]);
}

#[test]
fn reaper_that_comes_in_vain_is_told_when_to_come() {
    let engine = engine();
    let [first, _second] = [("a", HOUR), ("b", 3 * HOUR)]
        .map(|(name, lasts)| lease(&engine, name, lasts, &mut Effects::default()));
    let first_end = engine.shards[0].lock().timers.told();
    let _ = engine.release(first, &mut Effects::default());
    let told = || engine.common.rounds.lock().told_by(0);
    assert_eq!(told(), first_end, "a timer that has gone is no reason to tell");

    let late = engine.common.clock.after(2 * HOUR);
    let stop = || engine.elapse_until(late, &mut Effects::default());
    assert_eq!([stop(), stop()], [true, false]);
    assert!(told() > late && told() < Tick::NEVER);
    assert_eq!(engine.audit().faults, []);
}

#[test]
fn reaper_that_comes_too_early_for_what_is_due_now_is_sent_again_in_its_turn() {
    let engine = engine();
    let [first, second] = [("a", HOUR), ("b", 2 * HOUR)]
        .map(|(name, lasts)| lease(&engine, name, lasts, &mut Effects::default()));
    let _ = engine.release(first, &mut Effects::default());
    let late = engine.common.clock.after(3 * HOUR);
    let stop = || (engine.elapse_until(late, &mut Effects::default()), engine.is_held(second));
    assert_eq!([stop(), stop(), stop()], [(true, true), (true, false), (false, false)]);
}

#[test]
fn lease_that_is_handed_on_tells_the_reaper_of_nothing_that_ends() {
    let engine = engine();
    let hold = lease(&engine, "a", HOUR, &mut Effects::default());
    let ask = Ask { lease: NonZeroU64::new(2 * HOUR), ..ask(None) };
    let _key = queued(engine.door("a").acquire(&ask, &mut Effects::default()));
    let woken = Arc::new(Count::default());
    assert!(engine.reaper_sleeps_until(&Waker::from(Arc::clone(&woken))).is_some());
    let mut effects = Effects::default();
    assert_eq!(engine.release(hold, &mut effects), Released::Released);
    effects.carry_out();
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "a timer was armed all along");
    assert_eq!(engine.audit().faults, []);
}

#[test]
fn name_of_a_lost_hold_is_its_own_though_another_has_its_place() {
    let engine = engine();
    let lost = take(&engine);
    let mut effects = Effects::default();
    assert_eq!(engine.force_release("a", &mut effects), Some(lost.token));
    let other = engine.door("b").take_free("b").expect("it is free");
    assert_eq!(other.entry, lost.entry);
    assert_eq!(engine.name_of(lost).as_str(), "a");
    assert_eq!(engine.name_of(other).as_str(), "b");
}

#[test]
fn owner_that_asks_for_what_it_holds_is_told_so_and_does_not_queue() {
    let engine = engine();
    let owner = Some(Owner::caller());
    let patience = Patience::Queue { waker: Waker::noop(), wait: None };
    let ask = Ask { name: "a", patience, lease: None, label: None, owner };
    let mut effects = Effects::default();
    let Ok(Acquired::Granted(hold)) = engine.door("a").acquire(&ask, &mut effects) else {
        unreachable!("it is free")
    };
    assert_eq!(engine.door("a").acquire(&ask, &mut effects), Err(TurnedAway::SelfWait));
    engine.disown(hold);
    assert!(matches!(engine.door("a").acquire(&ask, &mut effects), Ok(Acquired::Queued(_))));
}

#[test]
fn last_release_after_a_shutdown_closes() {
    let engine = engine();
    let hold = take(&engine);
    let mut effects = Effects::default();
    engine.shutdown(Duration::from_secs(3600), &mut effects);
    assert_eq!(engine.phase(), Phase::Draining);
    let audit = engine.audit();
    assert_eq!((audit.timers, audit.faults), (1, Vec::new()), "the grace is limited");
    assert_eq!(engine.release(hold, &mut effects), Released::Released);
    assert_eq!(engine.phase(), Phase::Closed);
    let audit = engine.audit();
    assert_eq!((audit.timers, audit.faults), (0, Vec::new()));
}

#[cfg(feature = "metrics")]
#[test]
fn census_counts_names_waiters_and_timers() {
    let engine = engine();
    let _hold = take(&engine);
    let _keys = [0; 2].map(|_| queue(&engine, Waker::noop()));
    let _timed = [HOUR; 2].map(|wait| queue_for(&engine, Some(wait)));
    let _leased = lease(&engine, "b", HOUR, &mut Effects::default());
    let census = engine.census();
    assert_eq!((census.held, census.waiters, census.timers), (2, 4, 3));
    engine.shutdown(Duration::from_secs(1), &mut Effects::default());
    assert_eq!(engine.census().timers, 2, "the lease, and the grace");
}
