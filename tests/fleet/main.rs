//! Fleets: many processes that want the same names over a real store, while processes and servers are killed,
//! paused and cut off at random. What they protect is watched, what they were told is judged by the
//! specification, and in the end nothing may be left.
//!
//! Each test runs itself again as the members of its fleet. `LOCKSPACE_FLEET_OPERATIONS` says how many
//! operations (acquires, writes and releases that were answered) a fleet is to make, `LOCKSPACE_FLEET_SEED`
//! which one it is.
//!
//! Fleets over stores that are [broken] must be found out.
#![cfg(target_os = "linux")]

mod broken;
mod fleet;
mod member;
mod referee;
mod storage;

use broken::Flaw;
use fleet::Fleet;
use lockspace_servers::{Etcd, Postgres, Redis};

#[test]
fn processes_over_sqlite_exclude_each_other_and_leave_nothing() {
    if member::is_one() {
        return member::run();
    }
    let folder = tempfile::tempdir().expect("there is room");
    let url = format!("sqlite:{}", folder.path().join("locks.sqlite").display());
    Fleet::new("processes_over_sqlite_exclude_each_other_and_leave_nothing", url).run();
}

#[test]
fn processes_over_redis_exclude_each_other_and_leave_nothing() {
    if member::is_one() {
        return member::run();
    }
    let Some(server) = Redis::start() else { return };
    Fleet::over("processes_over_redis_exclude_each_other_and_leave_nothing", server).run();
}

#[test]
fn processes_over_postgres_exclude_each_other_and_leave_nothing() {
    if member::is_one() {
        return member::run();
    }
    let Some(server) = Postgres::start() else { return };
    Fleet::over("processes_over_postgres_exclude_each_other_and_leave_nothing", server).run();
}

#[test]
fn processes_over_etcd_exclude_each_other_and_leave_nothing() {
    if member::is_one() {
        return member::run();
    }
    let Some(server) = Etcd::start() else { return };
    Fleet::over("processes_over_etcd_exclude_each_other_and_leave_nothing", server).run();
}

#[test]
fn a_store_whose_swaps_are_not_atomic_is_found_out() {
    let test = "a_store_whose_swaps_are_not_atomic_is_found_out";
    // To the specification the first holder may have lost the name to the second one; but then its release
    // is none.
    control(test, Flaw::SwapsAreNotAtomic, &["S8"]);
}

#[test]
fn a_store_that_counts_for_each_process_apart_is_found_out() {
    let test = "a_store_that_counts_for_each_process_apart_is_found_out";
    // A smaller token comes after a greater one; or so it would, if the one with the greater had not still
    // been about to release.
    control(test, Flaw::ProcessesCountForThemselves, &["S2", "S8"]);
}

/// A fleet over a store with this flaw is rejected for breaking one of these properties.
fn control(test: &'static str, flaw: Flaw, properties: &[&str]) {
    if member::is_one() {
        return member::run();
    }
    let folder = tempfile::tempdir().expect("there is room");
    let url = format!("sqlite:{}", folder.path().join("locks.sqlite").display());
    let found = Fleet::new(test, url).with_flaw(flaw).until_found_out();
    assert!(found.is_some_and(|found| properties.contains(&found)), "{found:?}");
}
