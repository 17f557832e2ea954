//! The binary itself: what it prints, and with which status it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use lockspace_model::defects::DEFECTS;
use lockspace_model::manifest::{Level, Manifest};
use lockspace_spec::{REACHABLE, SAFETY};

fn lockspace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
    command.args(args);
    command
}

fn output(args: &[&str]) -> Output {
    lockspace(args).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints UTF-8")
}

/// What `verify` does, for all tests that look at it: it takes its time.
static VERIFIED: LazyLock<Output> = LazyLock::new(|| output(&["verify"]));

#[test]
fn verify_prints_a_row_for_each_run_and_each_defect_and_succeeds() {
    let said = text(&VERIFIED.stdout);
    assert_eq!(VERIFIED.status.code(), Some(0), "{said}");
    for run in Manifest::read().up_to(Level::Quick) {
        assert!(said.lines().any(|line| line.starts_with(&run.name) && line.ends_with("holds")));
    }
    for defect in &DEFECTS {
        assert!(said.contains(&format!("  {}", defect.name)), "{}", defect.name);
    }
    assert!(said.contains("\nVERIFIED: "), "{said}");
    assert!(!said.contains('\x1b'), "no colour where nobody can see it");
}

#[test]
fn what_the_readme_shows_of_verify_is_what_it_prints() {
    let said = text(&VERIFIED.stdout);
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("```text\nmodel  ").expect("it shows the verdicts");
    let (rows, _) = block.split_once("```").expect("a block ends");
    let shown = |row: &str| {
        // Some columns are left out, and the others stand closer together.
        let cells: Vec<_> =
            row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        said.lines().any(|line| {
            let mut rest = line;
            cells.iter().all(|cell| match rest.split_once(cell) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        })
    };
    let rows: Vec<_> = rows.lines().skip(1).filter(|row| !row.starts_with("...")).collect();
    let untrue: Vec<_> = rows.iter().filter(|row| !shown(row)).collect();
    assert!(untrue.is_empty(), "{untrue:#?}\n{said}");
    let runs = Manifest::read().up_to(Level::Quick).count();
    assert!(rows.len() > 5 && rows.iter().any(|row| row.contains(&format!("{runs} runs"))));
    assert!(!shown("protocol-4x1  3 955"), "a number that is not so is found");
}

#[test]
fn verify_prints_one_json_document_on_request() {
    let output = output(&["verify", "--json", "--only", "2x1"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(report["passed"], true);
    assert_eq!(report["runs"][0]["model"], "protocol-2x1");
    assert_eq!(report["runs"][0]["states"], Manifest::read().run[0].states);
    assert_eq!(report["runs"][0]["explorers"][1]["explorer"], "stateright");
    assert_eq!(report["defects"].as_array().map(Vec::len), Some(DEFECTS.len()));
}

#[test]
fn quick_and_full_exclude_each_other() {
    assert_eq!(output(&["verify", "--quick", "--full"]).status.code(), Some(2));
}

#[test]
fn trace_lists_everything_that_it_can_tell() {
    let output = output(&["trace"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    let defects = DEFECTS.iter().map(|defect| defect.name);
    let ids = SAFETY.iter().chain(&REACHABLE).map(|property| property.id);
    for name in defects.chain(ids).chain(["L1", "L2"]) {
        assert!(said.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}");
    }
}

#[test]
fn everything_that_trace_lists_has_a_story() {
    let defects = DEFECTS.iter().map(|defect| defect.name);
    let ids = SAFETY.iter().chain(&REACHABLE).map(|property| property.id);
    for name in defects.chain(ids).chain(["L1", "L2"]) {
        let output = output(&["trace", name]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert!(text(&output.stdout).contains("\n1. "), "{name}");
    }
}

#[test]
fn what_nobody_knows_is_an_error_that_names_what_there_is() {
    for (args, known) in [
        (["trace", "no-such-defect"], "release-before-body-stops"),
        (["explore", "no-such-model"], "protocol-2x1"),
        (["verify", "--only=no-such-model"], "protocol-2x1"),
    ] {
        let output = output(&args);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(known));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_tells_the_exit_status() {
    for args in [&["--help"][..], &["verify", "--help"], &["trace", "--help"]] {
        assert!(text(&output(args).stdout).contains("Exit status:"), "{args:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = lockspace(&["trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("it was piped");
    stderr.read_to_string(&mut said).expect("it can be read");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(said, "");
}

#[test]
fn explore_prints_an_address_and_serves_the_model_there() {
    let mut child = lockspace(&["explore", "protocol-2x1", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let said = BufReader::new(child.stdout.take().expect("it was piped")).lines();
    let address = said
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("http://")?.1.split_once('/')?.0.to_owned()))
        .expect("it prints the address");
    let answer = loop {
        // It prints the address before it listens there; it is the test's only way to wait.
        if let Ok(mut stream) = TcpStream::connect(&address) {
            write!(stream, "GET /.status HTTP/1.0\r\n\r\n").expect("it can be asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            break answer;
        }
        assert_eq!(child.try_wait().expect("it can be asked"), None, "it has ended");
        std::thread::yield_now();
    };
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
    assert!(answer.contains("\"properties\""), "{answer}");
    assert!(answer.contains("S10") && answer.contains("R1"), "{answer}");
}

#[test]
fn trace_says_the_same_as_json() {
    let list: serde_json::Value =
        serde_json::from_slice(&output(&["trace", "--json"]).stdout).expect("it is JSON");
    assert_eq!(list["defects"].as_array().map(Vec::len), Some(DEFECTS.len()));
    let stories: serde_json::Value =
        serde_json::from_slice(&output(&["trace", "lost-wake-up", "--json"]).stdout)
            .expect("it is JSON");
    assert_eq!(stories[0]["breaks"], serde_json::json!(["S7"]));
    assert_eq!(stories[0]["steps"][2]["did"], "releases token 1");
}
