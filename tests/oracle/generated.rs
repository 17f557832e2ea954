//! Generated sequences.

use std::collections::BTreeSet;

use lockspace_spec::REACHABLE;
use lockspace_tests::{InProcess, Judge};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::plan::{Plan, plans};

/// How many wishes a sequence has at most.
const WISHES: usize = 80;

/// How many sequences are tried, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 1_500;

#[test]
fn the_lockspace_does_what_the_specification_says() {
    let default = Config::default();
    let config = Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { CASES },
        failure_persistence: None,
        ..default
    };
    let judged = TestRunner::new(config)
        .run(&plans(WISHES), |plan| judge(&plan).map(drop).map_err(TestCaseError::fail));
    match judged {
        Ok(()) => {}
        Err(TestError::Fail(story, plan)) => panic!("{story}\n\nfor `regressions`: {plan:?}"),
        Err(TestError::Abort(reason)) => panic!("the search was given up: {reason}"),
    }
}

#[test]
fn every_kind_of_answer_and_every_race_is_met() {
    // R20 and R21 are timers that elapse too late. The lockspace disarms a timer with what it is for, so
    // none ever does; the interleavings in which one is about to are the business of loom.
    let beyond_reach = BTreeSet::from(["R20", "R21"]);
    let all = REACHABLE.iter().map(|property| property.id);
    let wanted: BTreeSet<_> = all.filter(|id| !beyond_reach.contains(id)).collect();
    let mut met = BTreeSet::new();
    for plan in the_same_plans_every_time(400) {
        met.extend(judge(&plan).unwrap_or_else(|story| panic!("{story}")));
    }
    assert_eq!(met, wanted, "what is never met is never tested");
}

/// Judges the lockspace by a plan; answers what was reached, or the story of what went wrong.
pub(crate) fn judge(plan: &Plan) -> Result<BTreeSet<&'static str>, String> {
    let mut judge = Judge::new(&plan.setup, InProcess::new(&plan.setup));
    plan.judge(&mut judge).map_err(|story| story.to_string())?;
    let reached = judge.reached().clone();
    match judge.into_subject().tasks_left_when_dropped() {
        0 => Ok(reached),
        tasks => Err(format!("{tasks} tasks outlived the last handle")),
    }
}

/// Plans from a fixed seed, for what must not depend upon luck.
pub(crate) fn the_same_plans_every_time(count: usize) -> impl Iterator<Item = Plan> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = plans(WISHES);
    (0..count).map(move |_| {
        let tree = strategy.new_tree(&mut runner);
        tree.expect("no plan is ever rejected").current()
    })
}
