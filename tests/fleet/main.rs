//! Fleets: many processes that want the same names over a real store, while processes and servers are killed,
//! paused and cut off at random. What they protect is watched, what they were told is judged by the
//! specification, and in the end nothing may be left.
//!
//! Each test runs itself again as the members of its fleet. `LOCKSPACE_FLEET_GRANTS` says how many grants a
//! fleet is to reach, `LOCKSPACE_FLEET_SEED` which one it is.
#![cfg(target_os = "linux")]

mod fleet;
mod member;
mod referee;
mod storage;

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
