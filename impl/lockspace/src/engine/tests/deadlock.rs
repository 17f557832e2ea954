//! Owners who want two names the other way round: the graph of who waits for whom spans shards, and is
//! looked at while it changes.

use super::harness::{Race, join};
use super::world::Name::{A, B};

const ANN: u64 = 1;
const BEN: u64 = 2;

/// Two threads, complete. Two shards share no lock but that of the graph. Outcome: who is turned away.
#[test]
fn of_two_who_close_a_cycle_one_is_turned_away() {
    let outcomes = [(true, false), (false, true)];
    Race::complete(20).two_shards().detect_deadlocks().explore(&outcomes, |world| {
        let anns = world.take_as(ANN, A);
        let bens = world.take_as(BEN, B);
        let ben = world.spawn(move |world| {
            let both = world.acquire_as(BEN, A);
            let turned_away = both.is_none();
            world.finish(Ok(bens)).expect("it was granted");
            both.map(|hold| world.finish(Ok(hold)));
            turned_away
        });
        let both = world.acquire_as(ANN, B);
        let turned_away = both.is_none();
        world.finish(Ok(anns)).expect("it was granted");
        both.map(|hold| world.finish(Ok(hold)));
        (turned_away, join(ben))
    });
}

/// Two threads, complete. Ann waits for Ben and thinks better of it, as Ben asks for what she holds.
/// Outcome: whether he is turned away.
#[test]
fn who_gives_up_waiting_closes_no_cycle() {
    Race::complete(30).two_shards().detect_deadlocks().explore(&[true, false], |world| {
        let anns = world.take_as(ANN, A);
        let bens = world.take_as(BEN, B);
        let Some(Err(waits)) = world.queue_as(ANN, B) else { unreachable!("it is held") };
        let ann = world.spawn(move |world| {
            waits.cancel();
            world.finish(Ok(anns)).expect("it was granted");
        });
        let both = world.acquire_as(BEN, A);
        let turned_away = both.is_none();
        both.map(|hold| world.finish(Ok(hold)));
        world.finish(Ok(bens)).expect("it was granted");
        join(ann);
        turned_away
    });
}

/// Two threads, complete. Ben lets go of B, for which Ann waits, as he might have asked for what she holds:
/// she is the holder of both now, and whoever asks for one of them waits for her alone. Outcome: whether
/// he had to wait.
#[test]
fn who_is_handed_the_name_waits_for_nobody() {
    Race::complete(150).two_shards().detect_deadlocks().explore(&[0, 1], |world| {
        let anns = world.take_as(ANN, A);
        let bens = world.take_as(BEN, B);
        let Some(Err(waits)) = world.queue_as(ANN, B) else { unreachable!("it is held") };
        let ben = world.spawn(move |world| {
            world.finish(Ok(bens)).expect("it was granted");
            let hold = world.acquire_as(BEN, A).expect("he holds nothing");
            world.finish(Ok(hold)).expect("it was granted");
        });
        let hold = waits.wait();
        world.finish(hold).expect("it was granted");
        world.finish(Ok(anns)).expect("it was granted");
        join(ben);
        world.engine.stats().queued - 1
    });
}
