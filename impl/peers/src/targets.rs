//! What lockspace aims at, as ratios inside one run. Less is better.

use crate::measure::Samples;

/// A ratio and how large it may be.
pub struct Target {
    /// What is set beside what.
    pub what: &'static str,
    /// The ratio, if the workloads that it needs were run.
    pub measured: fn(&Samples) -> Option<f64>,
    /// The most that it may be.
    pub at_most: f64,
    /// What it would be at best.
    pub aim: Option<f64>,
}

const OURS: &str = "lockspace";

/// lockspace beside a peer in a workload of one measure.
fn beside(samples: &Samples, workload: &'static str, peer: &'static str) -> Option<f64> {
    samples.ratio((workload, 0, OURS), (workload, 0, peer))
}

/// lockspace in one workload beside itself in another.
fn itself(samples: &Samples, this: &'static str, that: &'static str) -> Option<f64> {
    samples.ratio((this, 0, OURS), (that, 0, OURS))
}

/// What many leases that end do to a measure of the latencies of others.
fn ending(samples: &Samples, measure: usize) -> Option<f64> {
    const ID: &str = "leases-ending";
    samples.ratio((ID, measure, "while leases end"), (ID, measure, "quietly"))
}

/// What "flat" may mean in a ratio of times, which is to be trusted to about a tenth.
const FLAT: f64 = 1.1;

const fn target(
    what: &'static str,
    at_most: f64,
    aim: Option<f64>,
    measured: fn(&Samples) -> Option<f64>,
) -> Target {
    Target { what, measured, at_most, aim }
}

/// All of them.
#[must_use]
pub fn targets() -> Vec<Target> {
    const PAIR: &str = "FLOOR pair";
    const MUTEX: &str = "one tokio Mutex";
    const POOL: &str = "lockable";
    vec![
        target("hot ÷ FLOOR pair", 1.5, Some(0.8), |s| beside(s, "hot", PAIR)),
        target("hot, blocking ÷ FLOOR pair", 1.5, Some(0.8), |s| beside(s, "hot-blocking", PAIR)),
        target("hot with a wait timeout ÷ without", 1.1, None, |s| itself(s, "hot-timed", "hot")),
        target("distinct names ÷ FLOOR pair", 1.8, Some(1.2), |s| beside(s, "distinct", PAIR)),
        target("hand-off ÷ one tokio Mutex", 0.75, Some(0.6), |s| beside(s, "hand-off", MUTEX)),
        target("2 tasks ÷ one tokio Mutex", 1.05, None, |s| beside(s, "contended-2", MUTEX)),
        target("10 tasks ÷ one tokio Mutex", 1.05, None, |s| beside(s, "contended-10", MUTEX)),
        target("100 tasks ÷ one tokio Mutex", 1.05, None, |s| beside(s, "contended-100", MUTEX)),
        target("10,000 tasks ÷ one tokio Mutex", 1.05, None, |s| {
            beside(s, "contended-10000", MUTEX)
        }),
        target("100 tasks, no yield ÷ lockable", 0.5, None, |s| {
            beside(s, "contended-no-yield", POOL)
        }),
        target("100 tasks with a wait timeout ÷ without", 1.05, None, |s| {
            itself(s, "contended-timed", "contended-100")
        }),
        target("two threads, disjoint names ÷ lockable", 0.2, Some(0.125), |s| {
            beside(s, "threads", POOL)
        }),
        target("two threads, disjoint names ÷ one thread", 1.0, Some(0.67), |s| {
            s.ratio(("threads", 0, OURS), ("threads", 1, OURS))
        }),
        target("zipf ÷ lockable", 0.4, None, |s| beside(s, "zipf", POOL)),
        target("zipf ÷ 1,024 stripes", 1.2, Some(1.0), |s| beside(s, "zipf", "striped × 1024")),
        target("cancel 1 of 10 ÷ one tokio Mutex", 2.0, Some(1.0), |s| {
            beside(s, "cancel-10", MUTEX)
        }),
        target("cancel 1 of 1,000 ÷ one tokio Mutex", 2.0, Some(1.0), |s| {
            beside(s, "cancel-1000", MUTEX)
        }),
        target("cancel 1 of 100,000 ÷ one tokio Mutex", 2.0, Some(1.0), |s| {
            beside(s, "cancel-100000", MUTEX)
        }),
        target("10,000 waits that time out ÷ one tokio Mutex", 2.0, Some(1.0), |s| {
            beside(s, "time-out", MUTEX)
        }),
        target("ns that arming and disarming a lease adds", 150.0, None, |s| {
            Some(s.median("leases", 0, "lease")? - s.median("leases", 0, "no lease")?)
        }),
        target("99% of latencies while leases end ÷ quietly", FLAT, None, |s| ending(s, 1)),
        target("99.9% of latencies while leases end ÷ quietly", FLAT, None, |s| ending(s, 2)),
        target("99.99% of latencies while leases end ÷ quietly", FLAT, None, |s| ending(s, 3)),
    ]
}
