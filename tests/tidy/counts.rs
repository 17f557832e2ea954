//! Counts and lists: what documents count is counted here, and what they list is all there is.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::source::{File, file, files};

const TESTING: &str = "docs/testing.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Where the tests under shuttle lie. Those that explore with `FEW` or `CROWD` are scenarios.
const SCHEDULES: &str = "impl/lockspace/src/schedules";

/// How many tests explore so.
fn scenarios(files: &[File], how: &str) -> usize {
    let code = files.iter().flat_map(File::code);
    code.filter(|(_, line)| line.contains(how)).count()
}

/// What `document` does not say, each with why it should.
fn unsaid(document: &File, words: &[String]) -> Vec<String> {
    // Lines are broken anywhere.
    let text = document.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing = words.iter().filter(|words| !text.contains(words.as_str()));
    missing.map(|words| format!("{} does not say {words:?}", document.path)).collect()
}

/// The value of a manifest's first line that begins so.
fn value<'a>(manifest: &'a File, key: &str) -> Option<&'a str> {
    manifest.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
}

/// The packages that the first diagram of a document does not draw, or its table not name.
fn undrawn(document: &File, packages: &[String]) -> Vec<String> {
    let diagram = document.text.split("```").find(|block| block.starts_with("mermaid"));
    let diagram = diagram.unwrap_or_default();
    let mut complaints = Vec::new();
    for name in packages {
        if !diagram.contains(&format!("[{name}]")) && !diagram.contains(&format!("[{name}<br>")) {
            complaints.push(format!("the diagram of {} lacks {name}", document.path));
        }
        if !document.text.contains(&format!("| `{name}` |")) {
            complaints.push(format!("the table of {} lacks {name}", document.path));
        }
    }
    complaints
}

/// The words of `text` that begin so.
fn words<'a>(text: &'a str, beginning: &'a str) -> BTreeSet<&'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(beginning) && *word != beginning).collect()
}

/// The files that the rows of a section's table name in their last cell.
fn named_files<'a>(document: &'a str, section: &str) -> Vec<&'a str> {
    let (_, rest) = document.split_once(&format!("\n### {section}\n")).expect("there is a section");
    let section = rest.split("\n#").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit_once('`'));
    cells.map(|(_, path)| path).collect()
}

#[test]
fn the_document_counts_the_scenarios_under_shuttle() {
    let mut files = files(SCHEDULES, ".rs");
    files.retain(|file| {
        !file.path.ends_with("/portfolio.rs") && !file.path.ends_with("/canaries.rs")
    });
    let (few, crowds) = (scenarios(&files, "FEW."), scenarios(&files, "CROWD."));
    assert!(few > 10 && crowds > 1, "{few}, {crowds}");
    let says =
        [format!("{few} scenarios of two or three tasks"), format!("{crowds} of sixteen tasks")];
    assert_none(unsaid(&file(TESTING), &says));
}

/// The modules of the conformance kit whose cases open lockspaces, and those of the others.
const OF_LOCKS: [&str; 4] = ["many", "alone", "cut", "processes"];
const OF_STORES: [&str; 5] = ["swap", "versions", "reads", "failures", "promises"];

#[test]
fn the_documents_count_the_cases_of_the_kit() {
    let list = file("impl/conformance/src/suite.rs");
    let count = |modules: &[&str]| {
        let is_one = |line: &&str| {
            line.trim().split_once("::").is_some_and(|(module, _)| modules.contains(&module))
        };
        list.text.lines().filter(is_one).count()
    };
    let (of_locks, all) = (count(&OF_LOCKS), count(&OF_LOCKS) + count(&OF_STORES));
    let in_words = match of_locks {
        15 => "fifteen",
        16 => "sixteen",
        other => panic!("{other} in words, please"),
    };
    let says = [format!("The last {in_words} open lockspaces over it")];
    let mut complaints = unsaid(&file("docs/writing-a-backend.md"), &says);
    let says =
        [format!("one test for each promise, {all} in all"), format!("the {all} cases of the kit")];
    complaints.extend(unsaid(&file(TESTING), &says));
    complaints.extend(unsaid(&file("README.md"), &[format!(", {all} cases |")]));
    assert_none(complaints);
}

#[test]
fn the_document_counts_the_operations_of_a_fleet_in_ci() {
    let build = file(".ci/run");
    let (_, rest) = build.text.split_once("LOCKSPACE_FLEET_OPERATIONS=").expect("CI says how many");
    let thousands = rest.split("000 ").next().unwrap_or_default();
    let says = [
        format!("`.ci/run` until {thousands},000"),
        format!("{thousands},000 operations on each store"),
    ];
    assert_none(unsaid(&file(TESTING), &says));
}

#[test]
fn the_diagram_and_the_table_have_every_package() {
    let folders = ["spec", "impl", "model", "tests"];
    let manifests = folders.into_iter().flat_map(|folder| files(folder, "Cargo.toml"));
    let names: Vec<_> = manifests
        .filter_map(|manifest| {
            value(&manifest, "name").map(|name| name.trim_matches('"').to_owned())
        })
        .collect();
    assert!(names.len() > 10, "{names:?}");
    assert_none(undrawn(&file(ARCHITECTURE), &names));
}

#[test]
fn the_document_names_every_variable_that_demands_something() {
    let (build, document) = (file(".ci/run"), file(TESTING));
    let demanded = words(&build.text, "LOCKSPACE_REQUIRE_");
    assert_eq!(demanded.len(), 4, "{demanded:?}");
    assert_eq!(demanded, words(&document.text, "LOCKSPACE_REQUIRE_"));
}

#[test]
fn what_is_said_to_read_hostile_input_is_given_some() {
    let document = file(TESTING);
    let paths = named_files(&document.text, "Hostile input");
    assert!(paths.len() > 5, "{paths:?}");
    let tame = paths.iter().filter(|path| !file(path).text.contains("proptest!"));
    assert_none(tame.map(|path| format!("{path} has no proptest")).collect());
}

#[test]
fn a_count_and_a_list_that_are_wrong_are_found() {
    let document = File::new("a.md", "There are\n3 scenarios.");
    assert_none(unsaid(&document, &["are 3 scenarios".into()]));
    assert_eq!(unsaid(&document, &["4 scenarios".into()]).len(), 1);
    assert_eq!(
        scenarios(&[File::new("a.rs", "FEW.all(); // FEW.none()\n// FEW.b()\n")], "FEW."),
        1
    );
    let document =
        File::new("a.md", "```mermaid\na[one<br>first]\nb[two]\n```\n| `one` | `two` |\n");
    assert_none(undrawn(&document, &["one".into(), "two".into()]));
    assert_eq!(undrawn(&document, &["three".into()]).len(), 2);
    assert_eq!(words("A_B=1 \"A_C\" A_ B", "A_"), BTreeSet::from(["A_B", "A_C"]));
    let document = "\n### One\n\n| a | `b.rs` |\n| c |\n## Two\n| d | `e.rs` |\n";
    assert_eq!(named_files(document, "One"), ["b.rs"]);
}
