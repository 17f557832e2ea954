//! Metrics: the code registers those that the document describes, and no others.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::source::{File, file, files};

const DOCUMENT: &str = "docs/operating.md";

/// The metrics in whose name a file's strings are.
fn registered(file: &File) -> BTreeSet<String> {
    let strings = file.code().flat_map(|(_, line)| line.split('"').skip(1).step_by(2));
    strings.filter(|text| text.starts_with("lockspace_")).map(String::from).collect()
}

/// The metrics that the tables of a document begin their rows with, without their labels.
fn described(document: &str) -> BTreeSet<String> {
    let cells =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next());
    cells.filter(|name| name.starts_with("lockspace_")).map(String::from).collect()
}

/// What one of them knows and the other does not.
fn differences(registered: &BTreeSet<String>, described: &BTreeSet<String>) -> Vec<String> {
    let silent = registered.difference(described).map(|name| format!("nobody describes {name}"));
    let idle = described.difference(registered).map(|name| format!("nobody registers {name}"));
    silent.chain(idle).collect()
}

#[test]
fn the_document_describes_every_metric_and_no_other() {
    let code = files("impl/lockspace/src/observe", "series.rs");
    let registered: BTreeSet<_> = code.iter().flat_map(registered).collect();
    assert!(registered.len() > 10, "{registered:?}");
    assert_none(differences(&registered, &described(&file(DOCUMENT).text)));
}

#[test]
fn a_metric_that_only_one_of_them_knows_is_found() {
    let code = registered(&File::new("a.rs", "const A: &str = \"lockspace_a_total\"; // \"b\""));
    assert_none(differences(&code, &described("| `lockspace_a_total` | counter |")));
    assert_eq!(differences(&code, &described("| `lockspace_b` | gauge |")).len(), 2);
    assert_eq!(differences(&code, &described("in prose: `lockspace_a_total`")).len(), 1);
}
