//! What the documents show is what happens: each session with a shell that a page shows is held, by a real
//! shell with the real command, and must go as the page says.
//!
//! A session is a block in which a line begins with `$ `. Its commands are given to one shell, one after the
//! other, in a folder and with a store of its own; what each says must be what stands below it. What differs
//! from time to time and from machine to machine (tokens, processes, hosts, ages) need only be of its kind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command that a page shows, and what the page says that it says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    command: String,
    said: Vec<String>,
}

/// The sessions of a page, with the lines at which their blocks begin.
fn sessions(page: &str) -> Vec<(usize, Vec<Step>)> {
    let mut sessions = Vec::new();
    let mut block: Option<(usize, Vec<Step>)> = None;
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            match block.take() {
                None => block = Some((number + 1, Vec::new())),
                Some((_, steps)) if steps.is_empty() => {}
                Some(session) => sessions.push(session),
            }
        } else if let Some((_, steps)) = &mut block {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { command: command.to_owned(), said: Vec::new() });
            } else if let Some(step) = steps.last_mut() {
                step.said.push(line.to_owned());
            }
        }
    }
    sessions
}

/// How many hold and wait; and until there are more of them, which is soon or never.
const SHELL: &str = r#"
exec 2>&1
claims() { lockspace ls | wc -l; }
until_there_are_more_than() {
    for _ in $(seq 1000); do
        if [ "$(claims)" -gt "$1" ]; then return; fi
    done
    echo "nobody has come"
}
"#;

/// What a shell makes of the commands of a session: what each of them has said.
fn held(steps: &[Step], folder: &Path) -> Vec<Vec<String>> {
    const NEXT: &str = "-- the next command --";
    let mut script = SHELL.to_owned();
    for Step { command, .. } in steps {
        // A user sees when somebody in the background has the name, or stands in line, and goes on then.
        let (before, after) = if command.ends_with('&') {
            ("before=$(claims)\n", "until_there_are_more_than $before\n")
        } else {
            ("", "")
        };
        script += &format!("echo '{NEXT}'\n{before}{command}\n{after}");
    }
    script += "kill $(jobs -p) 2>/dev/null\nwait\n";
    let binary = Path::new(env!("CARGO_BIN_EXE_lockspace")).parent().expect("it is in a folder");
    let path = std::env::var("PATH").expect("there is a path");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("XDG_STATE_HOME", folder)
        .env_remove("LOCKSPACE_STORE")
        .stdin(Stdio::null())
        .output()
        .expect("there is a bash: the build itself needs one");
    let text = String::from_utf8(output.stdout).expect("it speaks UTF-8");
    let next = format!("{NEXT}\n");
    text.split(&next).skip(1).map(|part| part.lines().map(str::to_owned).collect()).collect()
}

/// A line without what differs from time to time. How columns are spaced depends on it, so spaces are one.
fn kinds(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().map(kind).collect();
    let process = words.windows(3).position(|three| three[0] == "(pid" && three[2] == "on");
    if let Some(at) = process {
        words.truncate(at);
        words.push("(a process)".to_owned());
    }
    words.join(" ")
}

/// What kind of thing a word is, if it is one that differs.
fn kind(word: &str) -> String {
    let inner = word.trim_matches(|c: char| ",;\"".contains(c));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let unit = inner.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &inner[..inner.len() - unit.len()];
    let kind = if digits(inner) && inner.len() > 12 {
        "(a token)"
    } else if inner.len() == 32 && inner.chars().all(|c| c.is_ascii_hexdigit()) {
        "(a session)"
    } else if number.contains('.') && ["", "s", "ms", "µs", "ns"].contains(&unit) {
        "(a time)"
    } else if digits(number) && ["s", "s+"].contains(&unit) {
        "(an age)"
    } else {
        return word.to_owned();
    };
    word.replacen(inner, kind, 1)
}

/// The complaints about a page: what it shows and what really happens.
fn untrue(called: &str, page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, steps) in sessions(page) {
        let folder = tempfile::tempdir().expect("there is room");
        let root = root();
        symlink(root.join("tests"), folder.path().join("tests")).expect("it can be made");
        for (step, really) in steps.iter().zip(held(&steps, folder.path())) {
            let [shown, said] =
                [&step.said, &really].map(|lines| lines.iter().map(|line| kinds(line)).collect());
            let (shown, said): (Vec<_>, Vec<_>) = (shown, said);
            if shown != said {
                let command = &step.command;
                complaints.push(format!(
                    "{called}:{line}: $ {command}\nthe page:\n{:#?}\nreally:\n{really:#?}",
                    step.said
                ));
            }
        }
    }
    complaints
}

/// Tokens that a session shows after greater ones: no lock gives them so, and readers notice.
fn tokens_that_go_back(page: &str) -> Vec<u64> {
    let mut gone_back = Vec::new();
    for (_, steps) in sessions(page) {
        let mut greatest = 0;
        let words =
            steps.iter().flat_map(|step| &step.said).flat_map(|line| line.split_whitespace());
        for token in words.filter(|word| kind(word).starts_with("(a token)")) {
            let token = token.trim_end_matches(',').parse().expect("a token is a number");
            if token < greatest {
                gone_back.push(token);
            }
            greatest = greatest.max(token);
        }
    }
    gone_back
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(called: &str) -> String {
    fs::read_to_string(root().join(called)).expect("it is there")
}

/// Every page that people read.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).expect("it is there") {
        let name = entry.expect("it can be read").file_name().into_string().expect("plain names");
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

#[test]
fn every_session_that_a_page_shows_goes_as_it_is_shown() {
    let mut shown = 0;
    for called in pages() {
        let page = page(&called);
        let complaints = untrue(&called, &page);
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        shown += sessions(&page).len();
    }
    assert!(shown >= 4, "{shown} sessions: those of the command's page at least");
}

#[test]
fn the_history_that_its_page_shows_is_accepted() {
    let page = page("docs/history-format.md");
    let (_, history) = page.split_once("```json\n").expect("it shows one");
    let (history, _) = history.split_once("```").expect("a block ends");
    let file = tempfile::NamedTempFile::new().expect("there is room");
    fs::write(&file, history).expect("there is room");
    let output = Command::new(env!("CARGO_BIN_EXE_lockspace"))
        .arg("check-history")
        .arg(file.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("accepted: 10 events, "), "{output:?}");
}

#[test]
fn no_session_shows_a_token_after_a_greater_one() {
    for called in pages() {
        assert_eq!(tokens_that_go_back(&page(&called)), [0; 0], "{called}");
    }
    let session =
        |tokens: [u64; 2]| format!("```text\n$ a\n{} b\n\"c\": {},\n```\n", tokens[0], tokens[1]);
    let [early, late] = [1_795_668_594_342_227, 1_795_668_599_280_485];
    assert_eq!(tokens_that_go_back(&session([early, late])), [0; 0]);
    assert_eq!(tokens_that_go_back(&session([late, early])), [early]);
}

#[test]
fn a_page_that_is_not_true_any_more_is_found() {
    let true_page = "```text\n$ lockspace force-release a --yes; echo $?\n\
                     lockspace: nobody holds \"a\"\n1\n$ lockspace ls\nNAME  TOKEN    ASKED  WHO\n```\n";
    assert_eq!(untrue("a page", true_page), [""; 0]);
    for (from, to) in [
        ("nobody", "somebody"),
        ("\n1\n", "\n0\n"),
        ("\n1\n", "\n1\nand more\n"),
        ("\n1\n", "\n"),
        ("ASKED", "AGE"),
        ("a --yes", "b --yes"),
    ] {
        let changed = true_page.replacen(from, to, 1);
        assert_eq!(untrue("a page", &changed).len(), 1, "{changed}");
    }
}

#[test]
fn what_differs_from_time_to_time_is_known_by_its_kind_and_nothing_else_is() {
    let line = "nightly  1795478860624768  waits 1   3s  true (pid 22039 on vm)";
    let other = "nightly 17954788606247681 waits 1  12s   true (pid 7 on another-host)";
    assert_eq!(kinds(line), kinds(other));
    for different in [
        other.replace("nightly", "weekly"),
        other.replace("waits 1", "waits 2"),
        other.replace("12s", "?"),
        other.replace("true", "false"),
        other.replace("17954788606247681", ""),
    ] {
        assert_ne!(kinds(line), kinds(&different));
    }
    assert_eq!(kinds("read in 1.2ms"), kinds("read in 812.4µs"));
    assert_ne!(kinds("within 200ms"), kinds("within 300ms"));
    assert_ne!(kinds("status 120"), kinds("status 121"));
}
