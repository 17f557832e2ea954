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

/// A document without exactly one title, on its first line. Blocks and comments have none.
fn untitled(document: &File) -> Vec<String> {
    let (mut in_block, mut in_comment) = (false, false);
    let mut titles = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        in_block ^= line.starts_with("```");
        in_comment = (in_comment || line.starts_with("<!--")) && !line.ends_with("-->");
        if !in_block && !in_comment && line.starts_with("# ") {
            titles.push(index);
        }
    }
    let complaint = format!("{} must have one title, on its first line", document.path);
    (titles != [0]).then_some(complaint).into_iter().collect()
}

/// Documents with Rust snippets that no documentation test compiles.
fn not_compiled(documents: &[File], list: &str) -> Vec<String> {
    let has_rust = |file: &&File| file.text.lines().any(|line| line.starts_with("```rust"));
    let listed = |file: &File| list.contains(&format!("\"{}\"", file.path));
    let missing = documents.iter().filter(has_rust).filter(|file| !listed(file));
    missing.map(|file| format!("{} has snippets that nobody compiles", file.path)).collect()
}

/// The lines in blocks of a document whose first word is `kind`, with their numbers.
fn lines_of<'a>(text: &'a str, kind: &str) -> Vec<(usize, &'a str)> {
    let mut block: Option<&str> = None;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(named), None) => block = Some(named.split(',').next().unwrap_or_default()),
            (None, Some(named)) if named == kind => found.push((number + 1, line)),
            (None, _) => {}
        }
    }
    found
}

/// Lines of Rust that only rustdoc would hide: readers would see them, and could not paste the snippet.
fn half_hidden(document: &File) -> Vec<String> {
    let lines = lines_of(&document.text, "rust").into_iter();
    let hidden =
        lines.filter(|(_, line)| line.trim_start().starts_with("# ") || line.trim() == "#");
    let complaint = |(number, line)| {
        format!("{}:{number}: `{line}` belongs into a comment beside the snippet", document.path)
    };
    hidden.map(complaint).collect()
}

/// Dependencies that a document tells its readers to write, and that lead to no package of that name.
/// They are told from beside the clone.
fn no_packages(document: &File, name_at: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in lines_of(&document.text, "toml") {
        let Some((name, rest)) = line.split_once(" = { path = \"../lockspace/") else { continue };
        let path = rest.split('"').next().unwrap_or_default();
        if name_at(path).as_deref() != Some(name) {
            complaints.push(format!("{}:{number}: {name} is not in {path}", document.path));
        }
    }
    complaints
}

/// Rows of tables with an empty line above them: they would be shown as text.
fn stray_rows(document: &File) -> Vec<String> {
    let lines: Vec<&str> = document.text.lines().collect();
    let is_row = |line: &str| line.starts_with('|');
    let stray = |at: usize| {
        let begins = is_row(lines[at]) && (at == 0 || !is_row(lines[at - 1]));
        begins && !lines.get(at + 1).is_some_and(|next| next.starts_with("|--"))
    };
    let found = (0..lines.len()).filter(|at| stray(*at));
    found.map(|at| format!("{}:{}: no table has this row", document.path, at + 1)).collect()
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
fn no_snippet_shows_what_only_its_test_needs() {
    assert_none(documents().iter().flat_map(half_hidden).collect());
}

#[test]
fn every_row_belongs_to_a_table() {
    assert_none(documents().iter().flat_map(stray_rows).collect());
}

#[test]
fn every_dependency_that_readers_are_told_to_write_is_there() {
    let documents = documents();
    let shown: usize = documents.iter().map(|file| lines_of(&file.text, "toml").len()).sum();
    assert!(shown > 3, "{shown} lines");
    let name_at = |path: &str| {
        let manifest = std::fs::read_to_string(root().join(path).join("Cargo.toml")).ok()?;
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""))?;
        Some(name.trim_end_matches('"').to_owned())
    };
    assert_none(documents.iter().flat_map(|file| no_packages(file, name_at)).collect());
}

#[test]
fn a_line_that_is_hidden_in_part_is_found() {
    let with = |text| half_hidden(&File::new("docs/a.md", text)).len();
    assert_eq!(with("<!-- before\n# let a = 1;\n-->\n```rust\n#[test]\nlet b = a;\n```\n# A\n"), 0);
    assert_eq!(with("```sh\n# a comment\n```\n"), 0);
    assert_eq!(with("```rust,no_run\n# let a = 1;\n```\n"), 1);
}

#[test]
fn a_row_without_a_table_is_found() {
    let with = |text| stray_rows(&File::new("docs/a.md", text)).len();
    assert_eq!(with("| a |\n|---|\n| b |\n\ntext\n"), 0);
    assert_eq!(with("| a |\n|---|\n| b |\n\n| c |\n"), 1);
}

#[test]
fn a_dependency_that_is_not_there_is_found() {
    let name_at = |path: &str| (path == "impl/a").then(|| "a".to_owned());
    let with = |line: &str| {
        let text = format!("```toml\n[dependencies]\n{line}\nb = \"1\"\n```\n");
        no_packages(&File::new("docs/a.md", &text), name_at).len()
    };
    assert_eq!(with("a = { path = \"../lockspace/impl/a\", features = [\"x\"] }"), 0);
    assert_eq!(with("c = { path = \"../lockspace/impl/a\" }"), 1);
    assert_eq!(with("a = { path = \"../lockspace/impl/c\" }"), 1);
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
    assert_none(untitled(&File::new("a.md", "# A\n\n<!-- before\n# let a = 1;\n-->\n")));
    assert_eq!(untitled(&File::new("a.md", "text\n")).len(), 1);
    assert_eq!(untitled(&File::new("a.md", "# A\n\n# B\n")).len(), 1);
}

#[test]
fn a_snippet_that_nobody_compiles_is_found() {
    let with = |text| not_compiled(&[File::new("docs/a.md", text)], "b: \"docs/b.md\",").len();
    assert_eq!(with("```text\nprose\n```\n"), 0);
    assert_eq!(with("```rust\nfn main() {}\n```\n"), 1);
}

#[test]
fn a_command_that_nobody_runs_is_found() {
    let document = "```sh\ncargo test # all of it\n```\n```text\ncargo bench\n```\n";
    assert_none(not_run(document, "run test cargo test\n"));
    assert_eq!(not_run(document, "run fmt cargo fmt\n").len(), 1);
}
