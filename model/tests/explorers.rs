//! Both explorers run the same machine and must not differ; each must notice what is wrong.

use lockspace_model::breakable::breaking;
use lockspace_model::checker::check;
use lockspace_model::defects::DEFECTS;
use lockspace_model::explorer::explore;
use lockspace_model::machine::Ids;
use lockspace_model::protocol::{Protocol, Symmetry};
use lockspace_spec::REACHABLE;

fn everything() -> Ids {
    Ids::first(REACHABLE.len())
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let protocol = Protocol::new(4, 2, Symmetry::None);
    let alone = explore(&protocol, 1, everything(), |_| ());
    for threads in [2, 3, 8] {
        assert_eq!(explore(&protocol, threads, everything(), |_| ()), alone);
    }
}

#[test]
fn progress_is_reported_for_every_level_and_ends_with_all_transitions() {
    let mut levels = Vec::new();
    let found = explore(&Protocol::new(3, 1, Symmetry::None), 2, Ids::NONE, |level| {
        levels.push(*level);
    });
    assert!(levels.last().is_some_and(|last| last.transitions == found.transitions));
    assert!(levels.is_sorted_by_key(|level| (level.depth, level.states)));
    assert_eq!(levels.len(), found.depth as usize + 1);
}

#[test]
fn both_explorers_refute_every_defect() {
    for defect in &DEFECTS {
        let said = breaking(defect.breaks);
        let packed = defect.machine().explore(2, Ids::NONE, |_| ());
        assert!(said.without(packed.broken).is_empty(), "{}", defect.name);
        let stateright = defect.machine().check(Ids::NONE);
        assert!(said.without(stateright.broken).is_empty(), "{}", defect.name);
    }
}

#[test]
fn the_depth_of_a_violation_is_the_length_of_its_shortest_counterexample() {
    for defect in &DEFECTS {
        let found = defect.machine().explore(2, Ids::NONE, |_| ());
        let length = defect.story().map(|story| story.length() as u32);
        assert_eq!(length, Some(found.depth), "{}", defect.name);
    }
}

#[test]
fn a_goal_that_no_transition_shows_is_not_claimed() {
    // Two clients: nobody can wait behind another waiter.
    let wanted = Ids::named(&REACHABLE, &["R2", "R3"]);
    let expected = Ids::named(&REACHABLE, &["R2"]);
    let protocol = Protocol::new(2, 1, Symmetry::None);
    assert_eq!(explore(&protocol, 1, wanted, |_| ()).shown, expected);
    assert_eq!(check(protocol, wanted).shown, expected);
}
