//! What is done, at each place by all of its peers.

use std::time::{Duration, Instant};

use lockspace_etcd::EtcdStore;
use lockspace_peers::measure::{Contender, Workload};
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_sqlite::SqliteStore;

use crate::NAME;
use crate::bench::Bench;
use crate::clock::{each, now};
use crate::crowd::Crowd;
use crate::other::{self, Other};
use crate::peer::{Peer, Place};
use crate::peers::{Ours, Swaps, Unawaited, etcd, folder, postgres, redis};

/// How many tasks of each of the two processes want the same name.
const TASKS: usize = 8;

/// For how long a name is held at least before it is handed over: the other process waits by then.
const HELD: Duration = Duration::from_millis(20);

/// How much longer it is held each time than the time before, so that nobody retries in step with it.
const LONGER: Duration = Duration::from_micros(3_300);

/// What the other process does, by the name of the peer's type; and the workloads of a place, by its floor,
/// by those who take part only where nobody waits, by lockspace, by what people use instead, and by others.
macro_rules! places {
    ($($place:ident: $pair:literal $hand_off:literal $contended:literal
        [$floor:ty] [$($alone:ty),*] [$ours:ty, $instead:ty $(, $peer:ty)*];)*) => {
        /// What the other process does for a peer, if it is one that can wait.
        pub(crate) fn main_of(peer: &str) -> Option<fn(&str)> {
            let all = [$(
                (std::any::type_name::<$ours>(), other::main::<$ours> as fn(&str)),
                (std::any::type_name::<$instead>(), other::main::<$instead> as fn(&str)),
                $((std::any::type_name::<$peer>(), other::main::<$peer> as fn(&str)),)*
            )*];
            all.into_iter().find(|(name, _)| *name == peer).map(|(_, main)| main)
        }

        /// Every workload, in the order of the tables.
        pub(crate) fn all() -> Vec<(Place, Workload<Bench>)> {
            vec![$(
                (Place::$place, Workload {
                    id: $pair,
                    what: "one name, acquired and released again and again by one task",
                    measures: &["µs for both", "µs to acquire"],
                    references: &[<$floor>::NAME, <$instead>::NAME],
                    contenders: vec![contender::<$floor>(pair::<$floor>),
                        $(contender::<$alone>(pair::<$alone>),)*
                        contender::<$ours>(pair::<$ours>),
                        contender::<$instead>(pair::<$instead>),
                        $(contender::<$peer>(pair::<$peer>)),*],
                }),
                (Place::$place, Workload {
                    id: $hand_off,
                    what: "from a release in one process until the other one, which waits, holds it",
                    measures: &["µs"],
                    references: &[<$instead>::NAME],
                    contenders: vec![contender::<$ours>(hand_off::<$ours>),
                        contender::<$instead>(hand_off::<$instead>),
                        $(contender::<$peer>(hand_off::<$peer>)),*],
                }),
                (Place::$place, Workload {
                    id: $contended,
                    what: "8 tasks in each of 2 processes, one name: acquire, release",
                    measures: &["µs a turn"],
                    references: &[<$instead>::NAME],
                    contenders: vec![contender::<$ours>(contended::<$ours>),
                        contender::<$instead>(contended::<$instead>),
                        $(contender::<$peer>(contended::<$peer>)),*],
                }),
            )*]
        }
    };
}

places! {
    Redis: "redis-pair" "redis-hand-off" "redis-contended"
        [redis::Bare] [Swaps<RedisStore>, Unawaited<RedisStore>] [Ours<RedisStore>, redis::SetNx];
    Postgres: "postgres-pair" "postgres-hand-off" "postgres-contended"
        [postgres::BareWrite]
        [postgres::BareRead, postgres::Row, Swaps<PostgresStore>, Unawaited<PostgresStore>]
        [Ours<PostgresStore>, postgres::Advisory, postgres::ForUpdate];
    Etcd: "etcd-pair" "etcd-hand-off" "etcd-contended"
        [etcd::Bare] [Swaps<EtcdStore>, Unawaited<EtcdStore>] [Ours<EtcdStore>, etcd::LockService];
    Folder: "sqlite-pair" "sqlite-hand-off" "sqlite-contended"
        [folder::Bare] [Swaps<SqliteStore>, Unawaited<SqliteStore>]
        [Ours<SqliteStore>, folder::Row, folder::Flock];
}

fn contender<P: Peer>(run: fn(&Bench) -> Vec<f64>) -> Contender<Bench> {
    Contender { peer: P::NAME, run }
}

fn url<P: Peer>(bench: &Bench) -> String {
    bench.url(P::PLACE).expect("only workloads of places that are there are run")
}

/// Acquires and releases for as long as a sample takes. The first ones are not counted.
fn pair<P: Peer>(bench: &Bench) -> Vec<f64> {
    let (url, sample) = (url::<P>(bench), bench.scale.sample);
    // A task, as users are: not the thread that waits for the runtime.
    let measured = bench.runtime.spawn(async move {
        let peer = P::connect(&url).await;
        pairs(&peer, sample / 10).await;
        let numbers = pairs(&peer, sample).await;
        peer.close().await;
        numbers
    });
    bench.runtime.block_on(measured).expect("nobody panics")
}

async fn pairs<P: Peer>(peer: &P, sample: Duration) -> Vec<f64> {
    let (begun, mut acquiring, mut times) = (Instant::now(), Duration::ZERO, 0);
    loop {
        let before = Instant::now();
        let held = peer.acquire(NAME).await;
        acquiring += before.elapsed();
        peer.release_fully(held).await;
        times += 1;
        let took = begun.elapsed();
        if took >= sample {
            return vec![each(took, times), each(acquiring, times)];
        }
    }
}

/// The median of some hand-offs to another process.
fn hand_off<P: Peer>(bench: &Bench) -> Vec<f64> {
    let url = url::<P>(bench);
    let peer = bench.runtime.block_on(P::connect(&url));
    let mut other = Other::start::<P>(&url);
    let hand_offs = u32::try_from(bench.scale.hand_offs).expect("they are few");
    let mut took: Vec<_> = (0..=hand_offs)
        .map(|turn| {
            let held = bench.runtime.block_on(peer.acquire(NAME));
            other.tell("wait");
            other.expect("waiting");
            std::thread::sleep(HELD + LONGER * turn);
            let released = now();
            bench.runtime.block_on(peer.release(held));
            let taken: u64 = other.hear().parse().expect("it tells when");
            each(Duration::from_nanos(taken).saturating_sub(released), 1)
        })
        // The first one is not counted.
        .skip(1)
        .collect();
    drop(other);
    bench.runtime.block_on(peer.close());
    took.sort_by(f64::total_cmp);
    vec![took[took.len() / 2]]
}

/// From the moment when both processes begin to the moment when both are done, for each turn of anybody's.
fn contended<P: Peer>(bench: &Bench) -> Vec<f64> {
    let (url, turns) = (url::<P>(bench), bench.scale.turns);
    let peer = bench.runtime.block_on(P::connect(&url));
    let mut other = Other::start::<P>(&url);
    other.tell(&format!("crowd {TASKS}"));
    let crowd = bench.runtime.block_on(Crowd::gather(&peer, TASKS));
    other.expect("ready");
    let begun = Instant::now();
    other.tell(&format!("go {turns}"));
    bench.runtime.block_on(crowd.take_turns(turns));
    other.expect("done");
    let took = begun.elapsed();
    drop(other);
    bench.runtime.block_on(peer.close());
    vec![each(took, (2 * TASKS * turns) as u64)]
}

#[test]
fn every_peer_that_can_wait_is_found_by_the_name_of_its_type() {
    assert!(main_of(std::any::type_name::<Ours<RedisStore>>()).is_some());
    assert!(main_of(std::any::type_name::<folder::Flock>()).is_some());
    assert!(main_of("nobody").is_none());
}
