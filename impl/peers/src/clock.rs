//! Three clocks: the wall's, a thread's own, and how much of the machine others used meanwhile.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The processor time of the calling thread. Being descheduled does not count, so what other programs do
/// at the same time matters little.
#[must_use]
pub fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Nanoseconds for each of `times`.
#[must_use]
pub fn each(took: Duration, times: u64) -> f64 {
    took.as_nanos() as f64 / times as f64
}

/// Watches what share of the machine goes to other programs.
pub struct Others {
    begun: Instant,
    busy: Duration,
    own: Duration,
}

impl Others {
    /// From now on.
    #[must_use]
    pub fn watch() -> Self {
        Self { begun: Instant::now(), busy: busy(), own: read(ClockId::ProcessCPUTime) }
    }

    /// Their share since then, between 0 and 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let own = read(ClockId::ProcessCPUTime) - self.own;
        let others = (busy() - self.busy).saturating_sub(own);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        others.as_secs_f64() / (self.begun.elapsed().as_secs_f64() * cores as f64)
    }
}

/// The time that all processors were busy since the machine started; zero where the system does not say.
fn busy() -> Duration {
    /// What Linux counts in: hundredths of a second, whatever its own clock.
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; steal is the host's.
    let ticks = first.split_whitespace().skip(1).map(|word| word.parse::<u32>().unwrap_or(0));
    let ticks: Vec<u32> = ticks.take(8).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    TICK * [0, 1, 2, 5, 6, 7].into_iter().map(at).sum()
}
