//! The house: what lies at the top level, what manifests promise, how long a file may be.

use std::fs;

use crate::assert_none;
use crate::source::{File, file, files, root, rust};

/// What a visitor sees, apart from dotfiles. `target` is the compiler's.
const TOP: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs",
    "impl",
    "model",
    "spec",
    "tests",
    "target",
];

const LINES_MAX: usize = 700;
const COLUMNS_MAX: usize = 110;

/// What does not belong at the top level, and what is missing there.
fn strangers(entries: &[String]) -> Vec<String> {
    let visible = entries.iter().filter(|name| !name.starts_with('.'));
    let strange = visible.filter(|name| !TOP.contains(&name.as_str()));
    let missing =
        TOP.iter().filter(|name| **name != "target" && !entries.iter().any(|e| e == *name));
    let strange = strange.map(|name| format!("{name} does not belong at the top level"));
    strange.chain(missing.map(|name| format!("{name} is missing"))).collect()
}

/// A file that is too long, and its lines that are too wide.
fn too_large(file: &File) -> Vec<String> {
    let (path, lines) = (&file.path, file.text.lines().count());
    let mut complaints = Vec::new();
    if lines > LINES_MAX {
        complaints.push(format!("{path} has {lines} lines, more than {LINES_MAX}"));
    }
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            complaints.push(format!("{path}:{}: {columns} columns", index + 1));
        }
    }
    complaints
}

/// Tests that do not run, and code that is not there.
fn unfinished(file: &File) -> Vec<String> {
    // Put together here, so that this file does not name them itself.
    let banned = [concat!("#[", "ignore"), concat!("to", "do!("), concat!("unim", "plemented!(")];
    let mut complaints = Vec::new();
    for (number, line) in file.code() {
        for banned in banned.iter().filter(|banned| line.contains(**banned)) {
            complaints.push(format!("{}:{number}: {banned}", file.path));
        }
    }
    complaints
}

/// A package that does not take the lints of the workspace, which forbid unsafe code.
fn own_lints(manifest: &File) -> Vec<String> {
    let inherits = manifest.text.contains("\n[lints]\nworkspace = true\n");
    let complaint = format!("{} does not take the lints of the workspace", manifest.path);
    (!inherits).then_some(complaint).into_iter().collect()
}

/// Dependencies that users or readers get without a word about why.
fn unexplained(manifest: &File) -> Vec<String> {
    let mut inside = false;
    let mut explained = false;
    let mut complaints = Vec::new();
    for line in manifest.text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains('=') && !line.starts_with('#') && !explained {
            complaints.push(format!("{}: why {line}?", manifest.path));
        }
        explained = line.starts_with('#');
    }
    complaints
}

fn manifests() -> Vec<File> {
    let folders = ["spec", "impl", "model", "tests"];
    folders.into_iter().flat_map(|folder| files(folder, "Cargo.toml")).collect()
}

#[test]
fn the_top_level_is_as_it_should_be() {
    let entries = fs::read_dir(root()).expect("the root can be listed");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("the root can be listed").file_name().to_string_lossy().into_owned()
    };
    assert_none(strangers(&entries.map(name).collect::<Vec<_>>()));
}

#[test]
fn no_file_is_too_long_and_no_line_too_wide() {
    assert_none(rust().iter().flat_map(too_large).collect());
}

#[test]
fn every_test_runs_and_all_code_is_there() {
    assert_none(rust().iter().flat_map(unfinished).collect());
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    assert!(
        file("Cargo.toml").text.contains("\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n")
    );
    assert_none(manifests().iter().flat_map(own_lints).collect());
}

#[test]
fn every_dependency_says_why() {
    assert_none(manifests().iter().flat_map(unexplained).collect());
}

#[test]
fn a_stranger_and_a_gap_at_the_top_level_are_found() {
    let entries = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut all = entries(&TOP);
    all.push(".gitignore".into());
    assert_none(strangers(&all));
    all.push("notes.txt".into());
    assert_eq!(strangers(&all).len(), 1);
    assert_eq!(strangers(&entries(&TOP[1..])).len(), 1);
}

#[test]
fn a_long_file_and_a_wide_line_are_found() {
    assert_none(too_large(&File::new("a.rs", &"x\n".repeat(LINES_MAX))));
    assert_eq!(too_large(&File::new("a.rs", &"x\n".repeat(LINES_MAX + 1))).len(), 1);
    assert_none(too_large(&File::new("a.rs", &"ü".repeat(COLUMNS_MAX))));
    assert_eq!(too_large(&File::new("a.rs", &"x".repeat(COLUMNS_MAX + 1))).len(), 1);
}

#[test]
fn a_test_that_does_not_run_is_found() {
    let ignored = concat!("#[", "ignore = \"slow\"]\n", "fn a() { to", "do!() }");
    assert_eq!(unfinished(&File::new("a.rs", ignored)).len(), 2);
    assert_none(unfinished(&File::new("a.rs", concat!("// a to", "do!() in a comment"))));
}

#[test]
fn a_package_with_lints_of_its_own_is_found() {
    assert_none(own_lints(&File::new("Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n")));
    assert_eq!(
        own_lints(&File::new("Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n")).len(),
        1
    );
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let explained = "[dependencies]\n# Because.\nserde = \"1\"\n\n[features]\na = []\n";
    assert_none(unexplained(&File::new("Cargo.toml", explained)));
    let second = "[target.'cfg(unix)'.dependencies]\n# Because.\nserde = \"1\"\nloom = \"1\"\n";
    assert_eq!(unexplained(&File::new("Cargo.toml", second)).len(), 1);
    let tests = "[dev-dependencies]\n# Because.\nserde = \"1\"\n\nloom = \"1\"\n";
    assert_eq!(unexplained(&File::new("Cargo.toml", tests)).len(), 1);
}
