//! Critical sections: however one ends, its body has stopped before another one begins.

use shuttle::future::yield_now;

use super::place::{DOOR, HOUR, Place};
use super::portfolio::FEW;
use super::resource::Visit;
use crate::{FencingToken, Loss, SectionError, SectionOptions};

/// How a section ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Done,
    TimeLimit,
    Lost(Loss),
}

use Ending::{Done, Lost, TimeLimit};

/// The inside of a body, which takes its time to stop, however it ends.
struct Inside(Visit);

impl Drop for Inside {
    fn drop(&mut self) {
        shuttle::thread::yield_now();
        let alone = self.0.undisturbed() || std::thread::panicking();
        assert!(alone, "S1: two bodies were inside, or in the wrong order");
    }
}

async fn body(place: Place, token: FencingToken) {
    let _inside = Inside(place.resources[0].enter(token));
    yield_now().await;
    yield_now().await;
}

async fn section(place: &Place, options: SectionOptions<'_>) -> Ending {
    let section =
        place.space.critical_section(DOOR, options, |token| body(place.clone(), token)).await;
    ending(section)
}

fn ending<T>(section: Result<T, SectionError>) -> Ending {
    match section {
        Ok(_) => Done,
        Err(SectionError::TimeLimit { .. }) => TimeLimit,
        Err(SectionError::Lost(lost)) => Lost(lost.reason),
        Err(error) => unreachable!("nobody refuses: {error}"),
    }
}

/// Three tasks. Outcome: who came first and who last.
#[test]
fn bodies_take_turns() {
    let outcomes = [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)];
    FEW.explore(&outcomes, async |place| {
        let enter = async |place: &Place| {
            let body = async |token| {
                body(place.clone(), token).await;
                token
            };
            place.space.critical_section(DOOR, SectionOptions::new(), body).await
        };
        let [second, third] = [(); 2].map(|()| place.spawn(enter));
        let tokens = [enter(place).await, second.join().await, third.join().await];
        let mut order = [1, 2, 3];
        order.sort_unstable_by_key(|task| tokens[*task - 1].clone().expect("nobody refuses"));
        (order[0], order[2])
    });
}

/// Three tasks. The time limit ends as the body does, and another body waits.
#[test]
fn a_body_meets_its_time_limit() {
    FEW.explore(&[Done, TimeLimit], async |place| {
        let limited = SectionOptions::new().time_limit(HOUR);
        let first = place.spawn(async move |place| section(place, limited).await);
        let second = place.spawn(async |place| section(place, SectionOptions::new()).await);
        place.spawn_time(HOUR).join().await;
        second.join().await;
        first.join().await
    });
}

/// Three tasks. A section is dropped in the middle, and another body waits. Outcome: whether it had
/// ended.
#[test]
fn the_body_of_a_dropped_section_has_stopped() {
    FEW.explore(&[None, Some(Done)], async |place| {
        let first = place.spawn(async |place| section(place, SectionOptions::new()).await);
        let second = place.spawn(async |place| section(place, SectionOptions::new()).await);
        let ending = first.cancel().await;
        second.join().await;
        ending
    });
}

/// Two tasks. A body that never ends is stopped when the lock is taken from it.
#[test]
fn a_forced_release_stops_the_body() {
    FEW.explore(&[Lost(Loss::Forced)], async |place| {
        let section = place.spawn(async |place| {
            let endless = |_| std::future::pending::<()>();
            ending(place.space.critical_section(DOOR, SectionOptions::new(), endless).await)
        });
        while place.space.force_release(DOOR).expect("a name").is_none() {
            yield_now().await;
        }
        section.join().await
    });
}

/// Three tasks, one of them on the blocking pool. The caller of a blocking section gives up: the lock is
/// held until the body has really ended. Outcome: whether the caller gave up in time, and how many
/// grants there were.
#[test]
fn a_blocking_body_keeps_the_lock_whatever_its_caller_does() {
    FEW.explore(&[(None, 1), (None, 2), (Some(Done), 2)], async |place| {
        let first = place.spawn(async |place| {
            let resource = place.resources[0].clone();
            let body = move |token| drop(Inside(resource.enter(token)));
            let options = SectionOptions::new();
            ending(place.space.critical_section_blocking(DOOR, options, body).await)
        });
        let second = place.spawn(async |place| section(place, SectionOptions::new()).await);
        let answer = first.cancel().await;
        second.join().await;
        (answer, place.space.stats().granted)
    });
}
