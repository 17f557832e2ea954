//! What the manifest says is what is found.

use std::collections::HashSet;

use lockspace_model::machine::Ids;
use lockspace_model::manifest::{Explorer, Level, Manifest, Run};
use lockspace_model::verify::verify;
use lockspace_spec::REACHABLE;
use proptest::prelude::{any, proptest};

const TEXT: &str = include_str!("../manifest.toml");

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

#[test]
fn a_manifest_that_cannot_be_is_an_error_that_says_why() {
    let with = |line: &str| {
        let (first, _) =
            TEXT.split_once("\n[[run]]\nname = \"protocol-3x1\"").expect("it is there");
        Manifest::parse(&format!("{first}\n{line}\n")).expect_err(line)
    };
    for (line, says) in [
        ("shards = 0", "at least one shard"),
        ("untimed = true", "only an engine"),
        ("requests = 0", "at least one request"),
        ("requests = 3", "as many requests"),
        ("colour = 1", "unknown field"),
        ("states = 1", "duplicate key"),
        ("grants = -1", "invalid value"),
    ] {
        let error = with(line);
        assert!(error.contains(says), "{line}: {error}");
    }
    assert!(Manifest::parse("run = 1").is_err());
}

/// Reads; of what can be read everything can be told.
fn read(text: &str) {
    for run in Manifest::parse(text).iter().flat_map(|manifest| &manifest.run) {
        let _ = (run.bounds(), run.expected(), run.collision());
    }
}

proptest! {
    #[test]
    fn any_text_is_a_manifest_or_an_error(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn a_manifest_with_a_spoiled_place_is_one_or_an_error(
        at in any::<proptest::sample::Index>(),
        gone in 0..40_usize,
        new in "[a-z0-9_=\"\\[\\]\\n -]{0,20}",
    ) {
        let mut text: Vec<char> = TEXT.chars().collect();
        let begin = at.index(text.len());
        let end = text.len().min(begin + gone);
        text.splice(begin..end, new.chars());
        read(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_manifest_with_another_number_is_one_or_an_error(
        at in any::<proptest::sample::Index>(),
        number in any::<i128>(),
    ) {
        let numbers: Vec<_> = TEXT.match_indices(" = ").map(|(at, _)| at + 3).collect();
        let begin = numbers[at.index(numbers.len())];
        let end = TEXT[begin..].find('\n').map_or(TEXT.len(), |line| begin + line);
        read(&format!("{}{number}{}", &TEXT[..begin], &TEXT[end..]));
    }
}
