//! How many bytes are taken, and how many are kept.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use lockspace::{Acquire, AcquireError, AcquireFuture, Guard, LockSpace, Loss};

use crate::{HOUR, NAME, at_once, waits};

/// Bytes that `work` allocates and does not give back.
fn taken(work: impl FnOnce()) -> usize {
    measure(work).bytes_current.try_into().expect("more is allocated than was before")
}

#[test]
fn a_guard_and_a_future_are_small() {
    assert_eq!(size_of::<Guard<'_>>(), 32);
    assert_eq!(size_of::<AcquireFuture<'_, '_>>(), 96);
    assert_eq!(size_of::<Result<Guard<'_>, AcquireError>>(), 40);
}

/// The bytes for each, when there are so many as fill the tables, and when one more has made them grow.
fn each(numbers: impl IntoIterator<Item = usize>) -> (usize, usize) {
    // Few are not told apart from what an empty lockspace takes.
    let enough = numbers.into_iter().enumerate().skip(10_000);
    let each = enough.map(|(index, bytes)| bytes / (index + 1)).collect::<Vec<_>>();
    (*each.iter().min().unwrap(), *each.iter().max().unwrap())
}

/// In one shard, so that all of it grows at once.
#[test]
fn a_held_name_takes_few_bytes() {
    const MOST: usize = 40_000;
    let space = LockSpace::builder().shards(1).build();
    let names: Vec<String> = (0..MOST).map(|number| format!("invoice/{number:08}")).collect();
    let (mut guards, mut bytes) = (Vec::with_capacity(MOST), 0);
    let (full, grown) = each(names.iter().map(|name| {
        bytes += taken(|| guards.push(space.try_acquire(name).unwrap()));
        bytes
    }));
    assert!(full <= 64, "{full} bytes");
    assert!(grown <= 82, "{grown} bytes");
}

#[test]
fn a_waiter_takes_few_bytes() {
    let (full, doubled) = waiter(|space| space.acquire(NAME));
    assert!(full <= 64, "{full} bytes");
    assert!(doubled <= 128, "{doubled} bytes");
}

#[test]
fn a_waiter_with_a_wait_timeout_takes_few_bytes() {
    let (full, doubled) = waiter(|space| space.acquire(NAME).wait_timeout(HOUR));
    assert!(full <= 80, "{full} bytes");
    assert!(doubled <= 160, "{doubled} bytes");
}

/// In whatever order they end, and also when most have been released: of the memory of those that were armed
/// once, what is not needed goes back.
#[test]
fn an_armed_lease_takes_few_bytes() {
    const MOST: u32 = 40_000;
    let mut shuffled: Vec<u32> = (0..MOST).collect();
    fastrand::Rng::with_seed(5).shuffle(&mut shuffled);
    let second = Duration::from_secs(1);
    let ends: [(&str, &dyn Fn(u32) -> Duration); 4] = [
        ("the same for all", &|_| HOUR),
        ("each longer", &|number| HOUR + second * number),
        ("each shorter", &|number| HOUR + second * (MOST - number)),
        ("in random order", &|number| HOUR + second * shuffled[number as usize]),
    ];
    for (released, bound) in [(0, 32.0), (50, 48.0), (90, 48.0)] {
        let (without, held) = leased(MOST, released, |_| None);
        for (order, end) in ends {
            let (with, _) = leased(MOST, released, |number| Some(end(number)));
            let each = (with - without) as f64 / f64::from(held);
            assert!(each <= bound, "{order}, {released}% released: {each:.1} bytes");
        }
    }
}

/// Bytes that so many holds take when some of them have been released again, and how many are left.
fn leased(most: u32, percent: u32, lease: impl Fn(u32) -> Option<Duration>) -> (usize, u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let names: Vec<String> = (0..most).map(|number| format!("invoice/{number:08}")).collect();
    let (space, mut rng) = (LockSpace::builder().shards(1).build(), fastrand::Rng::with_seed(7));
    let mut guards = Vec::with_capacity(names.len());
    let bytes = taken(|| {
        for (number, name) in (0..).zip(&names) {
            let request = space.acquire(name);
            let request = match lease(number) {
                Some(lease) => request.lease(lease),
                None => request,
            };
            guards.push(request.try_now().unwrap());
        }
        guards.retain(|_| rng.u32(0..100) >= percent);
    });
    (bytes, guards.len() as u32)
}

/// What is allocated for a waiter, besides its future.
fn waiter(request: fn(&LockSpace) -> Acquire<'_, 'static>) -> (usize, usize) {
    const MOST: usize = 20_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let space = LockSpace::builder().shards(1).build();
    let _guard = space.try_acquire(NAME).unwrap();
    let mut waiters: Vec<_> = (0..MOST).map(|_| request(&space).into_future()).collect();
    let (mut context, mut bytes) = (Context::from_waker(Waker::noop()), 0);
    each(waiters.iter_mut().map(|waiter| {
        bytes += taken(|| assert!(Pin::new(waiter).poll(&mut context).is_pending()));
        bytes
    }))
}

/// However many are lost at once: each is told from where it was held.
#[test]
fn a_hold_that_is_lost_takes_no_memory_that_it_had_not() {
    const MOST: usize = 10_000;
    let names: Vec<String> = (0..MOST).map(|number| format!("invoice/{number:08}")).collect();
    let space = LockSpace::builder().shards(1).build();
    let before = measure(|| {
        let acquire = |name| space.try_acquire(name).unwrap();
        let guards: Vec<Guard<'_>> = names.iter().map(|name| acquire(name)).collect();
        let lost = measure(|| {
            names.iter().for_each(|name| assert!(space.force_release(name).is_ok()));
        });
        assert!(lost.count_total <= 1 && lost.bytes_current < 1024, "{lost:?}");
        assert_eq!(space.audit().lost, MOST);
        let again: Vec<Guard<'_>> = names.iter().map(|name| acquire(name)).collect();
        for (guard, name) in guards.into_iter().zip(&names) {
            assert!(guard.is_lost());
            assert_eq!(guard.name().as_str(), name);
            let told = guard.release().unwrap_err();
            assert_eq!((told.name.as_str(), told.reason), (name.as_str(), Loss::Forced));
        }
        assert!(again.iter().zip(&names).all(|(held, name)| held.name().as_str() == name));
        assert_eq!(space.audit().lost, 0);
    });
    assert!(before.bytes_current <= 64 * 1024, "{before:?}");
    assert!(space.audit().is_quiescent());
}

/// After a peak a lockspace of the default settings keeps next to nothing.
#[test]
fn little_is_kept_of_what_is_over() {
    const TIMES: usize = 50_000;
    const KEPT: i64 = 64 * 1024;
    let space = LockSpace::new();
    let names: Vec<String> = (0..TIMES).map(|number| format!("invoice/{number:08}")).collect();
    let held = measure(|| {
        let guards: Vec<_> = names.iter().map(|name| space.try_acquire(name).unwrap()).collect();
        drop(guards);
    });
    assert!(held.bytes_current <= KEPT, "names held at once: {} bytes", held.bytes_current);
    let cancelled = measure(|| {
        let _guard = at_once(space.acquire(NAME));
        let mut waiters: Vec<_> = (0..TIMES).map(|_| waits(space.acquire(NAME))).collect();
        fastrand::Rng::with_seed(3).shuffle(&mut waiters);
        drop(waiters);
    });
    assert!(cancelled.bytes_current <= KEPT, "cancelled: {} bytes", cancelled.bytes_current);
    let unseen = measure(|| {
        for name in &names {
            let guard = at_once(space.acquire(name));
            let waiter = waits(space.acquire(name));
            drop(guard);
            drop(waiter);
        }
    });
    assert!(unseen.bytes_current <= KEPT, "granted and dropped: {} bytes", unseen.bytes_current);
    assert!(space.audit().is_quiescent());
}
