//! Several names: they do not disturb each other, and their number is limited.

use lockspace_spec::Refusal;

use super::harness::{Race, join};
use super::world::FREELY;
use super::world::Name::{A, B};

/// Two threads, complete. Two names share a shard, and the slots in it, but nothing else: nobody waits.
#[test]
fn two_names_in_one_shard_do_not_wait_for_each_other() {
    Race::complete(7).explore(&[0], |world| {
        let other = world.spawn(|world| world.visit(B));
        world.visit(A);
        join(other);
        world.engine.stats().queued
    });
}

/// Three threads, complete. The one name's slot becomes free as the other's queue moves.
#[test]
fn a_name_goes_while_its_neighbour_is_handed_over() {
    Race::complete(1_000).explore(&[Ok(())], |world| {
        let [a, b] = [A, B].map(|name| world.take(name, FREELY));
        let waiter = world.queue(B, FREELY);
        let waiter = world.spawn(|world| world.finish(waiter.wait()));
        let neighbour = world.spawn(|world| {
            world.finish(Ok(a)).expect("it was granted");
            world.visit(A);
        });
        world.finish(Ok(b)).expect("it was granted");
        join(neighbour);
        join(waiter)
    });
}

/// Three threads, complete. Shards share no lock; that no token is given twice is checked with every
/// grant. Outcome: how many had to wait.
#[test]
fn two_names_in_two_shards_share_no_token() {
    Race::complete(20).two_shards().explore(&[0, 1], |world| {
        let same = world.spawn(|world| world.visit(A));
        let other = world.spawn(|world| world.visit(B));
        world.visit(A);
        join(same);
        join(other);
        world.engine.stats().queued
    });
}

/// Two threads, complete. The last place for a name is given away once, although the two who ask for
/// it share no lock.
#[test]
fn the_last_name_is_granted_to_one() {
    let refused = Err(Refusal::AtCapacity);
    let outcomes = [(Ok(()), refused), (refused, Ok(()))];
    let race = Race::complete(3).two_shards().max_names(1);
    race.explore(&outcomes, |world| {
        let other = world.spawn(|world| world.try_acquire(B));
        let mine = world.try_acquire(A);
        // Both are kept until both have been answered.
        let theirs = join(other);
        (world.finish(mine), world.finish(theirs))
    });
}

/// Two threads, complete. A name that goes makes place for another; whoever came too early can come
/// again.
#[test]
fn a_release_makes_place_for_another_name() {
    let outcomes = [Ok(()), Err(Refusal::AtCapacity)];
    let race = Race::complete(5).two_shards().max_names(1);
    race.explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let other = world.spawn(|world| world.finish(world.try_acquire(B)));
        world.finish(Ok(hold)).expect("it was granted");
        let answer = join(other);
        world.visit(B);
        answer
    });
}
