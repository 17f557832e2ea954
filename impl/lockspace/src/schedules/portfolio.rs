//! Who decides which task runs next: a portfolio of schedulers, since what one of them hardly ever meets
//! another one meets within seconds. And how many schedules each of them chooses, which is counted.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lockspace_history::{Budget, judge, judge_by_witness};
use shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler,
    UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, MaxSteps, Runner};

use super::place::{Judge, Place};

/// A way to choose schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheduler {
    /// At every step any task that can run.
    Random,
    /// The first task of a random order that can run; the order changes at random moments, one fewer
    /// than this. So there are few preemptions, and they are anywhere.
    Pct(usize),
    /// Every schedule, one after the other.
    Exhaustive,
    /// As `Random`, each schedule twice: the same must happen again, or none could be replayed.
    Twice,
}

use Scheduler::{Exhaustive, Pct, Random, Twice};

/// What explores every scenario.
pub(super) const PORTFOLIO: [Scheduler; 3] = [Random, Pct(2), Pct(3)];

/// How many schedules of each scenario are run twice.
const TWICE: usize = 100;

/// Where chance begins, unless `SHUTTLE_RANDOM_SEED` says otherwise.
const SEED: u64 = 1;

/// More steps than an execution has, unless it is caught in a loop.
const STEPS: usize = 100_000;

impl Scheduler {
    /// Runs `execution` under so many schedules, or as many as there are.
    pub(super) fn run(self, most: usize, execution: impl Fn() + Send + Sync + 'static) {
        let random = |most| RandomScheduler::new_from_seed(SEED, most);
        match self {
            Random => run(random(most), execution),
            Pct(depth) => run(PctScheduler::new_from_seed(SEED, depth, most), execution),
            Exhaustive => run(DfsScheduler::new(Some(most), false), execution),
            Twice => {
                let most = most / 2;
                run(UncontrolledNondeterminismCheckScheduler::new(random(most)), execution);
            }
        }
    }
}

fn run(
    scheduler: impl shuttle::scheduler::Scheduler + 'static,
    execution: impl Fn() + Send + Sync + 'static,
) {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(execution);
}

/// How thoroughly a scenario is explored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedules {
    /// So many for each scheduler of the portfolio.
    each: usize,
    /// And all there are, which are fewer than this.
    all: Option<usize>,
    judge: Judge,
}

/// For two or three tasks. Everything that they were told is judged by all that the specification says.
pub(super) const FEW: Schedules =
    Schedules { each: 12_000, all: None, judge: |history| judge(history, Budget::default()) };

/// For sixteen tasks. Of what so many do at once there are too many orders to try: tokens and tickets say
/// which it was.
pub(super) const CROWD: Schedules = Schedules { each: 2_000, all: None, judge: judge_by_witness };

impl Schedules {
    /// Also every schedule that there is. That takes two tasks and few steps.
    pub(super) fn and_all(self, fewer_than: usize) -> Self {
        Self { all: Some(fewer_than), ..self }
    }

    /// Compares what comes out of `scenario` with what should: all of `outcomes` and no others.
    pub(super) fn explore<O: Ord + Copy + Debug + Send + 'static>(
        self,
        outcomes: &[O],
        scenario: impl AsyncFn(&Place) -> O + Send + Sync + 'static,
    ) {
        let Some(seen) = self.outcomes(scenario) else { return };
        let seen = BTreeSet::from_iter(seen);
        println!("outcomes {seen:?}");
        assert_eq!(
            seen,
            outcomes.iter().copied().collect(),
            "the outcomes that were seen, and those to be seen"
        );
    }

    /// Runs `scenario` in a place of its own under every schedule, and checks that it leaves nothing
    /// behind. Answers what came out of each; `None` if it only ran the one of `LOCKSPACE_SCHEDULE`.
    pub(super) fn outcomes<O: Send + 'static>(
        self,
        scenario: impl AsyncFn(&Place) -> O + Send + Sync + 'static,
    ) -> Option<Vec<O>> {
        // What shuttle does not know: it remembers from one execution to the next.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let execution = Arc::new(execution(scenario, self.judge, Arc::clone(&seen)));
        if let Ok(schedule) = env::var("LOCKSPACE_SCHEDULE") {
            let schedule = schedule.split_whitespace().collect::<String>();
            println!("replaying the schedule {schedule}");
            run(ReplayScheduler::new_from_encoded(&schedule), move || execution());
            return None;
        }
        let explore = |scheduler: Scheduler, most| {
            let before = seen.lock().expect("no execution failed").len();
            print!("{scheduler:?}: ");
            let execution = Arc::clone(&execution);
            scheduler.run(most, move || execution());
            let schedules = seen.lock().expect("no execution failed").len() - before;
            println!("{schedules} schedules");
            schedules
        };
        assert_eq!(explore(Twice, TWICE), TWICE);
        for scheduler in PORTFOLIO {
            let each = self.each * factor();
            assert_eq!(explore(scheduler, each), each, "a scheduler has ended early");
        }
        if let Some(bound) = self.all {
            assert!(explore(Exhaustive, bound) < bound, "there are more schedules than that");
        }
        let seen = std::mem::take(&mut *seen.lock().expect("no execution failed"));
        println!("{} schedules", seen.len());
        Some(seen)
    }
}

fn execution<O>(
    scenario: impl AsyncFn(&Place) -> O,
    judge: Judge,
    seen: Arc<Mutex<Vec<O>>>,
) -> impl Fn() {
    move || {
        let outcome = shuttle::future::block_on(async {
            let place = Place::new();
            let outcome = scenario(&place).await;
            place.check_that_nothing_is_left(judge).await;
            outcome
        });
        seen.lock().expect("no execution failed").push(outcome);
    }
}

/// `LOCKSPACE_SCHEDULES`: so many times as many schedules as usual.
fn factor() -> usize {
    let factor = env::var("LOCKSPACE_SCHEDULES");
    factor.map_or(1, |factor| factor.parse().expect("LOCKSPACE_SCHEDULES is a number"))
}
