//! Every edge of the protocol's state graph, driven through the real lockspace.
//!
//! The graph is the model's: all states of some clients and names and all actions in each. Each state is
//! reached by a shortest path of real moves, each action is taken as a real move, and after every move
//! the judge compares what is told, who is woken and all that is to be seen. What the oracle samples is
//! exhausted here, within the bounds.
//!
//! Some edges ask for nothing: a timer that is not armed does not elapse, and who is idle has no future
//! to drop. There the real lockspace must have no such timer and no such future, which is what is
//! compared after the move before; they are counted apart.
//!
//! Where requests have owners, an acquire that would close a cycle must be turned away, and no other one.
//!
//! `LOCKSPACE_REPLAY=protocol-4x2` drives a larger graph than the usual ones, of 4 clients.

mod graph;
mod route;

use std::sync::atomic::{AtomicUsize, Ordering};

use lockspace_model::manifest::{Manifest, Run};
use lockspace_model::owners::Owners;
use lockspace_tests::{
    Disagreement, InProcess, Judge, Move, OverStore, Setup, Subject, timer_by_timer,
};

use graph::{Graph, Replayed};
use route::{Count, Route};

/// Makes a move of a judgement in its way.
type Step<S> = fn(&mut Judge<S>, &Move) -> Result<(), Disagreement>;

/// Drives every edge of the run called `name`. Answers how many it drove.
fn replay<S: Subject>(name: &str, make: fn(&Setup) -> S, step: Step<S>) -> Count {
    let manifest = Manifest::read();
    let run = manifest.run.iter().find(|run| run.name == name).expect("it is in the manifest");
    match run.requests {
        None => replay_all(run, run.protocol(), make, step),
        Some(requests) => replay_all(run, Owners::new(run.protocol(), requests), make, step),
    }
}

/// Over two threads.
fn replay_all<S: Subject>(
    run: &Run,
    machine: impl Replayed,
    make: fn(&Setup) -> S,
    step: Step<S>,
) -> Count {
    let graph = Graph::of(machine);
    let claimed = AtomicUsize::new(0);
    let work = || {
        let mut count = Count::default();
        // Each thread claims the next state; the counter orders nothing else.
        while let Some(state) = graph.states.get(claimed.fetch_add(1, Ordering::Relaxed)) {
            for route in Route::through(&graph, state) {
                count.add(&drive(&route, make, step));
            }
        }
        count
    };
    let mut count = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let [total, other] = &mut count;
    total.add(other);
    println!("{}: {} states, {total}", run.name, graph.states.len());
    assert_eq!(graph.states.len() as u64, run.states);
    assert_eq!((total.driven + total.idle) as u64, run.transitions, "every edge, and each once");
    *total
}

/// Makes the moves of a route on a lockspace of its own, and judges each.
fn drive<S: Subject>(route: &Route, make: fn(&Setup) -> S, step: Step<S>) -> Count {
    let setup = Setup { detect_deadlocks: route.owners, ..Setup::default() };
    let mut judge = Judge::new(&setup, make(&setup));
    for stage in &route.stages {
        for what in &stage.moves {
            if let Err(story) = step(&mut judge, what) {
                panic!("{story}\n\non the way of {:?}", route.actions());
            }
        }
        assert!(stage.is_reached_by(judge.spec()), "{:?} leads elsewhere", route.actions());
    }
    if let Err(story) = judge.wind_up() {
        panic!("{story}\n\nafter {:?}", route.actions());
    }
    route.count
}

/// What is replayed, and how many of its edges are driven and how many ask for nothing. A change of these
/// numbers is a change of what is driven.
const PINNED: [(&str, usize, usize); 3] = [
    ("protocol-3x2", 12_788, 3_856),
    ("owners-2x2", 21_144, 5_988),
    ("protocol-4x2", 246_536, 76_772),
];

fn replay_pinned(wanted: &str) {
    let pinned = PINNED.iter().find(|(name, ..)| *name == wanted).expect("it can be replayed");
    let count = replay(pinned.0, InProcess::new, Judge::step);
    assert_eq!((count.driven, count.idle), (pinned.1, pinned.2));
}

#[test]
fn every_edge_of_the_model_is_an_edge_of_a_lockspace_over_a_store() {
    let pinned = PINNED[0];
    let count = replay(pinned.0, OverStore::new, timer_by_timer);
    assert_eq!((count.driven, count.idle), (pinned.1, pinned.2));
}

#[test]
fn every_edge_of_the_model_is_an_edge_of_the_real_lockspace() {
    replay_pinned(&std::env::var("LOCKSPACE_REPLAY").unwrap_or_else(|_| PINNED[0].0.into()));
}

#[test]
fn whoever_the_model_turns_away_is_turned_away() {
    replay_pinned(PINNED[1].0);
}
