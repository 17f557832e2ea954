//! A waiter goes: its future is dropped just as something else happens to it.

use lockspace_spec::Refusal;

use super::harness::{Race, join};
use super::world::Name::A;
use super::world::{FREELY, waiting};

/// Two threads, complete. Outcome: whether the waiter had been granted, and so was woken.
#[test]
fn a_grant_that_nobody_wants_leaves_the_name_free() {
    Race::complete(3).explore(&[0, 1], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let bell = waiter.bell();
        let cancel = world.spawn(|_| waiter.cancel());
        world.finish(Ok(hold)).expect("it was granted");
        join(cancel);
        bell.rings()
    });
}

/// Two threads, complete. Outcome: whether the first was granted before it went, and the token of the
/// second, who is granted in any case.
#[test]
fn a_grant_that_nobody_wants_is_passed_on() {
    Race::complete(3).explore(&[(0, 2), (1, 3)], |world| {
        let hold = world.take(A, FREELY);
        let [first, second] = [(); 2].map(|()| world.queue(A, FREELY));
        let bell = first.bell();
        let cancel = world.spawn(|_| first.cancel());
        world.finish(Ok(hold)).expect("it was granted");
        join(cancel);
        let hold = second.answer().expect("nobody refuses");
        let token = hold.token();
        world.finish(Ok(hold)).expect("it was granted");
        (bell.rings(), token)
    });
}

/// Three threads, complete. Two neighbours leave the queue as it moves. Outcome: which of them had
/// been granted, and the token of the third.
#[test]
fn neighbours_may_leave_the_queue_together() {
    let outcomes = [(0, 0, 2), (1, 0, 3), (0, 1, 3), (1, 1, 4)];
    Race::complete(40).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let [first, second, third] = [(); 3].map(|()| world.queue(A, FREELY));
        let bells = [first.bell(), second.bell()];
        let cancels = [first, second].map(|waiter| world.spawn(|_| waiter.cancel()));
        world.finish(Ok(hold)).expect("it was granted");
        cancels.into_iter().for_each(join);
        let hold = third.answer().expect("nobody refuses");
        let token = hold.token();
        world.finish(Ok(hold)).expect("it was granted");
        (bells[0].rings(), bells[1].rings(), token)
    });
}

/// Three threads, complete. The last of the queue leaves as a newcomer joins behind it.
#[test]
fn a_newcomer_is_not_linked_to_one_who_leaves() {
    Race::complete(100).explore(&[Ok(())], |world| {
        let hold = world.take(A, FREELY);
        let last = world.queue(A, FREELY);
        let cancel = world.spawn(|_| last.cancel());
        let newcomer = world.spawn(|world| world.finish(world.acquire(A, FREELY)));
        world.finish(Ok(hold)).expect("it was granted");
        join(cancel);
        join(newcomer)
    });
}

/// Two threads, complete. Outcome: whether the timeout had answered, and so woken, it.
#[test]
fn a_cancel_meets_the_wait_timeout() {
    Race::complete(4).explore(&[0, 1], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, waiting(1));
        let bell = waiter.bell();
        let time = world.spawn(|world| world.elapse(2));
        waiter.cancel();
        join(time);
        world.finish(Ok(hold)).expect("it was granted");
        bell.rings()
    });
}

/// Two threads, complete. The reaper is sent for one who then goes, and comes when another stands in his slot
/// and has more time. Outcome: whether the first had been timed out.
#[test]
fn a_late_timer_does_not_strike_the_next_in_the_slot() {
    Race::complete(10).explore(&[(0, Ok(())), (1, Ok(()))], |world| {
        let hold = world.take(A, FREELY);
        let first = world.queue(A, waiting(1));
        let bell = first.bell();
        let time = world.spawn(|world| world.elapse(2));
        first.cancel();
        let second = world.queue(A, waiting(3));
        join(time);
        world.finish(Ok(hold)).expect("it was granted");
        let answer: Result<(), Refusal> = world.finish(second.answer());
        (bell.rings(), answer)
    });
}
