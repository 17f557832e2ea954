//! What the manifest says is what is found.

use std::collections::HashSet;

use lockspace_model::machine::Ids;
use lockspace_model::manifest::{Explorer, Level, Manifest, Run};
use lockspace_model::verify::verify;
use lockspace_spec::REACHABLE;

#[test]
fn every_quick_run_comes_out_as_the_manifest_says() {
    for run in Manifest::read().up_to(Level::Quick) {
        let verified = verify(run, 2, |_| ());
        assert!(verified.deviations.is_empty(), "{}: {:#?}", run.name, verified.deviations);
    }
}

#[test]
fn a_run_that_deviates_in_any_number_fails() {
    let run = &Manifest::read().run[0];
    let spoiled: [fn(&mut Run); 4] = [
        |run| run.states += 1,
        |run| run.transitions -= 1,
        |run| run.depth += 1,
        |run| run.unreached.clear(),
    ];
    for spoil in spoiled {
        let mut run = run.clone();
        spoil(&mut run);
        assert!(!verify(&run, 1, |_| ()).deviations.is_empty(), "{run:?}");
    }
}

#[test]
fn every_goal_is_shown_by_some_quick_run() {
    let manifest = Manifest::read();
    let shown = manifest.up_to(Level::Quick).fold(Ids::NONE, |shown, run| shown.union(run.goals()));
    let missing = Ids::first(REACHABLE.len()).without(shown);
    assert!(missing.is_empty(), "{:?}", missing.of(&REACHABLE));
}

#[test]
fn names_of_runs_are_unique_and_unreached_goals_exist() {
    let manifest = Manifest::read();
    let names: HashSet<_> = manifest.run.iter().map(|run| &run.name).collect();
    assert_eq!(names.len(), manifest.run.len());
    for run in &manifest.run {
        let known = Ids::named(&REACHABLE, &run.unreached).iter().count();
        assert_eq!(known, run.unreached.len(), "{}", run.name);
    }
}

#[test]
fn the_explorers_agree_on_at_least_six_configurations() {
    let both = |explorers: &[Explorer]| {
        explorers.contains(&Explorer::Packed) && explorers.contains(&Explorer::Stateright)
    };
    let manifest = Manifest::read();
    let agreeing = manifest.up_to(Level::Quick).filter(|run| both(&run.explorers)).count();
    assert!(agreeing >= 6, "only {agreeing}");
}
