//! `ls`, `top`, `health`, `wait` and `force-release`, as an operator runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;

use lockspace::store::record::{Claim, Record, SessionId, SessionRecord};
use lockspace::store::{Key, Store, Swap, Version};
use lockspace_sqlite::SqliteStore;
use serde_json::Value;
use tempfile::TempDir;

const HOLDER: Claim = Claim { session: SessionId(1), number: 1 };
const WAITER: Claim = Claim { session: SessionId(2), number: 1 };

/// A store in a folder of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("locks.sqlite").display())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
        command.args(args).env("LOCKSPACE_STORE", self.url()).stdin(std::process::Stdio::null());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    /// The status of a command, and all that it said.
    fn said(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.output(args);
        let text = [&*output.stdout, &*output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("it speaks UTF-8"))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.output(args).stdout).expect("it is JSON")
    }

    /// Puts rows into the store, or takes them out.
    fn put(&self, key: &str, row: Option<&str>) -> Version {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("there is a runtime").block_on(async {
            let path = self.0.path().join("locks.sqlite");
            let store = SqliteStore::open(path).await.expect("it can be opened");
            let known = store.load(key).await.expect("it can be read").map(|(version, _)| version);
            match store.swap(key, known, row.map(str::as_bytes)).await {
                Ok(Swap::Swapped(version)) => version,
                other => panic!("{other:?}"),
            }
        })
    }

    /// Somebody holds `name` and somebody waits; both live for `ttl`.
    fn held(&self, name: &str, ttl: Duration) -> u64 {
        for (claim, label) in [(HOLDER, "backup on host-a"), (WAITER, "\u{202e}cron")] {
            let record = SessionRecord::new(ttl, label).to_string();
            self.put(&Key::Session(claim.session).to_string(), Some(&record));
        }
        let record = Record { queue: vec![WAITER], ..Record::held_by(HOLDER) };
        self.put(&format!("lock/{name}"), Some(&record.to_string())).0
    }
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn ls_shows_who_holds_and_who_waits() {
    let place = Place::new();
    let token = place.held("invoice/42", LONG);
    let (status, text) = place.said(&["ls"]);
    assert_eq!(status, Some(0), "{text}");
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..3], ["invoice/42", &*token.to_string(), "holds"]);
    assert_eq!(lines[1][3..].join(" "), "backup on host-a");
    assert_eq!(lines[2][..3], ["invoice/42", "waits", "1"]);
    assert!(text.contains("\\u{202e}cron") && !text.contains('\u{202e}'), "{text:?}");
    let found = place.json(&["ls", "--json"]);
    assert_eq!(found["names"][0]["name"], "invoice/42");
    assert_eq!(found["names"][0]["token"], token);
    assert_eq!(found["names"][0]["holder"]["label"], "backup on host-a");
    assert_eq!(found["names"][0]["waiting"][0]["session"], WAITER.session.to_string());
}

#[test]
fn ls_of_an_empty_store_shows_nothing() {
    let place = Place::new();
    assert_eq!(place.json(&["ls", "--json"])["names"], Value::Array(Vec::new()));
    assert_eq!(place.said(&["ls"]).1.lines().count(), 1);
}

#[test]
fn ls_says_whose_session_has_ended() {
    let place = Place::new();
    place.held("a", LONG);
    place.put(&Key::Session(HOLDER.session).to_string(), None);
    assert!(place.said(&["ls"]).1.contains("(its session has ended)"));
    assert_eq!(place.json(&["ls", "--json"])["names"][0]["holder"]["label"], Value::Null);
}

#[test]
fn top_without_a_terminal_looks_once() {
    let place = Place::new();
    place.held("a", LONG);
    assert_eq!(place.said(&["top"]), place.said(&["ls"]));
}

#[test]
fn force_release_hands_the_name_to_whoever_waits_first() {
    let place = Place::new();
    let token = place.held("a", LONG);
    let (status, text) = place.said(&["force-release", "a", "--yes"]);
    assert_eq!((status, text.contains(&token.to_string())), (Some(0), true), "{text}");
    let found = place.json(&["ls", "--json"]);
    assert_eq!(found["names"][0]["holder"]["session"], WAITER.session.to_string());
    assert!(found["names"][0]["token"].as_u64() > Some(token), "{found}");
}

#[test]
fn force_release_of_a_free_name_is_status_1() {
    let (status, text) = Place::new().said(&["force-release", "a", "--yes"]);
    assert_eq!((status, &*text), (Some(1), "lockspace: nobody holds \"a\"\n"));
}

#[test]
fn force_release_that_nobody_confirms_does_nothing() {
    let place = Place::new();
    place.held("a", LONG);
    assert_eq!(place.said(&["force-release", "a"]).0, Some(2));
    let found = place.json(&["ls", "--json"]);
    assert_eq!(found["names"][0]["holder"]["session"], HOLDER.session.to_string());
}

#[test]
fn wait_ends_at_once_if_the_name_is_free() {
    assert_eq!(Place::new().said(&["wait", "a"]), (Some(0), String::new()));
}

#[test]
fn wait_gives_up_after_its_time_with_status_120() {
    let place = Place::new();
    place.held("a", LONG);
    let (status, text) = place.said(&["wait", "a", "--wait", "200ms"]);
    assert_eq!(
        (status, text.contains("did not come free within 200ms")),
        (Some(120), true),
        "{text}"
    );
}

#[test]
fn wait_ends_when_the_name_comes_free() {
    let place = Place::new();
    place.held("a", LONG);
    let mut child = place.command(&["wait", "a"]).spawn().expect("the binary runs");
    place.put("lock/a", None);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn wait_ends_when_all_who_had_the_name_are_silent_for_their_ttl() {
    let place = Place::new();
    place.held("a", Duration::from_millis(300));
    assert_eq!(place.said(&["wait", "a", "--wait", "60s"]).0, Some(0));
}

#[test]
fn health_tells_well_from_degraded_and_from_failing() {
    let place = Place::new();
    place.held("a", LONG);
    let (status, text) = place.said(&["health"]);
    assert_eq!(
        (status, text.starts_with("ok\n  1 held, 1 waiting, 2 sessions")),
        (Some(0), true),
        "{text}"
    );
    place.put("lock/b", Some("what is this?"));
    let (status, text) = place.said(&["health"]);
    assert_eq!((status, text.contains("\"lock/b\"")), (Some(1), true), "{text}");
    assert_eq!(place.json(&["health", "--json"])["status"], "degraded");
    let nowhere = place.said(&["health", "--json", "--store", "sqlite:/no/such/folder/a.sqlite"]);
    assert_eq!((nowhere.0, nowhere.1.contains("failing")), (Some(2), true), "{nowhere:?}");
}

#[test]
fn the_default_store_is_a_file_in_the_state_directory_for_its_owner_alone() {
    let place = Place::new();
    let state = place.0.path().join("state");
    let mut command = place.command(&["ls"]);
    command.env_remove("LOCKSPACE_STORE").env("XDG_STATE_HOME", &state);
    assert_eq!(command.output().expect("the binary runs").status.code(), Some(0));
    let folder = state.join("lockspace");
    let mode = fs::metadata(&folder).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(folder.join("locks.sqlite").exists());
    command.env_remove("XDG_STATE_HOME").env("HOME", place.0.path());
    assert_eq!(command.output().expect("the binary runs").status.code(), Some(0));
    assert!(place.0.path().join(".local/state/lockspace/locks.sqlite").exists());
    command.env_remove("HOME");
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--store sqlite:PATH"));
}

#[test]
fn a_name_that_is_none_is_an_error() {
    let place = Place::new();
    for args in [["wait", ""], ["wait", &*"n".repeat(5_000)]] {
        assert_eq!(place.said(&args).0, Some(2), "{args:?}");
    }
}

#[test]
fn a_secret_in_a_store_url_is_never_printed() {
    let place = Place::new();
    for url in [
        "redis://me:PASSWORD@127.0.0.1:1/0",
        "redis://me:PASS/WORD@127.0.0.1:1",
        "rediss://me:PASSWORD@cache/0",
        "postgres://me:PASS@WORD@db/locks",
        "etcd://h?password=PASSWORD",
        "mysql://me:PASSWORD@db",
        "PASSWORD",
        "--PASSWORD",
    ] {
        for command in ["ls", "top", "health"] {
            for json in [&[][..], &["--json"]] {
                let flag = format!("--store={url}");
                let by_flag = place.said(&[&[command, &*flag], json].concat());
                let mut by_variable = place.command(&[&[command], json].concat());
                let by_variable =
                    by_variable.env("LOCKSPACE_STORE", url).output().expect("it runs");
                let text =
                    [&*by_variable.stdout, &*by_variable.stderr, by_flag.1.as_bytes()].concat();
                let text = String::from_utf8(text).expect("it speaks UTF-8");
                assert!(!text.contains("PASS") && !text.contains("WORD"), "{url}: {text}");
                assert_eq!((by_flag.0, by_variable.status.code()), (Some(2), Some(2)), "{url}");
            }
        }
    }
}
