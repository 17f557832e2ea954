//! Kept histories. Whoever is rejected says in its file's name what it breaks: `s1-two-holders` breaks S1,
//! and the `none-` ones give an answer that no property forbids, and that the specification does not give.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use lockspace_history::{Budget, History, Rejection, Verdict, judge};

use crate::folder;

pub(crate) fn histories(which: &str) -> BTreeMap<String, History> {
    let files = fs::read_dir(folder().join(which)).expect("the fixtures are there");
    let read = |path: PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read(&path).expect("a fixture can be read");
        let history = History::read(&*text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, history)
    };
    files.map(|file| read(file.expect("a fixture can be read").path())).collect()
}

fn rejection(history: &History) -> Option<Rejection> {
    match judge(history, Budget::default()) {
        Verdict::Rejected(rejection) => Some(*rejection),
        Verdict::Accepted(_) => None,
        Verdict::Undecided(undecided) => panic!("{undecided:?}"),
    }
}

#[test]
fn what_could_have_happened_is_accepted() {
    let histories = histories("accepted");
    assert!(histories.len() >= 14, "the fixtures are there");
    for (name, history) in histories {
        assert_eq!(rejection(&history), None, "{name}");
    }
}

#[test]
fn every_beginning_of_what_could_have_happened_is_accepted() {
    for (name, history) in histories("accepted") {
        let events = history.events();
        for end in 0..events.len() {
            let beginning = History::new(history.header(), events[..end].to_vec());
            let beginning = beginning.expect("a beginning is a history");
            assert_eq!(rejection(&beginning), None, "{name}, {end} events");
        }
    }
}

#[test]
fn what_could_not_have_happened_is_rejected_for_its_reason() {
    let histories = histories("rejected");
    assert!(histories.len() >= 25, "the fixtures are there");
    for (name, history) in histories {
        let expected = name.split('-').next().expect("a name has a beginning").to_uppercase();
        let expected = (expected != "NONE").then_some(expected);
        let found = rejection(&history).unwrap_or_else(|| panic!("{name} is accepted"));
        println!("{name}: {found}");
        assert_eq!(found.property, expected.as_deref(), "{name}: {found}");
    }
}

#[test]
fn the_longest_legal_beginning_of_a_rejected_history_is_legal_and_one_event_more_is_not() {
    for (name, history) in histories("rejected") {
        let legal = rejection(&history).map_or(0, |rejection| rejection.legal_prefix);
        let beginning = |events: usize| {
            History::new(history.header(), history.events()[..events].to_vec()).expect("a history")
        };
        assert_eq!(rejection(&beginning(legal)), None, "{name}");
        assert!(rejection(&beginning(legal + 1)).is_some(), "{name}");
    }
}

#[test]
fn a_history_that_is_written_and_read_again_is_the_same() {
    for (name, history) in histories("accepted").into_iter().chain(histories("rejected")) {
        let again = History::read(history.to_string().as_bytes()).expect("it is a history");
        assert_eq!(again.events(), history.events(), "{name}");
        assert_eq!(again.header(), history.header(), "{name}");
    }
}

#[test]
fn a_spent_budget_is_no_verdict() {
    let histories = histories("accepted");
    let history = &histories["timed-out-unseen-before-cancel"];
    let verdict = judge(history, Budget { configurations: 1 });
    assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
}
