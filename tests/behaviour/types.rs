//! What the compiler promises: which types may cross threads, and how large they are.

use std::fmt::Debug;

use lockspace::{
    Acquire, AcquireError, AcquireFuture, Audit, Builder, ClosedFuture, Guard, Health,
    HealthLimits, LockName, LockSpace, LostFuture, LostHold, NameError, RenewError, SectionError,
    SectionOptions, ShutdownReport, Snapshot, Stats, WaitError,
};

fn crosses_threads<T: Send + Sync + Unpin + Debug>() {}
fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
fn may_be_spawned<T: Send>(_: &T) {}

#[test]
fn public_types_may_cross_threads() {
    crosses_threads::<LockSpace>();
    crosses_threads::<Builder>();
    crosses_threads::<Acquire<'_, '_>>();
    crosses_threads::<AcquireFuture<'_, '_>>();
    crosses_threads::<Guard<'_>>();
    crosses_threads::<LostFuture<'_>>();
    crosses_threads::<ClosedFuture<'_>>();
    crosses_threads::<LockName>();
    crosses_threads::<SectionOptions<'_>>();
    crosses_threads::<HealthLimits>();
    crosses_threads::<(Snapshot, Audit, Health, Stats, ShutdownReport)>();
}

#[test]
fn errors_are_errors() {
    is_an_error::<AcquireError>();
    is_an_error::<LostHold>();
    is_an_error::<NameError>();
    is_an_error::<RenewError>();
    is_an_error::<SectionError>();
    is_an_error::<WaitError>();
}

#[test]
fn owned_guards_live_as_long_as_one_likes() {
    fn is_static<T: 'static>() {}
    is_static::<Guard<'static>>();
    is_static::<LockSpace>();
}

#[test]
fn futures_of_all_operations_may_be_spawned() {
    let space = LockSpace::new();
    may_be_spawned(&space.wait_until_released("a", None));
    may_be_spawned(&space.shutdown(std::time::Duration::ZERO));
    may_be_spawned(&space.critical_section("a", SectionOptions::new(), |_| async {}));
    may_be_spawned(&space.critical_section_blocking("a", SectionOptions::new(), |_| ()));
    #[cfg(unix)]
    may_be_spawned(&space.shutdown_on_signals(std::time::Duration::ZERO));
}

#[cfg(target_pointer_width = "64")]
#[test]
fn guards_and_futures_are_small() {
    assert!(size_of::<Guard<'_>>() <= 32, "{}", size_of::<Guard<'_>>());
    assert!(size_of::<Option<Guard<'_>>>() <= 32);
    assert!(size_of::<AcquireFuture<'_, '_>>() <= 96, "{}", size_of::<AcquireFuture<'_, '_>>());
    assert_eq!(size_of::<LockSpace>(), size_of::<usize>());
}
