//! The same over a server: `exec`, `ls` and `health` with a server of the test's own.
#![cfg(all(feature = "etcd", feature = "postgres", feature = "redis"))]

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use lockspace_servers::{Etcd, Postgres, Redis, Server};

fn lockspace(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
    command.args(args).env("LOCKSPACE_STORE", url).stdin(Stdio::null());
    command
}

fn output(url: &str, args: &[&str]) -> Output {
    lockspace(url, args).output().expect("the binary runs")
}

/// Ten shells that write to one file, one at a time.
fn ten_shells_share_a_name(server: &Server) {
    let folder = tempfile::tempdir().expect("there is room");
    let record = folder.path().join("record");
    let script = format!("echo in >> {0}; sleep 0.02; echo out >> {0}", record.display());
    let url = server.url();
    let shell = || lockspace(&url, &["exec", "job", "--", "sh", "-c", &script]).spawn();
    for mut shell in [(); 10].map(|()| shell().expect("the binary runs")) {
        assert_eq!(shell.wait().expect("it ends").code(), Some(0));
    }
    let record = std::fs::read_to_string(&record).expect("they wrote");
    assert_eq!(record, "in\nout\n".repeat(10));
    let left = output(&url, &["ls"]);
    assert_eq!(String::from_utf8_lossy(&left.stdout).lines().count(), 1, "nothing is left");
}

/// What is held in one namespace is not seen in another.
fn namespaces_are_lockspaces_of_their_own(server: &Server) {
    let binary = env!("CARGO_BIN_EXE_lockspace");
    for (looks_at, lines) in [("billing", 2), ("default", 1)] {
        let exec = ["exec", "job", "--namespace", "billing", "--", binary, "ls", "--namespace"];
        let seen = output(&server.url(), &[&exec[..], &[looks_at]].concat());
        assert_eq!(String::from_utf8_lossy(&seen.stdout).lines().count(), lines, "{seen:?}");
    }
}

/// What is said when the server is gone: the host, and no password.
fn its_end_is_told_without_secrets(server: &Server) {
    let url = server.url();
    assert_eq!(output(&url, &["health"]).status.code(), Some(0));
    server.kill();
    let scheme = url.split(':').next().expect("a URL");
    is_told_without_secrets(&url, &format!("{scheme}://…@127.0.0.1"));
}

/// Whoever comes to this place with a password is told this, and nothing that he has given in secret.
fn is_told_without_secrets(url: &str, said: &str) {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let place = rest.rsplit('@').next().expect("there is a host");
    let url = format!("{scheme}://me:PASSWORD@{place}");
    for (args, status) in
        [(&["health"][..], 2), (&["ls"], 2), (&["exec", "job", "--", "true"], 125)]
    {
        let output = output(&url, args);
        let text = [&*output.stdout, &*output.stderr].concat();
        let text = String::from_utf8(text).expect("it speaks UTF-8");
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(!text.contains("PASSWORD"), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn over_postgres_a_wrong_password_is_told_without_it() {
    // Whoever the server runs as must be able to read it.
    let rules = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile();
    let mut rules = rules.expect("there is room");
    writeln!(rules, "host all all 127.0.0.1/32 scram-sha-256").expect("there is room");
    let setting = format!("hba_file={}", rules.path().display());
    let Some(server) = Postgres::start_with(&[&setting]) else { return };
    // In the server's own words.
    let said = "password authentication failed for user \"me\"";
    is_told_without_secrets(&server.url(), said);
}

#[test]
fn over_redis_a_wrong_password_is_told_without_it() {
    let Some(server) = Redis::start() else { return };
    is_told_without_secrets(&server.url(), "Password authentication failed");
}

#[test]
fn over_redis_shells_take_turns_and_its_end_is_told_without_secrets() {
    let Some(server) = Redis::start() else { return };
    ten_shells_share_a_name(&server);
    namespaces_are_lockspaces_of_their_own(&server);
    its_end_is_told_without_secrets(&server);
}

#[test]
fn over_postgres_shells_take_turns_and_its_end_is_told_without_secrets() {
    let Some(server) = Postgres::start() else { return };
    ten_shells_share_a_name(&server);
    namespaces_are_lockspaces_of_their_own(&server);
    its_end_is_told_without_secrets(&server);
}

#[test]
fn over_etcd_shells_take_turns_and_its_end_is_told_without_secrets() {
    let Some(server) = Etcd::start() else { return };
    ten_shells_share_a_name(&server);
    namespaces_are_lockspaces_of_their_own(&server);
    its_end_is_told_without_secrets(&server);
}
