//! An operator takes a name away as its holder releases it, and those who watch a hold hear of its end.

use crate::Loss;

use super::harness::{Race, join};
use super::world::FREELY;
use super::world::Name::A;

/// Two threads, complete. Outcome: what the release says, and whether there was anything to force.
#[test]
fn a_forced_release_meets_the_release() {
    let outcomes = [(Ok(()), false), (Err(Loss::Forced), true)];
    Race::complete(3).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let operator = world.spawn(|world| world.force_release(A));
        let released = world.release(hold);
        (released, join(operator).is_some())
    });
}

/// Two threads, complete. With a successor, the operator takes the name from whoever has it when he
/// comes: never from both. Outcome: what both releases say.
#[test]
fn a_forced_release_ends_one_hold() {
    let forced = Err(Loss::Forced);
    let outcomes = [(forced, Ok(())), (Ok(()), forced)];
    Race::complete(3).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let operator = world.spawn(|world| world.force_release(A));
        let first = world.release(hold);
        join(operator).expect("somebody had it all the time");
        let second = waiter.answer().expect("nobody refuses");
        (first, world.release(second))
    });
}

/// Two threads, complete. Whoever watches a hold hears of its end, however close it is: it would block
/// for ever otherwise.
#[test]
fn a_release_tells_whoever_watches() {
    Race::complete(3).explore(&[()], |world| {
        let hold = world.take(A, FREELY);
        let key = hold.key;
        let watcher = world.spawn(move |world| world.wait_until_ended(key));
        world.finish(Ok(hold)).expect("it was granted");
        join(watcher);
    });
}

/// Two threads, complete. The same for a hold that is lost; it is told why.
#[test]
fn a_forced_release_tells_whoever_watches() {
    Race::complete(3).explore(&[Loss::Forced], |world| {
        let hold = world.take(A, FREELY);
        let key = hold.key;
        let watcher = world.spawn(move |world| {
            world.wait_until_ended(key);
            let (_, why) = world.engine.loss_of(key).expect("it has ended");
            why
        });
        world.force_release(A).expect("it is held");
        let why = join(watcher);
        assert_eq!(world.release(hold), Err(why));
        why
    });
}

/// Two threads, complete. A watcher that goes as the hold ends is forgotten either way. Outcome:
/// whether it had seen the end.
#[test]
fn a_watcher_that_goes_leaves_nothing_behind() {
    Race::complete(4).explore(&[true, false], |world| {
        let hold = world.take(A, FREELY);
        let key = hold.key;
        let watcher = world.spawn(move |world| world.watch_once(key));
        world.finish(Ok(hold)).expect("it was granted");
        join(watcher)
    });
}
