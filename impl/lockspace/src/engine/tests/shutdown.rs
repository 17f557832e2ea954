//! A shutdown begins, or its grace ends, as others come and go.

use lockspace_spec::Refusal;

use crate::Loss;

use super::harness::{Race, join};
use super::world::Name::{A, B};
use super::world::{FREELY, World, leased, waiting};

/// Two threads, complete. Outcome: what the release says, and how the report counts the hold: not at
/// all, if it ended before the shutdown began.
#[test]
fn a_release_meets_a_shutdown_without_grace() {
    let outcomes = [(Ok(()), 0, 0), (Err(Loss::Shutdown), 0, 1)];
    Race::complete(7).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let shutdown = world.spawn(|world| world.shut_down(0));
        let released = world.release(hold);
        join(shutdown);
        let report = world.wait_until_closed();
        (released, report.released, report.revoked)
    });
}

/// Two threads, complete. Within the grace a release is a release; the last one closes, and leaves no
/// grace timer.
#[test]
fn a_release_within_the_grace_closes() {
    Race::complete(8).explore(&[0, 1], |world| {
        let hold = world.take(A, FREELY);
        let shutdown = world.spawn(|world| world.shut_down(5));
        world.finish(Ok(hold)).expect("it was granted");
        join(shutdown);
        assert!(world.is_closed(), "L4");
        world.wait_until_closed().released
    });
}

/// Two threads, complete.
#[test]
fn a_release_meets_the_end_of_the_grace() {
    Race::complete(10).explore(&[Ok(()), Err(Loss::Shutdown)], |world| {
        let hold = world.take(A, FREELY);
        world.shut_down(5);
        let time = world.spawn(|world| world.elapse(6));
        let released = world.release(hold);
        join(time);
        assert!(world.is_closed(), "L4");
        released
    });
}

/// Two threads, complete. Closed means that nobody holds anything: a hold is granted before the
/// shutdown, which counts it, or not at all.
#[test]
fn nothing_is_held_once_it_is_closed() {
    Race::complete(7).explore(&[Ok(()), Err(Refusal::ShuttingDown)], |world| {
        let shutdown = world.spawn(|world| world.shut_down(5));
        let acquired = world.try_acquire(A);
        join(shutdown);
        assert_eq!(world.is_closed(), acquired.is_err(), "S9");
        world.finish(acquired)
    });
}

/// Two threads, complete. The shutdown goes from shard to shard; whoever has been told in one that it
/// is over is granted nothing in another.
#[test]
fn nobody_is_granted_after_he_was_told() {
    let refused = Err(Refusal::ShuttingDown);
    let outcomes = [(Ok(()), Ok(())), (Ok(()), refused), (refused, refused)];
    Race::complete(500).two_shards().explore(&outcomes, |world| {
        let shutdown = world.spawn(|world| world.shut_down(5));
        let first = world.finish(world.try_acquire(A));
        let second = world.finish(world.try_acquire(B));
        join(shutdown);
        (first, second)
    });
}

/// Two threads, complete. The same for a hand-over: the releaser has been told in one shard, so in the
/// other its release must not grant, although the shutdown has not come by there.
#[test]
fn a_release_before_the_shutdown_comes_by_grants_nothing() {
    let refused = Err(Refusal::ShuttingDown);
    let outcomes = [(Ok(()), Ok(())), (Ok(()), refused), (refused, refused)];
    Race::complete(2_000).two_shards().explore(&outcomes, |world| {
        let hold = world.take(B, FREELY);
        let waiter = world.queue(B, FREELY);
        let shutdown = world.spawn(|world| world.shut_down(5));
        let told = world.finish(world.try_acquire(A));
        world.finish(Ok(hold)).expect("it was granted");
        let answer = world.finish(waiter.answer());
        join(shutdown);
        (told, answer)
    });
}

/// Three threads, complete. The waiter is blocked, and hears that it is granted or that it is over.
#[test]
fn a_guard_dropped_during_a_shutdown_meets_its_waiter() {
    let outcomes = [Ok(()), Err(Refusal::ShuttingDown)];
    Race::complete(6_000).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let waiter = world.spawn(|world| world.finish(waiter.wait()));
        let shutdown = world.spawn(|world| world.shut_down(5));
        world.finish(Ok(hold)).expect("it was granted");
        join(shutdown);
        let answer = join(waiter);
        assert!(world.is_closed(), "L4");
        answer
    });
}

/// Two threads, complete. Whoever queues as the shutdown comes by is answered by it or refused; when it
/// is through, nobody waits.
#[test]
fn nobody_waits_when_the_shutdown_is_through() {
    Race::complete(20).explore(&[Err(Refusal::ShuttingDown)], |world| {
        let hold = world.take(A, FREELY);
        let newcomer = world.spawn(|world| world.finish(world.acquire(A, FREELY)));
        world.shut_down(5);
        assert_eq!(world.audit().waiting, 0, "S9");
        let answer = join(newcomer);
        world.finish(Ok(hold)).expect("it was granted");
        answer
    });
}

/// Two threads, complete. Outcome: how many the report counts as cancelled, and whether the waiter was
/// woken: as many.
#[test]
fn a_cancel_meets_a_shutdown() {
    Race::complete(10).explore(&[(0, 0), (1, 1)], |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, FREELY);
        let bell = waiter.bell();
        let cancel = world.spawn(|_| waiter.cancel());
        world.shut_down(5);
        world.finish(Ok(hold)).expect("it was granted");
        join(cancel);
        (world.wait_until_closed().cancelled, bell.rings())
    });
}

/// Two threads, complete.
#[test]
fn a_wait_timeout_meets_a_shutdown() {
    let outcomes = [Err(Refusal::TimedOut), Err(Refusal::ShuttingDown)];
    Race::complete(40).explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let waiter = world.queue(A, waiting(1));
        let time = world.spawn(|world| world.elapse(2));
        world.shut_down(5);
        let answer = world.finish(waiter.answer());
        join(time);
        world.finish(Ok(hold)).expect("it was granted");
        answer
    });
}

/// Two threads, complete. A hold is lost once, for one reason, and counted once. Outcome: why, and how
/// the report counts it.
#[test]
fn the_end_of_a_lease_meets_a_shutdown() {
    let outcomes = [(Err(Loss::LeaseElapsed), 0, 0), (Err(Loss::Shutdown), 0, 1)];
    Race::complete(20).explore(&outcomes, |world| {
        let hold = world.take(A, leased(1));
        let time = world.spawn(|world| world.elapse(2));
        world.shut_down(0);
        join(time);
        let report = world.wait_until_closed();
        (world.release(hold), report.released, report.revoked)
    });
}

/// Two threads, complete. Two shut down at once, one with grace and one without: the shorter grace
/// counts, both hear of the end, and of the same.
#[test]
fn two_shutdowns_close_together() {
    Race::complete(700).explore(&[(Err(Loss::Shutdown), 1)], |world| {
        let hold = world.take(A, FREELY);
        let patient = world.spawn(|world| {
            world.shut_down(5);
            world.wait_until_closed()
        });
        world.shut_down(0);
        let report = world.wait_until_closed();
        assert_eq!(join(patient), report);
        (world.release(hold), report.revoked)
    });
}

/// Three threads, complete. A second shutdown shortens the grace as the holder releases: that closes,
/// and everybody who waits for the end hears of it.
#[test]
fn the_last_release_tells_everybody_who_waits_for_the_end() {
    Race::complete(50_000).explore(&[(1, 0)], |world| {
        let hold = world.take(A, FREELY);
        world.shut_down(5);
        let other = world.spawn(|world| {
            world.shut_down(4);
            world.wait_until_closed()
        });
        let holder = world.spawn(|world| world.finish(Ok(hold)));
        let report = world.wait_until_closed();
        join(holder).expect("the grace is long");
        assert_eq!(join(other), report);
        (report.released, report.revoked)
    });
}

/// Four threads, at most three preemptions: complete, it takes longer than minutes, and two are enough
/// for the audit to look between the end of the grace and that of the shutdown. Whenever one looks,
/// nothing is out of place, even if the second shutdown's grace ends before the first one has come by
/// everywhere. Outcome: how many timers were seen armed.
#[test]
fn an_audit_finds_everything_in_place_while_it_closes() {
    Race::bounded(3, 10_000).explore(&[0, 1], |world| {
        let hold = world.take(A, FREELY);
        let other = world.spawn(|world| world.shut_down(5));
        let time = world.spawn(|world| world.elapse(6));
        let auditor = world.spawn(World::audit);
        world.shut_down(4);
        let audit = join(auditor);
        join(other);
        join(time);
        assert!(audit.is_clean(), "{audit}");
        world.elapse(6); // Time may have run out before the grace was set.
        assert_eq!(world.release(hold), Err(Loss::Shutdown), "L4");
        audit.timers
    });
}
