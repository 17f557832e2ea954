//! The real lockspace, many times over.

use std::time::Instant;

use lockspace_history::{Budget, History, Summary, Verdict, judge};

use crate::busy::{Busy, record, seed};

const BUSY: Busy =
    Busy { names: 3, tasks: 6, threads: 4, rounds: 150, shutdown_after: None, limits: None };

/// Judges by everything, and keeps a history that is not accepted.
fn expect_accepted(history: &History) -> Summary {
    match judge(history, Budget::default()) {
        Verdict::Accepted(summary) => summary,
        verdict => {
            let file = std::env::temp_dir().join("lockspace-history.ndjson");
            std::fs::write(&file, history.to_string()).expect("the history can be kept");
            panic!("{verdict:?}\nkept as {}", file.display());
        }
    }
}

fn judge_runs(runs: u32, busy: Busy) {
    let begun = Instant::now();
    let mut total = Summary::default();
    for _ in 0..runs {
        let summary = expect_accepted(&record(busy, seed()));
        total.events += summary.events;
        total.grants += summary.grants;
        total.queued += summary.queued;
        total.configurations += summary.configurations;
    }
    println!("{runs} histories accepted in {:?}: {total:?}", begun.elapsed());
    assert!(total.grants > 0, "nothing was granted: nothing was judged");
}

#[test]
fn tasks_and_threads_in_the_same_queues_are_accepted() {
    judge_runs(20, BUSY);
}

#[test]
fn one_name_that_everybody_wants_is_accepted() {
    judge_runs(10, Busy { names: 1, ..BUSY });
}

#[test]
fn a_shutdown_in_the_middle_is_accepted() {
    judge_runs(20, Busy { shutdown_after: Some(100), ..BUSY });
}

#[test]
fn limits_that_are_reached_are_accepted() {
    judge_runs(10, Busy { names: 6, limits: Some((3, 2)), ..BUSY });
}
