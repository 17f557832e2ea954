//! Sixteen tasks that acquire again and again, each time in a way that chance decides: with a wait timeout
//! or without, with a lease or without, not waiting at all, leaving in the middle, or as a critical
//! section. One of them lets time pass. Chance is shuttle's, so that a schedule repeats it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use shuttle::future::yield_now;
use shuttle::rand::{Rng, thread_rng};

use super::place::{HOUR, NAMES, Place};
use super::portfolio::CROWD;
use super::stand_in::time;
use crate::{Phase, SectionOptions, Stats};

/// How many acquire; one more lets time pass.
const CLIENTS: usize = 15;

/// How often each of them acquires.
const ROUNDS: usize = 3;

fn chance(outcomes: usize) -> usize {
    thread_rng().gen_range(0..outcomes)
}

/// Awaits `future`, but gives it up after so many turns.
async fn for_a_few_turns<T>(mut turns: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if turns == 0 => Poll::Ready(None),
        Poll::Pending => {
            turns -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Holds one of the first `names` as a guard.
async fn hold(place: &Place, names: usize) {
    let which = chance(names);
    let mut request = place.space.acquire(NAMES[which]);
    if chance(2) == 0 {
        request = request.wait_timeout(HOUR);
    }
    if chance(3) == 0 {
        request = request.lease(HOUR);
    }
    let answer = if chance(8) == 0 { request.try_now() } else { request.await };
    let Ok(guard) = answer else { return };
    let visit = place.resources[which].enter(guard.fencing_token());
    yield_now().await;
    let overtaken = visit.overtaken();
    let lost = guard.release().is_err();
    assert!(!overtaken || lost, "S1, S2: overtaken during a hold that was never lost");
}

/// Holds one of the first `names` as a critical section.
async fn section(place: &Place, names: usize) {
    let which = chance(names);
    let options = SectionOptions::new().wait_timeout(HOUR).time_limit(HOUR);
    let body = async |token| {
        let visit = place.resources[which].enter(token);
        yield_now().await;
        yield_now().await;
        visit.overtaken()
    };
    let ending = place.space.critical_section(NAMES[which], options, body).await;
    assert!(ending != Ok(true), "S1, S2: overtaken during a hold that was never lost");
}

async fn client(place: &Place, names: usize) {
    for _ in 0..ROUNDS {
        match chance(4) {
            0 => section(place, names).await,
            1 => drop(for_a_few_turns(chance(6), hold(place, names)).await),
            2 => drop(for_a_few_turns(chance(6), section(place, names)).await),
            _ => hold(place, names).await,
        }
    }
}

/// All of them at once, until the last is done.
async fn crowd(place: &Place, names: usize, shutdown: bool) -> Stats {
    let clients =
        [(); CLIENTS].map(|()| place.spawn(async move |place| client(place, names).await));
    let time = place.spawn(async |_| {
        for _ in 0..ROUNDS {
            yield_now().await;
            time::pass(HOUR);
        }
    });
    if shutdown {
        for _ in 0..chance(10) {
            yield_now().await;
        }
        place.space.shutdown(HOUR / 2).await;
        assert_eq!(place.space.phase(), Phase::Closed);
    }
    for client in clients {
        client.join().await;
    }
    time.join().await;
    place.space.stats()
}

/// Whatever can happen has happened, all schedules taken together.
fn everything_happened(all: &[Stats], shutdown: bool) {
    let sum = |count: fn(&Stats) -> u64| all.iter().map(count).sum::<u64>();
    let counts = [
        ("granted", sum(|stats| stats.granted)),
        ("queued", sum(|stats| stats.queued)),
        ("busy", sum(|stats| stats.refused_busy)),
        ("timed out", sum(|stats| stats.refused_timed_out)),
        ("cancelled", sum(|stats| stats.cancelled)),
        ("leases ended", sum(|stats| stats.lost_lease_elapsed)),
        ("shutting down", sum(|stats| stats.refused_shutting_down)),
        ("revoked", sum(|stats| stats.lost_shutdown)),
    ];
    println!("{counts:?}");
    let expected = if shutdown { &counts[..] } else { &counts[..6] };
    assert!(expected.iter().all(|(_, count)| *count > 0), "something never happened");
}

#[test]
fn sixteen_tasks_want_one_name() {
    let all = CROWD.outcomes(async |place| crowd(place, 1, false).await);
    all.iter().for_each(|all| everything_happened(all, false));
}

#[test]
fn sixteen_tasks_want_three_names() {
    let all = CROWD.outcomes(async |place| crowd(place, 3, false).await);
    all.iter().for_each(|all| everything_happened(all, false));
}

#[test]
fn sixteen_tasks_meet_a_shutdown() {
    let all = CROWD.outcomes(async |place| crowd(place, 2, true).await);
    all.iter().for_each(|all| everything_happened(all, true));
}
