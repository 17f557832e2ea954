//! A shutdown, its grace, and everybody.

use super::place::{DOOR, HOUR, Place};
use super::portfolio::FEW;
use crate::{AcquireError, Loss, Phase, Refusal};

fn shutting_down<T>(answer: &Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::ShuttingDown))
}

async fn try_to_visit(place: &Place) -> Result<u64, Refusal> {
    place.finish(place.space.acquire(DOOR).await).await
}

/// Three tasks. Whoever asks is granted or refused, and once it is closed nothing is held. Outcome: who
/// was refused, and how many of them had waited.
#[test]
fn a_shutdown_meets_those_who_acquire() {
    let outcomes = [
        (false, false, 0),
        (false, true, 0),
        (false, true, 1),
        (true, false, 0),
        (true, false, 1),
        (true, true, 0),
    ];
    FEW.explore(&outcomes, async |place| {
        let [first, second] = [(); 2].map(|()| place.spawn(try_to_visit));
        let report = place.space.shutdown(HOUR).await;
        assert!(place.space.phase() == Phase::Closed && report.revoked == 0, "S9: {report:?}");
        assert!(matches!(place.space.try_acquire(DOOR), Err(AcquireError::ShuttingDown { .. })));
        let [first, second] = [first.join().await, second.join().await];
        (shutting_down(&first), shutting_down(&second), report.cancelled)
    });
}

/// Three tasks and the reaper. The grace ends as the holder releases; it closes either way. Outcome: how
/// many holds were released after it had begun, and how many revoked.
#[test]
fn a_release_meets_the_end_of_the_grace() {
    FEW.explore(&[(0, 0), (1, 0), (0, 1)], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free").into_owned();
        let holder = place.spawn(async |_| guard.release().err().map(|lost| lost.reason));
        let time = place.spawn_time(HOUR);
        let report = place.space.shutdown(HOUR).await;
        let lost = holder.join().await;
        assert_eq!(report.revoked == 1, lost == Some(Loss::Shutdown), "S4");
        time.join().await;
        (report.released, report.revoked)
    });
}

/// Three tasks and the reaper. A holder that never releases is told when the grace ends, and it closes.
/// Outcome: what it was told, and how many were answered that waited.
#[test]
fn a_grace_that_ends_revokes_what_is_held() {
    FEW.explore(&[(Loss::Shutdown, 0), (Loss::Shutdown, 1)], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free").into_owned();
        let holder = place.spawn(async move |_| guard.lost().await.reason);
        let waiter = place.spawn(try_to_visit);
        place.space.begin_shutdown(HOUR);
        let time = place.spawn_time(HOUR);
        let report = place.space.closed().await;
        assert!(shutting_down(&waiter.join().await), "S9");
        time.join().await;
        (holder.join().await, report.cancelled)
    });
}

/// Three tasks. A second shutdown without grace hurries the first one, as the holder releases. Both get
/// the same report. Outcome: how many holds were revoked.
#[test]
fn a_second_shutdown_hurries_the_first() {
    FEW.explore(&[0, 1], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free").into_owned();
        let holder = place.spawn(async |_| drop(guard));
        let patient = place.spawn(async |place| place.space.shutdown(HOUR).await);
        let report = place.space.shutdown(std::time::Duration::ZERO).await;
        assert_eq!(patient.join().await, report);
        holder.join().await;
        report.revoked
    });
}

/// Three tasks. Those who wait for the end are dropped or told; the shutdown goes on without them.
/// Outcome: whether the dropped one had been told.
#[test]
fn a_shutdown_goes_on_without_those_who_wait_for_it() {
    FEW.explore(&[true, false], async |place| {
        let guard = place.space.try_acquire(DOOR).expect("it is free");
        let [dropped, waits] =
            [(); 2].map(|()| place.spawn(async |place| place.space.shutdown(HOUR).await));
        drop(guard);
        let told = dropped.cancel().await.is_some();
        waits.join().await;
        told
    });
}
