//! Rounds: everybody runs every workload once in each, in turns, and what counts is the median of the
//! ratios inside the rounds. So a machine that is slower for a while is slower for everybody.

use std::collections::HashMap;
use std::time::Duration;

use crate::by_hand::now_or_wait;
use crate::clock::{Others, each, thread_time};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// How long a sample of something that repeats takes.
    pub sample: Duration,
    /// How many names "very many" are.
    pub names: usize,
    /// How often everybody has a turn.
    pub rounds: usize,
}

impl Scale {
    /// What the documents tell: minutes.
    pub const FULL: Self = Self { sample: Duration::from_millis(150), names: 1_000_000, rounds: 7 };
    /// A first look: a minute.
    pub const QUICK: Self = Self { sample: Duration::from_millis(30), names: 100_000, rounds: 3 };
}

/// A peer that runs a workload, for which it is given something: how much is to be measured, at least.
#[derive(Clone, Copy)]
pub struct Contender<Given = Scale> {
    /// Its name.
    pub peer: &'static str,
    /// One sample: a number for each of the workload's measures, less being better.
    pub run: fn(&Given) -> Vec<f64>,
}

/// Something to do, and who does it.
pub struct Workload<Given = Scale> {
    /// What it is called on the command line.
    pub id: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// What a sample measures.
    pub measures: &'static [&'static str],
    /// Besides whom everybody is set beside.
    pub references: &'static [&'static str],
    /// Who takes part.
    pub contenders: Vec<Contender<Given>>,
}

/// Every sample of a run.
#[derive(Default)]
pub struct Samples {
    /// By workload, measure and peer: one number for each round.
    numbers: HashMap<(&'static str, usize, &'static str), Vec<f64>>,
    /// By workload: the share of the machine that others used, one for each round.
    others: HashMap<&'static str, Vec<f64>>,
}

impl Samples {
    /// Runs the workloads, so many times. `progress` is told before each sample.
    pub fn take<Given>(
        workloads: &[Workload<Given>],
        given: &Given,
        rounds: usize,
        mut progress: impl FnMut(usize, &Workload<Given>, &Contender<Given>),
    ) -> Self {
        let mut samples = Self::default();
        for round in 0..rounds {
            for workload in workloads {
                let others = Others::watch();
                let count = workload.contenders.len();
                for turn in 0..count {
                    let contender = &workload.contenders[(round + turn) % count];
                    progress(round, workload, contender);
                    let taken = (contender.run)(given);
                    assert_eq!(taken.len(), workload.measures.len(), "{}", workload.id);
                    for (measure, number) in taken.into_iter().enumerate() {
                        let key = (workload.id, measure, contender.peer);
                        samples.numbers.entry(key).or_default().push(number);
                    }
                }
                samples.others.entry(workload.id).or_default().push(others.share());
            }
        }
        samples
    }

    fn of(&self, workload: &'static str, measure: usize, peer: &'static str) -> &[f64] {
        self.numbers.get(&(workload, measure, peer)).map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds; `None` if it was not measured.
    #[must_use]
    pub fn median(
        &self,
        workload: &'static str,
        measure: usize,
        peer: &'static str,
    ) -> Option<f64> {
        median(self.of(workload, measure, peer).to_vec())
    }

    /// How far apart the rounds are: the largest less the smallest, in parts of the median.
    #[must_use]
    pub fn spread(
        &self,
        workload: &'static str,
        measure: usize,
        peer: &'static str,
    ) -> Option<f64> {
        let numbers = self.of(workload, measure, peer);
        let largest = numbers.iter().copied().reduce(f64::max)?;
        let smallest = numbers.iter().copied().reduce(f64::min)?;
        median(numbers.to_vec()).map(|median| (largest - smallest) / median)
    }

    /// The median of the ratios of two numbers of the same round. Each is a workload, a measure and a
    /// peer.
    #[must_use]
    pub fn ratio(
        &self,
        this: (&'static str, usize, &'static str),
        that: (&'static str, usize, &'static str),
    ) -> Option<f64> {
        let of = |(workload, measure, peer)| self.of(workload, measure, peer);
        median(of(this).iter().zip(of(that)).map(|(this, that)| this / that).collect())
    }

    /// The median share of the machine that others used while a workload ran.
    #[must_use]
    pub fn others(&self, workload: &'static str) -> Option<f64> {
        median(self.others.get(workload)?.clone())
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        count if count % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}

/// How often something is repeated between two looks at the clock, which is a system call.
const BATCH: u64 = 1024;

/// Repeats `operation` on this thread for as long as a sample takes: nanoseconds of its processor time
/// for each.
pub fn repeat(scale: &Scale, mut operation: impl FnMut()) -> f64 {
    for _ in 0..BATCH {
        operation();
    }
    let begun = thread_time();
    let mut times = 0;
    loop {
        for _ in 0..BATCH {
            operation();
        }
        times += BATCH;
        let took = thread_time() - begun;
        if took >= scale.sample {
            return each(took, times);
        }
    }
}

/// The same for what is awaited: one future, polled by hand, that does it again and again.
pub fn repeat_async(scale: &Scale, mut operation: impl AsyncFnMut()) -> f64 {
    now_or_wait(async {
        let mut begun = thread_time();
        let mut times = 0;
        loop {
            for _ in 0..BATCH {
                operation().await;
            }
            // The first ones are not counted.
            if times == 0 {
                begun = thread_time();
            }
            times += BATCH;
            let took = thread_time() - begun;
            if took >= scale.sample {
                return each(took, times - BATCH);
            }
        }
    })
}

/// Does something once that is done for so many: nanoseconds of this thread's processor time for each.
pub fn once(many: usize, work: impl FnOnce()) -> f64 {
    let begun = thread_time();
    work();
    each(thread_time() - begun, many as u64)
}

#[cfg(test)]
mod tests {
    use super::{Samples, median};

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn a_ratio_is_taken_inside_each_round() {
        let mut samples = Samples::default();
        samples.numbers.insert(("hot", 0, "a"), vec![10.0, 20.0, 90.0]);
        samples.numbers.insert(("hot", 0, "b"), vec![20.0, 40.0, 30.0]);
        assert_eq!(samples.ratio(("hot", 0, "a"), ("hot", 0, "b")), Some(0.5));
        assert_eq!(samples.ratio(("hot", 0, "a"), ("hot", 0, "c")), None);
    }
}
