//! What lockspace aims at over a store: as ratios inside one run. Less is better.

use lockspace_etcd::EtcdStore;
use lockspace_peers::measure::Samples;
use lockspace_peers::targets::Target;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_sqlite::SqliteStore;

use crate::peer::Peer;
use crate::peers::{Ours, Swaps, etcd, folder, postgres, redis};

const OURS: &str = Ours::<RedisStore>::NAME;

/// lockspace beside a peer in the first measure of a workload.
fn beside(samples: &Samples, workload: &'static str, peer: &'static str) -> Option<f64> {
    samples.ratio((workload, 0, OURS), (workload, 0, peer))
}

/// All of them.
pub(crate) fn targets() -> Vec<Target> {
    macro_rules! target {
        ($what:literal, $at_most:literal, $workload:literal, $peer:ty) => {
            Target {
                what: $what,
                measured: |samples| beside(samples, $workload, <$peer>::NAME),
                at_most: $at_most,
                aim: None,
            }
        };
    }
    vec![
        target!("Redis: pair ÷ its two swaps", 1.1, "redis-pair", Swaps<RedisStore>),
        target!("Redis: pair ÷ two SETs", 1.1, "redis-pair", redis::Bare),
        target!("Redis: pair ÷ SET NX PX, Lua delete", 1.1, "redis-pair", redis::SetNx),
        target!("PostgreSQL: pair ÷ its two swaps", 1.1, "postgres-pair", Swaps<PostgresStore>),
        target!("PostgreSQL: pair ÷ two written rows", 1.1, "postgres-pair", postgres::BareWrite),
        target!("PostgreSQL: pair ÷ INSERT, DELETE", 1.1, "postgres-pair", postgres::Row),
        target!("etcd: pair ÷ its two swaps", 1.1, "etcd-pair", Swaps<EtcdStore>),
        target!("etcd: pair ÷ two Puts", 1.1, "etcd-pair", etcd::Bare),
        target!("etcd: pair ÷ its lock service", 1.1, "etcd-pair", etcd::LockService),
        target!("SQLite: pair ÷ its two swaps", 1.1, "sqlite-pair", Swaps<SqliteStore>),
        target!("SQLite: pair ÷ two transactions", 1.1, "sqlite-pair", folder::Bare),
        target!("SQLite: pair ÷ a row by hand", 1.1, "sqlite-pair", folder::Row),
        target!("Redis: hand-off ÷ retrying", 1.0, "redis-hand-off", redis::SetNx),
        target!("PostgreSQL: hand-off ÷ advisory", 1.0, "postgres-hand-off", postgres::Advisory),
        target!("etcd: hand-off ÷ its lock service", 1.0, "etcd-hand-off", etcd::LockService),
        target!("SQLite: hand-off ÷ retrying", 1.0, "sqlite-hand-off", folder::Row),
        target!("Redis: turn ÷ retrying", 1.0, "redis-contended", redis::SetNx),
        target!("PostgreSQL: turn ÷ advisory", 1.0, "postgres-contended", postgres::Advisory),
        target!("etcd: turn ÷ its lock service", 1.0, "etcd-contended", etcd::LockService),
        target!("SQLite: turn ÷ retrying", 1.0, "sqlite-contended", folder::Row),
    ]
}
