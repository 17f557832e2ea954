//! The audit names what is out of place. Each disorder is made by hand in an engine that is sound; there
//! is no race, so nothing for loom.

use std::num::NonZeroU64;
use std::task::Waker;
use std::time::Duration;

use lockspace_spec::Refusal;

use crate::clock::Tick;
use crate::engine::common::Stage;
use crate::engine::entries::NONE;
use crate::engine::notes::Detail;
use crate::engine::table::Table;
use crate::engine::timers::Timer;
use crate::engine::wait_for::{Held, Spot, WaitFor};
use crate::engine::waiter::WaiterState;
use crate::engine::{Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, Setup};
use crate::name::KeptName;
use crate::runtime::Owner;
use crate::sync::MutexGuard;

use super::plain::setup;

const HOUR: u64 = 3_600_000_000_000;

/// One shard, in which `b` was held, and `a` is held on a lease and has as many waiters as it may: in
/// slot 0 one with a wait timeout, in slot 1 one without.
fn sound() -> Engine {
    let engine = Engine::new(&Setup { max_waiters_per_name: Some(2), ..setup() });
    let released = engine.door("b").take_free("b").expect("it is free");
    let _ = engine.release(released, &mut Effects::default());
    for (lease, wait) in [(NonZeroU64::new(HOUR), None), (None, Some(HOUR)), (None, None)] {
        let patience = Patience::Queue { waker: Waker::noop(), wait };
        let ask = Ask { name: "a", patience, lease, label: None, owner: None };
        let answer = engine.door("a").acquire(&ask, &mut Effects::default());
        assert!(matches!(answer, Ok(Acquired::Granted(_) | Acquired::Queued(_))));
    }
    engine
}

fn table(engine: &Engine) -> MutexGuard<'_, Table> {
    engine.shards[0].lock()
}

/// What the audit says once a sound engine has been spoiled: of each fault the words before any debug print.
fn faults(spoil: impl FnOnce(&Engine)) -> Vec<String> {
    let engine = sound();
    assert!(engine.audit().is_clean(), "{}", engine.audit());
    spoil(&engine);
    let audit = engine.audit();
    assert_eq!(audit.is_clean(), audit.faults.is_empty());
    assert!(audit.faults.iter().all(|fault| audit.to_string().contains(&fault.to_string())));
    let texts = audit.faults.iter().map(ToString::to_string);
    texts.map(|text| text.split(['(', '{']).next().map_or("", str::trim_end).into()).collect()
}

/// As [`faults`], of a shard that has been spoiled.
fn faults_of_table(spoil: impl FnOnce(&mut Table)) -> Vec<String> {
    faults(|engine| spoil(&mut table(engine)))
}

/// Arms a timer for the waiter that has none.
fn arm_another(table: &mut Table) {
    let at = Tick::at(2 * Duration::from_nanos(HOUR));
    table.timers.arm(at, Timer::Wait(1), |_, place| table.waiters[1].timer = place);
}

const UNTOLD: &str =
    "the timers do not hang together: the reaper comes too late, or in vain, to shard 0";
const QUEUE: &str = "the queue of \"a\" does not hang together";

#[test]
fn timer_that_is_missing_or_armed_for_nothing_is_named() {
    let missing = "no timer is armed for Wait";
    let stray = "a timer is armed for nothing: Wait";
    let disarmed = faults_of_table(|table| table.timers.disarm(table.waiters[0].timer, |_, _| {}));
    assert_eq!(disarmed, [missing]);
    let armed = faults_of_table(|table| table.waiters[0].timer = NONE);
    assert_eq!(armed, [stray]);
    let moved = faults_of_table(|table| table.waiters[0].timer = 7);
    assert_eq!(moved, [missing, stray]);
    let answered = faults_of_table(|table| {
        arm_another(table);
        table.waiters[1].state = WaiterState::Refused(Refusal::Busy);
    });
    assert_eq!(answered, [QUEUE, stray]);
}

#[test]
fn timers_that_are_out_of_order_are_named() {
    let misplaced = faults_of_table(|table| {
        arm_another(table);
        table.timers.misplace(table.waiters[0].timer, Tick::at(3 * Duration::from_nanos(HOUR)));
    });
    let order = "the timers do not hang together: those of shard 0 are out of order";
    assert_eq!(misplaced, [order]);
}

#[test]
fn reaper_that_has_been_told_something_else_is_named() {
    let told = |at: Tick| {
        faults(|engine| engine.common.rounds.lock().tell(0, at, &mut Effects::default()))
    };
    assert_eq!(told(Tick::NEVER), [UNTOLD], "it would not come at all");
    assert_eq!(told(Tick::at(Duration::from_nanos(1))), [UNTOLD]);
    // The shard and the reaper agree, and both are wrong.
    let earlier = faults_of_table(|table| {
        let (place, soon) = (table.waiters[0].timer, Tick::at(Duration::from_nanos(1)));
        table.timers.renew(place, soon, |_, place| table.waiters[0].timer = place);
    });
    assert_eq!(earlier, [UNTOLD]);
}

#[test]
fn grace_that_nobody_has_set_or_that_is_over_is_named() {
    let armed = faults(|engine| {
        let at = engine.common.clock.after(HOUR);
        engine.common.rounds.lock().tell_grace(at, &mut Effects::default());
    });
    assert_eq!(armed, ["a timer is armed for nothing: the end of a grace"]);
    let draining = |spoil: fn(&Engine)| {
        faults(|engine| {
            engine.shutdown(Duration::from_secs(3600), &mut Effects::default());
            spoil(engine);
        })
    };
    assert_eq!(draining(|_| {}), [""; 0]);
    let disarmed = draining(|engine| {
        engine.common.rounds.lock().tell_grace(Tick::NEVER, &mut Effects::default());
    });
    assert_eq!(disarmed, ["no timer is armed for the end of the grace"]);
    let over = draining(|engine| engine.common.set_stage(Stage::Revoked));
    assert_eq!(over, ["a timer is armed for nothing: the end of a grace"]);
}

#[test]
fn timers_that_nobody_serves_are_named() {
    let unserved = faults(Engine::no_reaper);
    assert_eq!(unserved, ["timers are armed, and no reaper serves them"]);
}

/// Acquires with a lease. Answers the hold, and whether a reaper is to be started for that.
fn lease(engine: &Engine, name: &str, lasts: u64) -> (HoldKey, bool) {
    let patience = Patience::No { waker: Waker::noop() };
    let ask = Ask { name, patience, lease: NonZeroU64::new(lasts), label: None, owner: None };
    let mut effects = Effects::default();
    match engine.door(name).acquire(&ask, &mut effects) {
        Ok(Acquired::Granted(hold)) => (hold, effects.must_start_reaper()),
        other => unreachable!("the name is free: {other:?}"),
    }
}

#[test]
fn whoever_arms_a_timer_tries_again_where_no_reaper_could_be_had() {
    let engine = Engine::new(&setup());
    let starts_reaper = |name, lasts| lease(&engine, name, lasts).1;
    assert!(starts_reaper("a", HOUR));
    engine.no_reaper();
    // Of the same shard, and due later: as far as the timers go there would be nothing to tell.
    assert!(starts_reaper("b", 2 * HOUR));
    assert!(!starts_reaper("c", 3 * HOUR), "now there is one");
    assert!(engine.audit().is_clean());
}

#[test]
fn a_shard_that_has_no_timer_any_more_keeps_no_other_from_trying_again() {
    let engine = Engine::new(&Setup { shards: 2, ..setup() });
    let names = |shard| {
        let common = &engine.common;
        let names = (0..).map(|number: u32| number.to_string());
        names.filter(move |name| common.shard_of_hash(common.hash(name)) == shard)
    };
    let mut here = names(0);
    let (first, later) = (here.next().unwrap(), here.next().unwrap());
    lease(&engine, &first, HOUR);
    let (elsewhere, _) = lease(&engine, &names(1).next().unwrap(), HOUR);
    engine.no_reaper();
    let released = engine.release(elsewhere, &mut Effects::default());
    assert_eq!(released, Released::Released);
    assert!(lease(&engine, &later, 2 * HOUR).1);
}

#[test]
fn queue_that_does_not_hang_together_is_named() {
    assert_eq!(faults_of_table(|table| table.entries[0].tail = 0), [QUEUE]);
    assert_eq!(faults_of_table(|table| table.entries[0].queued = 1), [QUEUE]);
    // Whoever the walk does not accept stands in no queue.
    let astray = "a waiter stands in no queue: slot 1: Queued";
    assert_eq!(faults_of_table(|table| table.waiters[1].previous = NONE), [QUEUE, astray]);
    assert_eq!(faults_of_table(|table| table.waiters[1].entry = 1), [QUEUE, astray]);
    let answered = |table: &mut Table| {
        table.waiters[1].state = WaiterState::Refused(Refusal::Busy);
    };
    assert_eq!(faults_of_table(answered), [QUEUE]);
}

#[test]
fn waiter_whom_no_queue_knows_is_named() {
    let forgotten = faults_of_table(|table| {
        table.entries[0].tail = 0;
        table.entries[0].queued = 1;
        table.waiters[0].next = NONE;
    });
    assert_eq!(forgotten, ["a waiter stands in no queue: slot 1: Queued"]);
}

#[test]
fn queue_longer_than_allowed_is_named() {
    let longer = faults_of_table(|table| table.entries[0].queued = 3);
    assert_eq!(longer, ["more waiters than allowed for \"a\"", QUEUE]);
}

#[test]
fn entry_that_its_name_does_not_find_is_named() {
    let hidden = faults(|engine| {
        let hash = engine.common.hash("a");
        let mut table = table(engine);
        // A second entry of the name; a hold of it, for the counters.
        let second = table.entries.insert("a", hash);
        table.entries[second].token = 7;
        table.grants.granted += 1;
    });
    assert_eq!(hidden, ["the index and the entries disagree: \"a\" is not found"]);
}

#[test]
fn what_outlived_its_hold_is_named() {
    let noted = faults_of_table(|table| {
        table.hold_details.insert(7, Detail::default());
    });
    assert_eq!(noted, ["something outlived the hold with token 7"]);
    let watched = faults_of_table(|table| {
        table.watchers.watch(8, &mut None, Waker::noop(), &mut Effects::default());
    });
    assert_eq!(watched, ["something outlived the hold with token 8"]);
    let waited = faults_of_table(|table| {
        table.wait_details.insert(9, Detail::default());
    });
    assert_eq!(waited, ["a waiter stands in no queue: a detail of the empty slot 9"]);
}

#[test]
fn counters_that_disagree_with_the_holds_are_named() {
    let miscounted = faults_of_table(|table| table.grants.granted += 1);
    assert_eq!(miscounted, ["1 names are held, and the counters say 2"]);
}

/// One who holds `a` and one who waits for it, where deadlocks are looked for.
fn with_owners() -> Engine {
    let engine = Engine::new(&Setup { detect_deadlocks: true, ..setup() });
    for owner in [1, 2] {
        let patience = Patience::Queue { waker: Waker::noop(), wait: None };
        let owner = Some(Owner::named(owner));
        let ask = Ask { name: "a", patience, lease: None, label: None, owner };
        let answer = engine.door("a").acquire(&ask, &mut Effects::default());
        assert!(matches!(answer, Ok(Acquired::Granted(_) | Acquired::Queued(_))));
    }
    engine
}

/// As [`faults`], of the graph of who waits for whom.
fn faults_of_owners(spoil: impl FnOnce(&mut WaitFor, Spot)) -> Vec<String> {
    let engine = with_owners();
    assert!(engine.audit().is_clean(), "{}", engine.audit());
    let spot = table(&engine).spot(&engine.common, 0);
    let graph = engine.common.wait_for.as_ref().expect("deadlocks are looked for");
    spoil(&mut graph.lock(), spot);
    engine.audit().faults.iter().map(ToString::to_string).collect()
}

#[test]
fn owner_who_is_not_known_to_hold_or_to_wait_is_named() {
    let holds = faults_of_owners(WaitFor::end_hold);
    let [holder] = &holds[..] else { panic!("{holds:?}") };
    assert!(holder.starts_with("who waits for whom has been missed: "), "{holder}");
    assert!(holder.ends_with(" holds \"a\""), "{holder}");

    let waits = faults_of_owners(|graph, spot| graph.end_wait(Owner::named(2), spot));
    let [waiter] = &waits[..] else { panic!("{waits:?}") };
    assert!(waiter.starts_with("who waits for whom has been missed: "), "{waiter}");
    assert!(waiter.contains(" waits at [Spot"), "{waiter}");
}

#[test]
fn owner_who_is_thought_to_hold_or_to_wait_and_does_not_is_named() {
    let elsewhere = Spot { shard: 0, entry: 7 };
    let stray = faults_of_owners(|graph, _| {
        let name = KeptName::new("b");
        graph.hold(elsewhere, Held { owner: Owner::named(1), name, label: None });
    });
    let [holder] = &stray[..] else { panic!("{stray:?}") };
    assert!(holder.starts_with("nobody waits or holds like that: "), "{holder}");
    assert!(holder.ends_with(" holds \"b\""), "{holder}");

    // Of the two lists of an owner's waits neither is right.
    let twice = faults_of_owners(|graph, spot| graph.count_wait(Owner::named(2), spot));
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(twice[0].starts_with("nobody waits or holds like that: "), "{twice:?}");
    assert!(twice[1].starts_with("who waits for whom has been missed: "), "{twice:?}");
}

#[test]
fn audit_says_what_there_is_in_one_line() {
    let audit = sound().audit();
    assert!(!audit.is_quiescent());
    let text = audit.to_string();
    let expected =
        "1 held, 2 waiting, 0 unseen answers, 0 lost holds, 0 watching, 2 timers, reaper: true";
    assert_eq!(text, expected);
}
