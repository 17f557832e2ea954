//! A release hands the name over: to whom, in what order, and that he hears of it.

use lockspace_spec::Refusal;

use super::harness::{Race, join};
use super::world::FREELY;
use super::world::Name::A;
use crate::Loss;

/// Two threads, complete. Outcome: who came first, and whether the other had to wait.
#[test]
fn two_threads_take_turns() {
    let outcomes = [(true, 0), (true, 1), (false, 0), (false, 1)];
    Race::complete(6).explore(&outcomes, |world| {
        let other = world.spawn(|world| world.visit(A));
        let mine = world.visit(A);
        let theirs = join(other);
        (mine < theirs, world.engine.stats().queued)
    });
}

/// Three threads, complete. Outcome: who of the other two came first, and how many had to wait.
#[test]
fn three_threads_take_turns() {
    let outcomes = [true, false].map(|first| [0, 1, 2].map(|waited| (first, waited)));
    Race::complete(6_000).explore(outcomes.as_flattened(), |world| {
        let second = world.spawn(|world| world.visit(A));
        let third = world.spawn(|world| world.visit(A));
        world.visit(A);
        (join(second) < join(third), world.engine.stats().queued)
    });
}

/// Three threads, complete. The waiters have queued before; whichever runs first, the first is granted
/// first.
#[test]
fn those_who_wait_are_served_in_order() {
    Race::complete(800).explore(&[(2, 3)], |world| {
        let hold = world.take(A, FREELY);
        let [first, second] = [(); 2].map(|()| world.queue(A, FREELY));
        let waiters = [first, second].map(|waiter| {
            world.spawn(|world| {
                let hold = waiter.wait().expect("nobody refuses");
                let token = hold.token();
                world.finish(Ok(hold)).expect("it was granted");
                token
            })
        });
        world.finish(Ok(hold)).expect("it was granted");
        waiters.map(join).into()
    });
}

/// Two threads, complete.
#[test]
fn one_who_would_not_wait_is_granted_a_free_name_only() {
    Race::complete(3).explore(&[Ok(()), Err(Refusal::Busy)], |world| {
        let hold = world.take(A, FREELY);
        let other = world.spawn(|world| world.finish(world.try_acquire(A)));
        world.finish(Ok(hold)).expect("it was granted");
        join(other)
    });
}

/// Two threads, complete. While somebody waits, or has been granted and has not looked yet, the name
/// is never free for a newcomer.
#[test]
fn a_newcomer_does_not_overtake() {
    Race::complete(3).explore(&[Err(Refusal::Busy)], |world| {
        let hold = world.take(A, FREELY);
        let first = world.queue(A, FREELY);
        let newcomer = world.spawn(|world| world.finish(world.try_acquire(A)));
        world.finish(Ok(hold)).expect("it was granted");
        let answer = join(newcomer);
        world.finish(first.answer()).expect("it was granted");
        answer
    });
}

/// Two threads, complete. A newcomer queues where the first one stood, who has been granted the name and
/// looks at any moment. Outcome: whether the newcomer had to wait.
#[test]
fn a_grant_is_seen_by_whom_it_is_for_whoever_has_its_place() {
    Race::complete(40).explore(&[1, 2], |world| {
        let hold = world.take(A, FREELY);
        let first = world.queue(A, FREELY);
        let looks = world.spawn(|world| world.finish(first.wait()));
        world.finish(Ok(hold)).expect("it was granted");
        assert_eq!(world.visit(A).0, 3, "the first one came first");
        join(looks).expect("it was granted");
        world.engine.stats().queued
    });
}

/// Two threads, complete. Three are granted the name, one after the other, and more grants are unseen than
/// can be posted unless the first one looks in time. Outcome: the token that each sees.
#[test]
fn each_sees_its_own_grant_however_many_are_unseen() {
    Race::complete(10).explore(&[[2, 3, 4]], |world| {
        let hold = world.take(A, FREELY);
        let [first, second, third] = [(); 3].map(|()| world.queue(A, FREELY));
        let looks = world.spawn(|_| first.wait().expect("nobody refuses"));
        world.finish(Ok(hold)).expect("it was granted");
        for _ in 0..2 {
            world.force_release(A).expect("it is held");
        }
        let lost = [second.answer().expect("nobody refuses"), join(looks)];
        let [second, first] = lost.map(|hold| {
            let token = hold.token();
            assert_eq!(world.release(hold), Err(Loss::Forced));
            token
        });
        let hold = third.answer().expect("nobody refuses");
        let third = hold.token();
        world.finish(Ok(hold)).expect("it was granted");
        [first, second, third]
    });
}

/// Two threads, complete. The task has moved, and looks with a new waker just as it is granted.
/// Outcome: whether its old waker was the one to be woken.
#[test]
fn a_waiter_is_woken_by_the_waker_that_it_brought_last() {
    Race::complete(3).explore(&[true, false], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let old = waiter.bell();
        let moved = world.spawn(|world| world.finish(waiter.wait()));
        world.finish(Ok(hold)).expect("it was granted");
        join(moved).expect("it was granted");
        old.rings() == 1
    });
}
