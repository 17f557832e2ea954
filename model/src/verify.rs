//! Runs what the manifest lists and says whether it came out as expected. `cargo test` and
//! `lockspace verify` both do no more than this.

use std::time::{Duration, Instant};

use crate::cluster;
use crate::defects::{DEFECTS, Defect};
use crate::explorer::Explored;
use crate::machine::Ids;
use crate::manifest::{Explorer, Run};
use crate::progress::{Graph, Stuck};

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What each explorer found and how long it took, in the manifest's order.
    pub found: Vec<(Explorer, Explored, Duration)>,
    /// What stands in the way of progress, if that was checked.
    pub progress: Option<Vec<Stuck>>,
    /// Everything that is not as the manifest says; empty if the run passed.
    pub deviations: Vec<String>,
}

/// Runs `run` over `threads` threads. `progress` is told what has been found as it goes on.
pub fn verify(run: &Run, threads: usize, mut progress: impl FnMut(&Explored)) -> Verified {
    let mut verified = Verified { found: Vec::new(), progress: None, deviations: Vec::new() };
    for explorer in &run.explorers {
        let begun = Instant::now();
        let explored = match explorer {
            Explorer::Packed => run.machine().explore(threads, run.goals(), &mut progress),
            Explorer::Stateright => run.machine().check(run.goals()),
        };
        verified.found.push((*explorer, explored, begun.elapsed()));
        let expected = run.expected();
        if explored != expected {
            let deviation = format!("{explorer:?} found {explored:?}, expected {expected:?}");
            verified.deviations.push(deviation);
        }
    }
    if run.progress {
        let stuck = Graph::of(run.protocol()).stuck();
        verified.deviations.extend(stuck.iter().map(|stuck| format!("{stuck:?}")));
        verified.progress = Some(stuck);
    }
    if let Some(cluster) = run.over_a_store()
        && run.cluster.is_some_and(|bounds| bounds.nothing_is_left)
    {
        let stuck = cluster::graph::Graph::of(cluster).stuck();
        verified.deviations.extend(stuck.iter().map(|stuck| format!("{stuck:?}")));
    }
    verified
}

/// The length of the defect's shortest counterexample.
///
/// # Errors
/// Why the defect is not refuted, or why that would mean nothing.
pub fn refute(defect: &Defect) -> Result<usize, String> {
    let correct = defect.correct().explore(1, Ids::NONE, |_| ());
    if !correct.broken.is_empty() {
        return Err("the correct design fails at the same bounds".into());
    }
    match defect.story() {
        Some(story) => Ok(story.length()),
        None => Err(format!("no counterexample breaks {}", defect.breaks)),
    }
}

/// Every defect with the result of [`refute`].
pub fn refute_all() -> impl Iterator<Item = (&'static Defect, Result<usize, String>)> {
    DEFECTS.iter().map(|defect| (defect, refute(defect)))
}
