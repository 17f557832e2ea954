//! Two threads that never want the same name: whether they are in each other's way all the same.
//!
//! Timed by the wall's clock, since waiting for one another is what is looked for.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::by_hand::now_or_wait;
use crate::clock::each;
use crate::measure::{Scale, Workload};
use crate::peer::{Peer, names};

pub(super) fn workloads() -> Vec<Workload> {
    vec![Workload {
        id: "threads",
        what: "two threads, each with 1,024 names of its own, and one thread for comparison",
        measures: &["ns, two threads", "ns, one thread"],
        references: &["FLOOR pair"],
        contenders: [contenders!(threads: FloorOneLine, FloorPair, Striped), every_lock!(threads)]
            .concat(),
    }]
}

fn threads<P: Peer>(scale: &Scale) -> Vec<f64> {
    vec![pairs::<P>(scale, 2), pairs::<P>(scale, 1)]
}

/// So many threads at once: nanoseconds of the wall's clock for each pair of anybody's.
fn pairs<P: Peer>(scale: &Scale, threads: usize) -> f64 {
    const NAMES: usize = 1024;
    let peer = P::new();
    let (ready, stop) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let work = |names: &'static [&'static str]| {
        ready.wait();
        let mut times = 0;
        // The flag says stop and publishes nothing.
        while !stop.load(Ordering::Relaxed) {
            now_or_wait(async {
                for name in names {
                    drop(peer.acquire(name).await);
                }
            });
            times += names.len() as u64;
        }
        times
    };
    let work = &work;
    thread::scope(|scope| {
        let names = names(threads * NAMES).chunks(NAMES);
        let workers: Vec<_> = names.map(|names| scope.spawn(move || work(names))).collect();
        ready.wait();
        let begun = Instant::now();
        thread::sleep(scale.sample);
        stop.store(true, Ordering::Relaxed);
        let times = workers.into_iter().map(|worker| worker.join().expect("nobody panics")).sum();
        each(begun.elapsed(), times)
    })
}
