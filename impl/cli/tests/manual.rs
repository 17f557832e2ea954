//! `lockspace completions` and `lockspace man`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SUBCOMMANDS: [&str; 12] = [
    "verify",
    "explore",
    "trace",
    "check-history",
    "exec",
    "ls",
    "top",
    "health",
    "wait",
    "force-release",
    "completions",
    "man",
];

fn lockspace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockspace")).args(args).output().expect("the binary runs")
}

fn said(args: &[&str]) -> String {
    let output = lockspace(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

#[test]
fn completions_for_each_shell_know_each_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for subcommand in SUBCOMMANDS {
            assert!(script.contains(subcommand), "{shell}: {subcommand}");
        }
    }
    assert_eq!(lockspace(&["completions", "no-such-shell"]).status.code(), Some(2));
}

#[test]
fn bash_takes_its_completions() {
    let script = said(&["completions", "bash"]);
    let ask = "COMP_WORDS=(lockspace chec); COMP_CWORD=1; _lockspace lockspace chec lockspace; \
               echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash").args(["-c", &format!("{script}\n{ask}")]).output();
    let bash = bash.expect("there is a bash: the build itself needs one");
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "check-history");
}

#[test]
fn the_man_page_tells_each_subcommand_and_the_exit_status() {
    let page = said(&["man"]);
    assert!(page.contains(".TH lockspace 1") && page.contains("Exit status:"));
    for subcommand in SUBCOMMANDS {
        // A hyphen is a minus there.
        assert!(page.contains(&subcommand.replace('-', "\\-")), "{subcommand}");
    }
}

#[test]
fn a_folder_gets_a_man_page_for_each_subcommand() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man/of-today");
    let _ = fs::remove_dir_all(&folder); // It is made.
    said(&["man", "--out", folder.to_str().expect("a plain path")]);
    for subcommand in SUBCOMMANDS {
        assert!(folder.join(format!("lockspace-{subcommand}.1")).exists(), "{subcommand}");
    }
    // A file stands where the folder would be.
    let file = folder.join("lockspace.1");
    let output = lockspace(&["man", "--out", file.to_str().expect("a plain path")]);
    let error = String::from_utf8(output.stderr).expect("it prints UTF-8");
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("lockspace.1: "), "which one is told: {error}");
}

#[test]
fn every_subcommand_explains_itself() {
    for subcommand in SUBCOMMANDS {
        assert!(said(&[subcommand, "--help"]).contains("Usage: lockspace"), "{subcommand}");
    }
}
