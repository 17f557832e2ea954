//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
pub(crate) struct File {
    /// Where it is, seen from the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The lines with their numbers and without comments: what the compiler reads.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(index, line)| (index + 1, without_comment(line)))
    }
}

fn without_comment(line: &str) -> &str {
    let mut slashes = line.match_indices("//");
    // Two slashes after a colon are an address in a string.
    let comment = slashes.find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in the repository").into()
}

/// Every file below a folder whose name ends so. Never looks into build directories.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(&root().join(folder), ending, &mut found);
    assert!(
        !found.is_empty(),
        "nothing in {folder} ends with {ending}: a check would be about nothing"
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust file.
pub(crate) fn rust() -> Vec<File> {
    ["spec", "impl", "model", "tests"].into_iter().flat_map(|folder| files(folder, ".rs")).collect()
}

/// What users run: the package `lockspace` without the tests that lie beside the code.
pub(crate) fn shipping() -> Vec<File> {
    let mut files = files("impl/lockspace/src", ".rs");
    files.retain(|file| !file.path.contains("/tests/") && !file.path.contains("/schedules/"));
    files
}

/// One file.
pub(crate) fn file(path: &str) -> File {
    let text = fs::read_to_string(root().join(path));
    File { path: path.into(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<File>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let entry = entry.expect("a folder can be listed");
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            let below = path.strip_prefix(root()).expect("it lies below the root");
            found.push(file(&below.to_string_lossy().replace('\\', "/")));
        }
    }
}

#[test]
fn a_comment_is_no_code_and_an_address_is_no_comment() {
    assert_eq!(without_comment("let a = 1; // one"), "let a = 1; ");
    assert_eq!(without_comment("/// A doc comment."), "");
    assert_eq!(without_comment(r#"get("http://host/"); // asks"#), r#"get("http://host/"); "#);
}
