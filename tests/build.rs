//! Weaves into the documents what their snippets need to run and readers need not see.
//!
//! Where documents are shown, every line of a snippet is: the `# ` by which rustdoc hides one is unknown
//! there. So such lines stand in comments beside the snippet, which nobody shows,
//!
//! ```text
//! <!-- before
//! # async fn run() {
//! -->
//! ```
//!
//! right above its block, and the same with `after` right below. Here they go inside, each snippet staying on
//! its line, and `src/docs.rs`, which lists the documents, has the outcome compiled and run.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let woven = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let list = read(Path::new("src/docs.rs"));
    for document in list.split('"').filter(|path| path.ends_with(".md")) {
        let text = read(&Path::new("..").join(document));
        let to = woven.join(document);
        fs::create_dir_all(to.parent().expect("it is in a folder")).expect("there is room");
        fs::write(to, weave(document, &text)).expect("there is room");
    }
}

/// Reads a file that the outcome depends on.
fn read(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn weave(document: &str, text: &str) -> String {
    let mut woven: Vec<&str> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let before = line == "<!-- before";
        if !before && line != "<!-- after" {
            woven.push(line);
            continue;
        }
        let comment = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "-->");
        let comment: Vec<&str> = comment.collect();
        let beside = if before { lines.next().map(|(_, line)| line) } else { woven.pop() };
        let fence = beside.filter(|line| line.starts_with(if before { "```rust" } else { "```" }));
        let fence = fence.unwrap_or_else(|| panic!("{document}:{}: beside no snippet", number + 1));
        // The empty lines are for the comment's first and last.
        if before {
            woven.push(fence);
            woven.extend(comment);
            woven.extend(["", ""]);
        } else {
            woven.extend(comment);
            woven.extend([fence, "", ""]);
        }
    }
    woven.join("\n")
}
