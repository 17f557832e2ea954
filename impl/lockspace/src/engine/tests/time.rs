//! A wait timeout or a lease ends, as what it limits ends by itself.
//!
//! Time is a thread of its own: it becomes two o'clock at any moment.

use lockspace_spec::Refusal;

use crate::Loss;

use super::harness::{Race, join};
use super::world::Name::A;
use super::world::{FREELY, World, leased, waiting};

/// Two threads, complete. The waiter is granted or timed out, and hears of it; never both.
#[test]
fn a_grant_meets_the_wait_timeout() {
    Race::complete(4).explore(&[Ok(()), Err(Refusal::TimedOut)], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, waiting(1));
        let time = world.spawn(|world| world.elapse(2));
        world.finish(Ok(hold)).expect("it was granted");
        join(time);
        world.finish(waiter.answer())
    });
}

/// Two threads, complete. A waiter is granted in time, and time stands still: no timer is left of its wait
/// (S6).
#[test]
fn a_grant_leaves_no_timer() {
    Race::complete(7).explore(&[Ok(())], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, waiting(1));
        let release = world.spawn(|world| world.finish(Ok(hold)));
        let answer = world.finish(waiter.wait());
        join(release).expect("it was granted");
        answer
    });
}

/// Three threads, complete. The same as at first, with the waiter blocked and a second one behind it, who is
/// granted in any case.
#[test]
fn whoever_times_out_makes_way() {
    Race::complete(500).explore(&[Ok(()), Err(Refusal::TimedOut)], |world| {
        let hold = world.take(A, FREELY);
        let first = world.queue(A, waiting(1));
        let second = world.queue(A, FREELY);
        let time = world.spawn(|world| world.elapse(2));
        let first = world.spawn(|world| world.finish(first.wait()));
        world.finish(Ok(hold)).expect("it was granted");
        let answer = join(first);
        join(time);
        world.finish(second.answer()).expect("nobody else is left");
        answer
    });
}

/// Two threads, complete. A blocked thread keeps its own time, and gives up just as it is granted.
#[test]
fn a_grant_meets_a_blocked_thread_that_gives_up() {
    Race::complete(4).explore(&[Ok(()), Err(Refusal::TimedOut)], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let blocked = world.spawn(|world| world.finish(waiter.give_up()));
        world.finish(Ok(hold)).expect("it was granted");
        join(blocked)
    });
}

/// Two threads, complete. Outcome: what the release says.
#[test]
fn a_release_meets_the_end_of_the_lease() {
    Race::complete(4).explore(&[Ok(()), Err(Loss::LeaseElapsed)], |world| {
        let hold = world.take(A, leased(1));
        let time = world.spawn(|world| world.elapse(2));
        let released = world.release(hold);
        join(time);
        released
    });
}

/// Two threads, complete. The same with a successor: it is granted once, with the next token.
#[test]
fn the_end_of_a_lease_hands_over_once() {
    let outcomes = [(Ok(()), 2), (Err(Loss::LeaseElapsed), 2)];
    Race::complete(4).explore(&outcomes, |world| {
        let hold = world.take(A, leased(1));
        let waiter = world.queue(A, FREELY);
        let time = world.spawn(|world| world.elapse(2));
        let released = world.release(hold);
        join(time);
        let hold = waiter.answer().expect("nobody refuses");
        let token = hold.token();
        world.finish(Ok(hold)).expect("nobody takes it away");
        (released, token)
    });
}

/// Two threads, complete. The reaper is sent for a hold that is then released, and comes when another hold of
/// the same name stands in its place. Outcome: what became of the first; the second is not disturbed.
#[test]
fn a_late_timer_does_not_strike_the_successor() {
    let outcomes = [(Ok(()), Ok(())), (Err(Loss::LeaseElapsed), Ok(()))];
    Race::complete(10).explore(&outcomes, |world| {
        let first = world.take(A, leased(1));
        let time = world.spawn(|world| world.elapse(2));
        let first = world.release(first);
        let second = world.take(A, leased(3));
        join(time);
        (first, world.release(second))
    });
}

/// Two threads, complete. A renewal comes in time or too late; in time, the lease that it replaced
/// cannot end the hold.
#[test]
fn a_renewal_meets_the_end_of_the_lease() {
    Race::complete(3).explore(&[Ok(()), Err(Loss::LeaseElapsed)], |world| {
        let hold = world.take(A, leased(1));
        let time = world.spawn(|world| world.elapse(2));
        let renewed = world.renew(&hold, 3);
        join(time);
        assert_eq!(world.release(hold), renewed, "S8");
        renewed
    });
}

/// Three threads, complete. Whenever one looks, nothing is out of place: a timer is armed until it has
/// struck. Outcome: how many timers were seen armed, and what the renewal says.
#[test]
fn an_audit_finds_everything_in_place_at_any_moment() {
    let outcomes = [(0, Err(Loss::LeaseElapsed)), (1, Err(Loss::LeaseElapsed)), (1, Ok(()))];
    Race::complete(200).explore(&outcomes, |world| {
        let hold = world.take(A, leased(1));
        let time = world.spawn(|world| world.elapse(2));
        let auditor = world.spawn(World::audit);
        let renewed = world.renew(&hold, 3);
        let audit = join(auditor);
        join(time);
        assert!(audit.is_clean(), "{audit}");
        assert_eq!(world.release(hold), renewed, "S8");
        (audit.timers, renewed)
    });
}
