//! Documents: every link leads somewhere, every document is found from the README, and each has a title.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::assert_none;
use crate::source::{File, file, files, root};

/// The targets of a document's links, code blocks left out.
fn links(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| target));
        }
    }
    found
}

/// The anchor that a heading gets where documents are shown.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Where a relative link leads: a path seen from the root, and an anchor.
fn target<'a>(from: &str, link: &'a str) -> Option<(String, Option<&'a str>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) =
        link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    if path.is_empty() {
        return Some((from.into(), anchor));
    }
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let mut clean = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    Some((clean.to_string_lossy().replace('\\', "/"), anchor))
}

/// Links to what is not there. `exists` knows files and folders, `text` the documents.
fn dead_links(from: &File, exists: impl Fn(&str) -> bool, documents: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for link in links(&from.text) {
        let Some((path, anchor)) = target(&from.path, link) else {
            continue;
        };
        let document = documents.iter().find(|document| document.path == path);
        let leads = exists(&path)
            && match (anchor, document) {
                (Some(anchor), Some(document)) => anchors(&document.text).contains(anchor),
                _ => true,
            };
        if !leads {
            complaints.push(format!("{}: {link} leads nowhere", from.path));
        }
    }
    complaints
}

/// Documents that nobody finds who starts at the first one.
fn orphans(documents: &[File]) -> Vec<String> {
    let mut reached = BTreeSet::from([documents[0].path.clone()]);
    loop {
        let known = documents.iter().filter(|document| reached.contains(&document.path));
        let next = known.flat_map(|document| {
            links(&document.text).into_iter().filter_map(|link| target(&document.path, link))
        });
        // A link to a folder is a link to all that it holds.
        let next: BTreeSet<_> = next.map(|(path, _)| path).collect();
        let more = documents.iter().map(|document| &document.path).filter(|path| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            next.contains(*path) || (!folder.is_empty() && next.contains(folder))
        });
        let more: BTreeSet<_> = more.cloned().chain(reached.iter().cloned()).collect();
        if more == reached {
            break;
        }
        reached = more;
    }
    let lost = documents.iter().filter(|document| !reached.contains(&document.path));
    lost.map(|document| format!("no link leads to {}", document.path)).collect()
}

/// A document without exactly one title, on its first line.
fn untitled(document: &File) -> Vec<String> {
    let mut in_block = false;
    let mut titles = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        in_block ^= line.starts_with("```");
        if !in_block && line.starts_with("# ") {
            titles.push(index);
        }
    }
    let complaint = format!("{} must have one title, on its first line", document.path);
    (titles != [0]).then_some(complaint).into_iter().collect()
}

/// Documents with Rust snippets that no documentation test compiles.
fn not_compiled(documents: &[File], list: &str) -> Vec<String> {
    let has_rust = |file: &&File| file.text.lines().any(|line| line.starts_with("```rust"));
    let listed = |file: &File| list.contains(&format!("\"../../{}\"", file.path));
    let missing = documents.iter().filter(has_rust).filter(|file| !listed(file));
    missing.map(|file| format!("{} has snippets that nobody compiles", file.path)).collect()
}

/// The commands that a document tells its readers to run.
fn commands(text: &str) -> Vec<&str> {
    let mut in_shell = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if in_shell {
            found.extend(line.split('#').next().map(str::trim).filter(|line| !line.is_empty()));
        }
    }
    found
}

/// Commands that readers are told to run and the build does not.
fn not_run(document: &str, build: &str) -> Vec<String> {
    let commands = commands(document).into_iter();
    let missing = commands.filter(|command| !build.contains(command));
    missing.map(|command| format!("nobody runs `{command}`")).collect()
}

/// The README and everything in `docs`.
fn documents() -> Vec<File> {
    let mut documents = vec![file("README.md")];
    documents.extend(files("docs", ".md"));
    documents
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let exists = |path: &str| root().join(path).exists();
    assert_none(documents.iter().flat_map(|from| dead_links(from, exists, &documents)).collect());
}

#[test]
fn every_document_is_found_from_the_readme() {
    assert_none(orphans(&documents()));
}

#[test]
fn every_document_has_one_title() {
    assert_none(documents().iter().flat_map(untitled).collect());
}

#[test]
fn every_snippet_is_compiled() {
    let mut all = documents();
    all.extend(files("spec", "README.md"));
    all.extend(files("impl", "README.md"));
    assert_none(not_compiled(&all, &file("tests/src/docs.rs").text));
}

#[test]
fn the_build_runs_what_the_readme_tells_to() {
    let readme = file("README.md").text;
    assert_eq!(commands(&readme).len(), 2);
    assert_none(not_run(&readme, &file(".ci/run").text));
}

#[test]
fn a_dead_link_is_found() {
    let there = File::new("docs/there.md", "# There\n\n## What it says: much\n");
    let dead = |text: &str| {
        let documents = [File::new("docs/a.md", text), File::new(&there.path, &there.text)];
        let exists = |path: &str| ["docs/a.md", "docs/there.md", "README.md"].contains(&path);
        dead_links(&documents[0], exists, &documents).len()
    };
    assert_eq!(dead("[a](there.md) [b](../README.md) [c](https://example.org)"), 0);
    assert_eq!(dead("[a](there.md#what-it-says-much)"), 0);
    assert_eq!(dead("[a](there.md#gone)"), 1);
    assert_eq!(dead("[a](gone.md)"), 1);
    assert_eq!(dead("```text\n[a](gone.md)\n```"), 0);
}

#[test]
fn a_document_that_nobody_links_to_is_found() {
    let first = || File::new("README.md", "[a](docs/a.md) [all](docs/more)");
    let a = || File::new("docs/a.md", "");
    let more = || File::new("docs/more/b.md", "");
    assert_none(orphans(&[first(), a(), more()]));
    assert_eq!(orphans(&[first(), a(), more(), File::new("docs/c.md", "")]).len(), 1);
}

#[test]
fn a_document_without_a_title_is_found() {
    assert_none(untitled(&File::new("a.md", "# A\n\n```sh\n# a comment\n```\n")));
    assert_eq!(untitled(&File::new("a.md", "text\n")).len(), 1);
    assert_eq!(untitled(&File::new("a.md", "# A\n\n# B\n")).len(), 1);
}

#[test]
fn a_snippet_that_nobody_compiles_is_found() {
    let with =
        |text| not_compiled(&[File::new("docs/a.md", text)], "b: \"../../docs/b.md\",").len();
    assert_eq!(with("```text\nprose\n```\n"), 0);
    assert_eq!(with("```rust\nfn main() {}\n```\n"), 1);
}

#[test]
fn a_command_that_nobody_runs_is_found() {
    let document = "```sh\ncargo test # all of it\n```\n```text\ncargo bench\n```\n";
    assert_none(not_run(document, "run test cargo test\n"));
    assert_eq!(not_run(document, "run fmt cargo fmt\n").len(), 1);
}
