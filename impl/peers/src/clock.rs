//! Three clocks: the wall's, a thread's own, and how much of the machine others used meanwhile: programs that
//! this one has not started.

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
        Self { begun: Instant::now(), busy: busy(), own: own() }
    }

    /// Their share since then, between 0 and 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let own = own().saturating_sub(self.own);
        let others = (busy() - self.busy).saturating_sub(own);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        others.as_secs_f64() / (self.begun.elapsed().as_secs_f64() * cores as f64)
    }
}

/// What Linux counts processor time in: hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// The processor time of this process and of those below it, such as a server that it has started.
fn own() -> Duration {
    read(ClockId::ProcessCPUTime) + TICK * below(std::process::id(), &processes())
}

/// A process and its parent, its time in ticks, and that of its children that have ended.
type Process = (u32, u32, u32, u32);

fn processes() -> Vec<Process> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats =
        folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("stat")).ok());
    stats.filter_map(|stat| process(&stat)).collect()
}

fn process(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(' ')?;
    // The program's name stands in parentheses and may contain anything.
    let words: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| words.get(index)?.parse::<u32>().ok();
    let (own, ended) = (number(11)? + number(12)?, number(13)? + number(14)?);
    Some((id.parse().ok()?, number(1)?, own, ended))
}

/// The ticks of all that descend from a process.
fn below(id: u32, processes: &[Process]) -> u32 {
    let ended: u32 = processes.iter().filter(|(own, ..)| *own == id).map(|process| process.3).sum();
    let children = processes.iter().filter(|(_, parent, ..)| *parent == id);
    children.map(|(child, _, own, _)| own + below(*child, processes)).sum::<u32>() + ended
}

/// The time that all processors were busy since the machine started; zero where the system does not say.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; steal is the host's.
    let ticks = first.split_whitespace().skip(1).map(|word| word.parse::<u32>().unwrap_or(0));
    let ticks: Vec<u32> = ticks.take(8).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    TICK * [0, 1, 2, 5, 6, 7].into_iter().map(at).sum()
}

#[cfg(test)]
mod tests {
    use super::{below, process};

    #[test]
    fn the_time_of_children_and_grandchildren_counts() {
        let stat = |id: u32, parent: u32| {
            process(&format!("{id} (a b) c) S {parent} 1 1 0 -1 0 0 0 0 0 5 2 1 0 20 0")).unwrap()
        };
        let all = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 9)];
        assert_eq!(all[1], (2, 1, 7, 1));
        // What has ended below each of the three, and what the two below the first have done themselves.
        assert_eq!(below(1, &all), 3 + 14);
    }
}
