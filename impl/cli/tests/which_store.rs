//! Which store is meant, where it is not said as it should be: never another one than was meant.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Runs the command with a home of its own; answers its status and what it said.
fn run(home: &TempDir, store: Option<&OsStr>, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
    command.args(args).env("XDG_STATE_HOME", home.path()).env_remove("LOCKSPACE_STORE");
    command.envs(store.map(|store| ("LOCKSPACE_STORE", store)));
    let output = command.output().expect("the binary runs");
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn home() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

fn default_file(home: &TempDir) -> impl AsRef<Path> {
    home.path().join("lockspace/locks.sqlite")
}

/// An error for whoever only looks, and no command is run under a lock that is somewhere else.
#[test]
fn a_variable_that_names_no_store_is_an_error_and_never_the_default() {
    let not_utf_8 = OsString::from_vec(b"sqlite:/tmp/caf\xe9.sqlite".to_vec());
    for (store, said) in [
        (OsStr::new(""), "LOCKSPACE_STORE is empty"),
        (&not_utf_8, "LOCKSPACE_STORE is not UTF-8"),
        (OsStr::new("locks.sqlite"), "there is no such kind of store"),
    ] {
        let home = home();
        for (args, status) in
            [(&["ls"][..], 2), (&["health"], 2), (&["exec", "job", "--", "echo", "inside"], 125)]
        {
            let (code, text) = run(&home, Some(store), args);
            assert_eq!((code, text.contains(said)), (Some(status), true), "{store:?}: {text}");
            assert!(!text.contains("inside"), "{store:?}: {text}");
        }
        assert!(!default_file(&home).as_ref().exists(), "{store:?}");
    }
}

#[test]
fn the_flag_is_stronger_than_the_variable_whatever_that_is() {
    let home = home();
    let flag = format!("--store=sqlite:{}", home.path().join("mine.sqlite").display());
    assert_eq!(run(&home, Some(OsStr::new("")), &["ls", &flag]).0, Some(0));
    assert!(home.path().join("mine.sqlite").exists());
    assert!(!default_file(&home).as_ref().exists());
}

#[test]
fn a_namespace_is_a_lockspace_of_its_own() {
    let home = home();
    let binary = env!("CARGO_BIN_EXE_lockspace");
    let seen_from = |namespace: &[&str]| {
        let held = ["exec", "job", "--namespace=billing", "--label=holder", "--", binary, "ls"];
        let (code, text) = run(&home, None, &[&held[..], namespace].concat());
        assert_eq!(code, Some(0), "{text}");
        text.contains("holder")
    };
    assert!(seen_from(&["--namespace=billing"]));
    assert!(!seen_from(&["--namespace=payroll"]));
    assert!(!seen_from(&[]));
}

/// What happened, to what, and what to do about it.
#[test]
fn an_error_says_what_to_do() {
    let home = home();
    let long = "x".repeat(256);
    for (args, said) in [
        (["wait", "", "--json"], "\"\": a lock's name must not be empty"),
        (["force-release", "", "--json"], "\"\": a lock's name must not be empty"),
        (["wait", &long, "--json"], "xxx…\": a lock's name must not be longer than 255 bytes"),
        (["ls", "--store", "mysql://me:SECRET@db/a"], "mysql://…: there is no such kind of store"),
        (["ls", "--store", "sqlite:"], "sqlite:: the path of a file is missing, as in sqlite:/"),
        (["ls", "--store", "sqlite:/no/such/folder/a"], "sqlite:/no/such/folder/a: the file"),
        #[cfg(feature = "redis")]
        (["ls", "--store", "redis://me:SECRET@127.0.0.1:1"], "redis://…@127.0.0.1:1: the server"),
        #[cfg(feature = "postgres")]
        (["ls", "--store", "postgres://me:SECRET@127.0.0.1:1/a"], "127.0.0.1:1/a: the server"),
        #[cfg(feature = "etcd")]
        (["ls", "--store", "etcd://me:SECRET@127.0.0.1:1"], "etcd://…@127.0.0.1:1: the servers"),
    ] {
        let (code, text) = run(&home, None, &args);
        assert_eq!((code, text.contains(said)), (Some(2), true), "{args:?}: {text}");
        assert!(!text.contains("SECRET") && text.lines().count() == 1, "{args:?}: {text}");
        if text.contains("127.0.0.1:1") {
            assert_eq!(text.matches("Connection refused").count(), 1, "{text}");
            assert!(text.contains("see that it runs, and that the URL is right"), "{text}");
        }
    }
    let (code, text) = run(&home, None, &["exec", "a", "--ttl=1ms", "--", "true"]);
    assert_eq!((code, &*text), (Some(125), "lockspace: the ttl is shorter than 100ms\n"));
}

#[test]
fn without_a_variable_it_is_the_default() {
    let home = home();
    assert_eq!(run(&home, None, &["ls"]).0, Some(0));
    assert!(default_file(&home).as_ref().exists());
}
