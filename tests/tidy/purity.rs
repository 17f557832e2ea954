//! Purity: what a file or package must not name, so that a reader knows where to look.

use crate::assert_none;
use crate::source::{File, file, files, shipping};

/// Who shares memory between threads. A word with a cfg in it is not one of these.
const SHARING: [&str; 6] =
    ["std::sync", "core::sync", "crossbeam", "loom", "shuttle", "parking_lot"];

/// Who reads time.
const TIME: [&str; 3] = ["Instant::now", "SystemTime", ".elapsed()"];

/// Who runs something later or elsewhere.
const TASKS: [&str; 8] = [
    "tokio::spawn",
    "tokio::task",
    "tokio::runtime",
    "tokio::signal",
    "tokio::time::sleep",
    "tokio::time::timeout",
    "spawn_blocking",
    "std::thread::",
];

/// The words of the specification, which shipping code shares. Everything else in it is logic.
const WORDS: [&str; 12] = [
    "FencingToken",
    "Grace",
    "Lease",
    "Loss",
    "Name",
    "Phase",
    "Refusal",
    "RequestId",
    "history",
    "Timer",
    "Wait",
    "vocab",
];

/// No line of code names any of `words`.
fn names_any(file: &File, words: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in file.code() {
        let line = line.replace("lockspace_loom", "").replace("lockspace_shuttle", "");
        for word in words.iter().filter(|word| line.contains(**word)) {
            complaints.push(format!("{}:{number}: names {word}", file.path));
        }
    }
    complaints
}

/// Nobody but `home` names any of `words`; and `home` does, or the rule is about nothing.
fn names_outside(files: &[File], home: &str, words: &[&str]) -> Vec<String> {
    let (at_home, abroad): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.path == home);
    let mut complaints: Vec<_> = abroad.iter().flat_map(|file| names_any(file, words)).collect();
    if !at_home.iter().any(|file| !names_any(file, words).is_empty()) {
        complaints.push(format!("{home} names nothing of {words:?}"));
    }
    complaints
}

/// What is imported or called from the specification, though it is not one of its words.
fn borrowed_logic(file: &File) -> Vec<String> {
    let code: Vec<_> = file.code().map(|(_, line)| line).collect();
    let code = code.join("\n");
    let mut complaints = Vec::new();
    for (_, rest) in
        code.match_indices("lockspace_spec::").map(|(at, word)| code.split_at(at + word.len()))
    {
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split_once('}').map_or(list, |(list, _)| list),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(rest),
        };
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let logic = names.filter(|name| !WORDS.contains(name));
        complaints.extend(
            logic.map(|name| format!("{}: takes {name} from the specification", file.path)),
        );
    }
    complaints
}

/// A manifest without a single dependency of any kind.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            found.push(format!("depends: {line}"));
        }
    }
    found
}

#[test]
fn only_sync_names_what_threads_share() {
    assert_none(names_outside(&shipping(), "impl/lockspace/src/sync.rs", &SHARING));
}

#[test]
fn only_clock_reads_time() {
    assert_none(names_outside(&shipping(), "impl/lockspace/src/clock.rs", &TIME));
}

#[test]
fn only_runtime_starts_tasks_and_threads_and_sleeps() {
    let mut files = shipping();
    // How many processors there are is nothing that runs.
    for file in &mut files {
        file.text = file.text.replace("std::thread::available_parallelism", "");
    }
    assert_none(names_outside(&files, "impl/lockspace/src/runtime.rs", &TASKS));
}

#[test]
fn shipping_code_shares_words_with_the_specification_and_no_logic() {
    let files = shipping();
    assert!(files.iter().any(|file| file.text.contains("lockspace_spec::")));
    assert_none(files.iter().flat_map(borrowed_logic).collect());
}

#[test]
fn the_specification_stands_alone() {
    assert!(file("spec/src/lib.rs").text.contains("\n#![no_std]\n"));
    assert_none(dependencies(&file("spec/Cargo.toml").text));
    let names_std = files("spec/src", ".rs");
    assert_none(names_std.iter().flat_map(|file| names_any(file, &["std::"])).collect());
}

#[test]
fn a_name_in_the_wrong_file_is_found_and_one_in_a_comment_is_not() {
    let home = || File::new("sync.rs", "use std::sync::Mutex;");
    let abroad =
        |text| names_outside(&[home(), File::new("guard.rs", text)], "sync.rs", &SHARING).len();
    assert_eq!(abroad("/// As `std::sync::Mutex`.\n#[cfg(lockspace_loom)]"), 0);
    assert_eq!(abroad("#[cfg(any(lockspace_loom, lockspace_shuttle))]"), 0);
    assert_eq!(abroad("use std::sync::Arc;"), 1);
    assert_eq!(abroad("loom::thread::yield_now();"), 1);
    assert_eq!(names_outside(&[File::new("sync.rs", "")], "sync.rs", &SHARING).len(), 1);
}

#[test]
fn borrowing_logic_is_found() {
    let borrowed = |text| borrowed_logic(&File::new("a.rs", text)).len();
    assert_eq!(
        borrowed("use lockspace_spec::{FencingToken, Loss};\nlockspace_spec::Phase::Open"),
        0
    );
    assert_eq!(borrowed("use lockspace_spec::{\n    Loss,\n    State,\n};"), 1);
    assert_eq!(borrowed("let after = lockspace_spec::step(&state, &action);"), 1);
    assert_eq!(borrowed("// lockspace_spec::apply"), 0);
}

#[test]
fn a_dependency_of_the_specification_is_found() {
    assert_eq!(dependencies("[dependencies]\n# None.\n\n[lints]\nworkspace = true").len(), 0);
    assert_eq!(dependencies("[dependencies]\nserde = \"1\"").len(), 1);
    assert_eq!(dependencies("[dev-dependencies]\nproptest = \"1\"").len(), 1);
}
