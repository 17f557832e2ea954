//! The programs of servers: where they are, and what is said if they are not.

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Where a program may lie although no path leads there: Debian keeps PostgreSQL's by version.
const BESIDES: &str = "/usr/lib/postgresql";

/// The program, or none if it is not installed, which is then said past the test harness.
///
/// # Panics
/// If it is not installed and servers are required.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let found = folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        absent(name, env::var("LOCKSPACE_REQUIRE_SERVERS").is_ok_and(|value| value == "1"));
    }
    found
}

fn absent(name: &str, required: bool) {
    assert!(!required, "{name} is required and not installed");
    // Standard error itself: the harness keeps what passing tests print.
    writeln!(std::io::stderr(), "NOT RUN: {name} is not installed").expect("stderr takes a line");
}

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<_> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    folders.push("/usr/sbin".into());
    let versions = fs::read_dir(BESIDES).into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
}

#[test]
fn a_program_that_is_there_is_found() {
    assert!(installed("sh").is_some_and(|path| path.is_absolute()));
}

#[test]
fn a_program_that_is_not_there_is_none() {
    absent("no-such-server, which a test looks for,", false);
    assert!(!folders().iter().any(|folder| folder.join("no-such-server").exists()));
}

#[test]
#[should_panic = "no-such-server is required and not installed"]
fn a_required_program_that_is_not_there_fails_the_test() {
    absent("no-such-server", true);
}
