//! Leases, which no peer has: lockspace beside itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockspace::LockSpace;

use crate::by_hand::runtime;
use crate::measure::{Contender, Scale, Workload, once};
use crate::peer::names;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            id: "leases",
            what: "one name, acquired and released again and again in a task, with and without a lease",
            measures: &["ns"],
            references: &["no lease"],
            contenders: vec![
                Contender { peer: "no lease", run: |scale| leased(scale, None, false) },
                Contender { peer: "lease", run: |scale| leased(scale, Some(HOUR), true) },
                Contender { peer: "the only lease", run: |scale| leased(scale, Some(HOUR), false) },
            ],
        },
        Workload {
            id: "leases-ending",
            what: "how long a thread's acquires and releases take, quietly and while very many leases of \
                   other names end within one second, and how long it takes until all have ended",
            measures: &["median ns", "99% ns", "99.9% ns", "99.99% ns", "longest ns", "seconds"],
            references: &["quietly"],
            contenders: vec![
                Contender { peer: "quietly", run: |scale| latencies(scale, false) },
                Contender { peer: "while leases end", run: |scale| latencies(scale, true) },
            ],
        },
    ]
}

/// In a task, so that the reaper runs beside it. With `another`, another name's lease is armed all the time.
fn leased(scale: &Scale, lease: Option<Duration>, another: bool) -> Vec<f64> {
    let (space, names) = (LockSpace::new(), names(2));
    let times = scale.sample.as_micros() as usize * 4;
    let work = || {
        runtime(0).block_on(async {
            let other = match another {
                true => Some(space.acquire(names[1]).lease(HOUR).await),
                false => None,
            };
            for _ in 0..times {
                let request = space.acquire(names[0]);
                let request = match lease {
                    Some(lease) => request.lease(lease),
                    None => request,
                };
                drop(request.await.expect("nothing refuses"));
            }
            drop(other);
        });
    };
    vec![once(times, work)]
}

/// The latencies of one thread's pairs while leases end, or while they are only armed.
fn latencies(scale: &Scale, ending: bool) -> Vec<f64> {
    const SECOND: Duration = Duration::from_secs(1);
    let (space, runtime) = (LockSpace::new(), runtime(1));
    let (own, leased) = names(scale.names).split_at(scale.names / 100);
    // Long enough to arm all of them before the first ends, on a busy machine too.
    let first_end = Duration::from_micros(5 * leased.len() as u64) + SECOND;
    let begun = Instant::now();
    let after = |at: usize| match ending {
        true => first_end + SECOND * at as u32 / leased.len() as u32 - begun.elapsed(),
        false => HOUR,
    };
    let _entered = runtime.enter();
    let lease = |(at, name): (usize, &&'static str)| {
        space.acquire(name).lease(after(at)).try_now().expect("nothing refuses")
    };
    let guards: Vec<_> = leased.iter().enumerate().map(lease).collect();
    let from = if ending { begun + first_end } else { Instant::now() };
    sleep_until(from);
    let stop = AtomicBool::new(false);
    let mut taken = Vec::with_capacity(1 << 25);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for name in own {
                    let begun = Instant::now();
                    drop(space.blocking_acquire(name));
                    taken.push(begun.elapsed().as_nanos() as u32);
                }
            }
        });
        sleep_until(from + SECOND);
        while ending && guards.last().is_some_and(|last| !last.is_lost()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().expect("nobody panics");
    });
    let took = from.elapsed().as_secs_f64();
    taken.sort_unstable();
    let at = |part: f64| f64::from(taken[((taken.len() - 1) as f64 * part) as usize]);
    vec![at(0.5), at(0.99), at(0.999), at(0.9999), at(1.0), took]
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}
