//! The life of the reaper: whenever a timer is armed there is one, and it does not sleep too long.
//!
//! The reapers here are threads that do what `reaper.rs` does. The clock on their wall stands at two
//! o'clock: what is due by then elapses, and for what is due later they sleep until they are woken.

use lockspace_spec::Refusal;

use crate::Loss;

use super::harness::{Race, join};
use super::world::Name::{A, B};
use super::world::{FREELY, leased, waiting};

/// Three threads, complete; four, if the first reaper has ended before the second is needed. Two arm
/// and disarm at once: whoever finds no reaper starts one. Outcome: how many were started.
#[test]
fn whoever_arms_the_first_timer_starts_the_reaper() {
    let race = Race::complete(3_000).two_shards().reaper_at(2);
    race.explore(&[1, 2], |world| {
        let other = world.spawn(|world| {
            let hold = world.take(B, leased(3));
            world.finish(Ok(hold)).expect("the lease is long");
        });
        let hold = world.take(A, leased(3));
        world.finish(Ok(hold)).expect("the lease is long");
        join(other);
        world.reapers_started()
    });
}

/// Three threads, complete; four, if a second reaper is needed. The last timer is disarmed, and the
/// reaper ends, just as somebody waits with a timeout: he is answered all the same (L1).
#[test]
fn a_timer_armed_as_the_reaper_ends_is_served() {
    let race = Race::complete(20_000).reaper_at(2);
    let outcomes = [(Err(Refusal::TimedOut), 1), (Err(Refusal::TimedOut), 2)];
    race.explore(&outcomes, |world| {
        let hold = world.take(A, FREELY);
        let last = world.take(B, leased(3));
        let release = world.spawn(|world| world.finish(Ok(last)));
        let answer = world.acquire(A, waiting(1));
        join(release).expect("the lease is long");
        world.finish(Ok(hold)).expect("it has no lease");
        (world.finish(answer), world.reapers_started())
    });
}

/// Two threads, complete. The reaper sleeps for a long lease, and must be woken for a short wait (L1).
#[test]
fn a_timer_that_is_due_earlier_rouses_the_reaper() {
    let race = Race::complete(200).reaper_at(2);
    race.explore(&[(Err(Refusal::TimedOut), 1)], |world| {
        let long = world.take(B, leased(3));
        let hold = world.take(A, FREELY);
        let answer = world.acquire(A, waiting(1));
        world.finish(Ok(hold)).expect("it has no lease");
        world.finish(Ok(long)).expect("the lease is long");
        (world.finish(answer), world.reapers_started())
    });
}

/// Two threads, complete. A renewal moves the timer, which stays armed; the reaper never sees none, so it
/// stays, and no second one is started.
#[test]
fn a_renewal_keeps_the_reaper() {
    Race::complete(3).reaper_at(2).explore(&[1], |world| {
        let hold = world.take(A, leased(3));
        world.renew(&hold, 4).expect("the lease is long");
        world.finish(Ok(hold)).expect("the lease is long");
        world.reapers_started()
    });
}

/// Two threads, complete. The reaper comes for the end of a lease that has been renewed in the meantime:
/// it finds nothing due, and does not come for the same end again. Outcome: what the renewal and the
/// release say.
#[test]
fn a_reaper_that_comes_in_vain_does_not_come_again() {
    Race::complete(20).reaper_at(2).explore(&[Ok(()), Err(Loss::LeaseElapsed)], |world| {
        let hold = world.take(A, leased(1));
        let renewed = world.renew(&hold, 3);
        assert_eq!(world.release(hold), renewed, "S8");
        renewed
    });
}

/// Two threads, complete. Of two timers of a shard one is due: the reaper acts upon it, and stays for the
/// other, as an audit sees. Outcome: how many were started.
#[test]
fn a_reaper_that_has_acted_stays_for_what_is_left() {
    Race::complete(1_000).reaper_at(2).explore(&[1], |world| {
        let long = world.take(B, leased(3));
        let short = world.take(A, leased(1));
        world.wait_until_ended(short.key);
        let audit = world.audit();
        assert!(audit.is_clean() && audit.reaper, "L2: {audit}");
        world.finish(Ok(long)).expect("the lease is long");
        assert_eq!(world.release(short), Err(Loss::LeaseElapsed));
        world.reapers_started()
    });
}

/// Two threads, complete. A shutdown's grace is brought forward; as with a renewal, the reaper stays.
#[test]
fn a_shorter_grace_keeps_the_reaper() {
    Race::complete(20).reaper_at(2).explore(&[1], |world| {
        let hold = world.take(A, FREELY);
        world.shut_down(4);
        world.shut_down(3);
        world.finish(Ok(hold)).expect("the grace is long");
        world.reapers_started()
    });
}

/// Two threads, complete. The reaper's runtime ends, and drops it, as timers come and go: an heir is
/// started exactly if a timer is armed then, and a timer that is armed later starts one itself. The
/// test is the reaper here. Outcome: how many were started.
#[test]
fn a_reaper_that_dies_leaves_no_timer_unserved() {
    Race::complete(4).explore(&[2], |world| {
        let first = world.take(A, leased(1));
        let death = world.spawn(|world| {
            if world.engine.reaper_died() {
                world.start_reaper();
            }
        });
        world.release(first).expect("it is not late yet");
        let second = world.take(A, leased(1));
        join(death);
        let audit = world.audit();
        assert!(audit.is_clean() && audit.reaper, "L2: {audit}");
        world.release(second).expect("it is not late yet");
        world.reapers_started()
    });
}
