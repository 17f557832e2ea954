//! `lockspace check-history`, as a process: what it says and how it exits.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const HEADER: &str = r#"{"format":"lockspace-history","version":1}"#;
const HELD: &str = r#"{"at":1,"event":"acquire","call":1,"name":"a","wait":"no","lease":"unbounded"}
{"at":2,"event":"return","call":1,"answer":"granted","token":1}"#;
const HELD_TWICE: &str = r#"{"at":3,"event":"acquire","call":2,"name":"a","wait":"no","lease":"unbounded"}
{"at":4,"event":"return","call":2,"answer":"granted","token":2}"#;

fn check(arguments: &[&str], lines: &[&str]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_lockspace"))
        .arg("check-history")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut input = process.stdin.take().expect("it was piped");
    input.write_all(lines.join("\n").as_bytes()).expect("it reads");
    drop(input);
    process.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("it speaks UTF-8"))
}

#[test]
fn a_legal_history_is_accepted_with_status_0() {
    let (status, text) = said(&check(&[], &[HEADER, HELD]));
    assert_eq!((status, text.starts_with("accepted: 2 events")), (Some(0), true), "{text}");
}

#[test]
fn two_holders_are_rejected_with_status_1_and_the_line() {
    let (status, text) = said(&check(&[], &[HEADER, HELD, HELD_TWICE]));
    assert_eq!((status, text.starts_with("rejected: line 5: S1:")), (Some(1), true), "{text}");
}

/// As of `lockspace check-history FILE | head -1`.
#[test]
fn the_status_is_the_verdict_though_nobody_reads_that() {
    for (lines, options, status) in [
        (&[HEADER, HELD][..], &[][..], 0),
        (&[HEADER, HELD, HELD_TWICE], &[], 1),
        (&[HEADER, HELD, HELD_TWICE], &["--json"], 1),
        (&[HEADER, HELD], &["--budget", "0"], 3),
    ] {
        let mut file = tempfile::NamedTempFile::new().expect("there is room");
        file.write_all(lines.join("\n").as_bytes()).expect("there is room");
        let (reader, unread) = std::io::pipe().expect("there are pipes");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
        command.arg("check-history").args(options).arg(file.path()).stdout(unread);
        let output = command.stderr(Stdio::piped()).output().expect("the command runs");
        assert_eq!(said(&output), (Some(status), String::new()), "{options:?}");
    }
}

#[test]
fn a_damaged_file_is_status_2_and_names_the_line() {
    let (status, text) = said(&check(&[], &[HEADER, "{"]));
    assert_eq!((status, text.contains("line 2")), (Some(2), true), "{text}");
}

#[test]
fn a_spent_budget_is_status_3() {
    let (status, text) = said(&check(&["--budget", "0"], &[HEADER, HELD]));
    assert_eq!((status, text.starts_with("undecided")), (Some(3), true), "{text}");
}

#[test]
fn the_verdict_can_be_had_as_json() {
    let output = check(&["--json"], &[HEADER, HELD, HELD_TWICE]);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(verdict["verdict"], "rejected");
    assert_eq!((&verdict["property"], &verdict["line"]), (&"S1".into(), &5.into()));
    assert_eq!(verdict["legal_prefix"], 3);
}
