//! One thread alone, nobody in its way: what a lock costs when it is free.
//!
//! Futures are polled by hand, and timed by the thread's own clock. Beside everybody stand the floors.

use std::hint::black_box;
use std::time::Duration;

use crate::by_hand::{now_or_wait, runtime};
use crate::measure::{Contender, Scale, Workload, once, repeat, repeat_async};
use crate::peer::{BlockingPeer, Peer, names};
use crate::peers::{FloorOneLine, FloorPair, KeyedLockSync, LockMap, LockSpace, Lockable};

const FLOOR: &[&str] = &["FLOOR pair"];

pub(super) fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            id: "hot",
            what: "one name, acquired and released again and again, as a task does",
            measures: &["ns"],
            references: FLOOR,
            contenders: [floors!(hot), every_lock!(hot)].concat(),
        },
        Workload {
            id: "hot-blocking",
            what: "the same as a thread does",
            measures: &["ns"],
            references: FLOOR,
            contenders: vec![
                blocking::<FloorOneLine>(),
                blocking::<FloorPair>(),
                blocking::<LockSpace>(),
                blocking::<Lockable>(),
                blocking::<KeyedLockSync>(),
                blocking::<LockMap>(),
            ],
        },
        Workload {
            id: "hot-timed",
            what: "the same as a task does, waiting ten seconds at most, though it need not wait",
            measures: &["ns"],
            references: FLOOR,
            contenders: [floors!(hot_timed), every_lock!(hot_timed)].concat(),
        },
        Workload {
            id: "distinct",
            what: "very many names, each acquired and released once",
            measures: &["ns"],
            references: FLOOR,
            contenders: [
                contenders!(distinct: FloorOneLine, FloorPair, Striped),
                every_lock!(distinct),
            ]
            .concat(),
        },
        Workload {
            id: "held",
            what: "very many names, all acquired, and then all released",
            measures: &["ns to acquire", "ns to release"],
            references: FLOOR,
            contenders: [contenders!(held: FloorPair), every_lock!(held)].concat(),
        },
    ]
}

fn hot<P: Peer>(scale: &Scale) -> Vec<f64> {
    let (peer, name) = (P::new(), names(1)[0]);
    vec![repeat_async(scale, async || drop(peer.acquire(black_box(name)).await))]
}

fn blocking<P: BlockingPeer>() -> Contender {
    Contender { peer: P::NAME, run: hot_blocking::<P> }
}

fn hot_blocking<P: BlockingPeer>(scale: &Scale) -> Vec<f64> {
    let (peer, name) = (P::new(), names(1)[0]);
    vec![repeat(scale, || drop(peer.acquire(black_box(name))))]
}

fn hot_timed<P: Peer>(scale: &Scale) -> Vec<f64> {
    // A runtime with timers must be there for those who make one.
    let runtime = runtime(0);
    let _entered = runtime.enter();
    let (peer, name, limit) = (P::new(), names(1)[0], Duration::from_secs(10));
    vec![repeat_async(scale, async || {
        drop(peer.acquire_within(black_box(name), limit).await.expect("it is free"));
    })]
}

fn distinct<P: Peer>(scale: &Scale) -> Vec<f64> {
    let (peer, names) = (P::new(), names(scale.names));
    let each_once = async {
        for name in names {
            drop(peer.acquire(name).await);
        }
    };
    vec![once(names.len(), || now_or_wait(each_once))]
}

fn held<P: Peer>(scale: &Scale) -> Vec<f64> {
    let (peer, names) = (P::new(), names(scale.names));
    let mut guards = Vec::with_capacity(names.len());
    let acquire = || guards.extend(names.iter().map(|name| now_or_wait(peer.acquire(name))));
    let acquired = once(names.len(), acquire);
    let released = once(names.len(), || guards.clear());
    vec![acquired, released]
}
