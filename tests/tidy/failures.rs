//! The failures of others: each entry says where it happened and what happens here, and names tests that
//! exist, or says why there is none.

use crate::assert_none;
use crate::source::{File, file};

const DOCUMENT: &str = "docs/failures.md";

/// The kit's cases are tests wherever its macro stands. This is the list of them.
const SUITE: &str = "impl/conformance/src/suite.rs";
const CASES: &str = "impl/conformance/src/cases/";

/// The entries of a document, which are its headings of the third level, each with what stands below it.
fn entries(document: &str) -> Vec<(&str, &str)> {
    let entries = document.split("\n### ").skip(1);
    let entries = entries.map(|entry| {
        let (title, body) = entry.split_once('\n').unwrap_or((entry, ""));
        (title, body.split("\n## ").next().unwrap_or_default())
    });
    entries.collect()
}

/// The paragraph that begins so, without its beginning.
fn part<'a>(body: &'a str, beginning: &str) -> Option<&'a str> {
    let beginning = format!("**{beginning}.** ");
    body.split("\n\n").find_map(|paragraph| paragraph.trim().strip_prefix(&beginning))
}

/// The tests that a paragraph names, each with the file to which the link before it leads. In a paragraph of
/// tests whatever stands between backticks is the name of one.
fn named(paragraph: &str) -> Vec<(Option<String>, &str)> {
    let mut tests = Vec::new();
    let mut path = None;
    for (at, piece) in paragraph.split('`').enumerate() {
        if at % 2 == 1 {
            tests.push((path.clone(), piece));
        } else if let Some((_, link)) = piece.rsplit_once("](") {
            let target = link.split(')').next().unwrap_or_default();
            path = target.strip_prefix("../").filter(|path| path.ends_with(".rs")).map(Into::into);
        }
    }
    tests
}

/// Whether a function of this name is a test in this file.
fn is_test(file: &File, name: &str, suite: &str) -> bool {
    let lines: Vec<_> = file.text.lines().map(str::trim).collect();
    let declares = |line: &&str| {
        let rest = line.split_once("fn ").and_then(|(_, rest)| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let Some(at) = lines.iter().position(declares) else { return false };
    if file.path.starts_with(CASES) {
        let module = file.path.rsplit('/').next().and_then(|file| file.strip_suffix(".rs"));
        return suite.contains(&format!(" {}::{name},\n", module.unwrap_or_default()));
    }
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    attributes
        .into_iter()
        .any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
}

/// What an entry lacks.
fn lacking(title: &str, body: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let source = part(body, "Elsewhere").unwrap_or_default();
    if !source.contains("](https://") && !source.contains("*Reproduced:* ") {
        complaints.push(format!("{title}: where has it happened?"));
    }
    if part(body, "Here").is_none() {
        complaints.push(format!("{title}: what happens here?"));
    }
    let tests = part(body, "Tests").map_or(0, |tests| named(tests).len());
    if tests == 0 && part(body, "No test").is_none() {
        complaints.push(format!("{title}: neither a test nor a word why there is none"));
    }
    complaints
}

/// Tests that an entry names and that are not there.
fn missing(title: &str, body: &str, read: impl Fn(&str) -> File, suite: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, name) in part(body, "Tests").map(named).unwrap_or_default() {
        match path {
            None => complaints.push(format!("{title}: in which file is {name}?")),
            Some(path) if is_test(&read(&path), name, suite) => {}
            Some(path) => complaints.push(format!("{title}: {path} has no test {name}")),
        }
    }
    complaints
}

#[test]
fn every_failure_says_where_it_happened_what_happens_here_and_what_shows_it() {
    let document = file(DOCUMENT).text;
    assert_none(
        entries(&document).into_iter().flat_map(|(title, body)| lacking(title, body)).collect(),
    );
}

#[test]
fn every_test_that_is_said_to_show_a_failure_exists() {
    let (document, suite) = (file(DOCUMENT).text, file(SUITE).text);
    let entries = entries(&document).into_iter();
    assert_none(entries.flat_map(|(title, body)| missing(title, body, file, &suite)).collect());
}

#[test]
fn the_document_counts_its_failures() {
    let document = file(DOCUMENT).text;
    assert_eq!(entries(&document).len(), 36);
    assert!(document.contains("\n\nThirty-six ways in which "));
}

#[test]
fn an_entry_that_says_too_little_is_found() {
    let whole = "\n**Elsewhere.** *Thread:* [a#1](https://example.org).\n\n**Here.** It ends.\n\n\
                 **Tests.** [a.rs](../a.rs) `it_ends`.\n";
    assert_none(lacking("A", whole));
    let tests = "**Tests.** [a.rs](../a.rs) `it_ends`";
    assert_none(lacking("A", &whole.replace(tests, "**No test.** There is nothing to ask for")));
    for word in ["Elsewhere", "Here", "Tests", "`it_ends`", "https"] {
        assert_eq!(lacking("A", &whole.replace(word, "other")).len(), 1, "without {word}");
    }
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let text = "#[test]\nfn it_ends() {}\n\n\
                #[tokio::test(start_paused = true)]\n#[cfg(unix)]\nasync fn it_waits() {}\n\n\
                fn helper() {}\n\npub(crate) async fn a_case<H: Harness>() {}\n";
    let suite = "            a::a_case,\n";
    let found = |tests: &str| {
        let read = |path: &str| File::new(path, text);
        missing("A", &format!("\n**Tests.** {tests}\n"), read, suite).len()
    };
    assert_eq!(found("[a.rs](../a.rs) `it_ends`, `it_waits`; as a design [b](b.md)"), 0);
    assert_eq!(found("[a.rs](../impl/conformance/src/cases/a.rs) `a_case`"), 0);
    assert_eq!(found("[b.rs](../impl/conformance/src/cases/b.rs) `a_case`"), 1, "another module");
    assert_eq!(found("[a.rs](../a.rs) `a_case`"), 1, "no case of the kit");
    assert_eq!(found("[a.rs](../a.rs) `helper`, `it_end`, `gone`"), 3);
    assert_eq!(found("`it_ends`"), 1, "no file");
    assert_eq!(found("[a.rs](../a.rs) `it_ends`. [b](b.md) `it_ends`"), 1, "no file of tests");
}
