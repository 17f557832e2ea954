//! `ls`, `top`, `health`, `wait` and `force-release`, as an operator runs them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
        self.claimed(name, HOLDER, vec![WAITER])
    }

    /// The row of `name` says so.
    fn claimed(&self, name: &str, holder: Claim, queue: Vec<Claim>) -> u64 {
        let record = Record { queue, ..Record::held_by(holder) };
        self.put(&format!("lock/{name}"), Some(&record.to_string())).0
    }
}

/// A claim of somebody whose clock is so many seconds behind, and who has asked just now: or of somebody
/// whose clock goes right, and who has asked so many seconds ago.
fn asked(seconds_ago: i64, session: u128) -> Claim {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_micros();
    let now = i64::try_from(now).expect("it is not much later");
    let number = (now - seconds_ago * 1_000_000).cast_unsigned();
    Claim { session: SessionId(session), number }
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
    assert_eq!(lines[1][3..].join(" "), "? backup on host-a");
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
fn ls_shows_for_how_long_by_the_clocks_of_those_who_asked() {
    let place = Place::new();
    place.claimed("a", asked(7_265, 3), vec![asked(130, 4), asked(-30, 5), asked(-300, 6), WAITER]);
    let (_, text) = place.said(&["ls"]);
    let ages: Vec<_> =
        text.lines().skip(1).map(|line| line.split_whitespace().rev().nth(4)).collect();
    // A little ahead is now, and far ahead is not believed; who counts claims does not tell.
    assert_eq!(ages[0], Some("2h01m"), "{text}");
    assert!(ages[1].is_some_and(|age| age.starts_with("2m1")), "{text}");
    assert_eq!(ages[2..], [Some("0s"), Some("?"), Some("?")], "{text}");
    let name = &place.json(&["ls", "--json"])["names"][0];
    let ago = |claimed: &Value| claimed["asked_seconds_ago"].as_f64();
    assert!(ago(&name["holder"]).is_some_and(|ago| (7_265.0..7_325.0).contains(&ago)), "{name}");
    assert_eq!(ago(&name["waiting"][1]), Some(0.0), "{name}");
    assert_eq!((ago(&name["waiting"][2]), ago(&name["waiting"][3])), (None, None), "{name}");
    assert!(name["waiting"][2]["asked_at"].is_f64() && name["waiting"][3]["asked_at"].is_null());
    assert_eq!(name["held_for_at_least_seconds"], Value::Null, "it has looked only once");
}

#[test]
fn ls_says_which_session_has_a_row_that_cannot_be_read() {
    let place = Place::new();
    place.held("a", LONG);
    place.put(&Key::Session(HOLDER.session).to_string(), Some("what is this?"));
    let (_, text) = place.said(&["ls"]);
    assert!(text.contains("(the row of its session cannot be read)"), "{text}");
    assert_eq!(place.json(&["ls", "--json"])["names"][0]["holder"]["gone"], false);
}

#[test]
fn top_without_a_terminal_looks_once() {
    let place = Place::new();
    place.held("a", LONG);
    let (status, text) = place.said(&["top"]);
    assert_eq!((status, text.lines().count()), (Some(0), 3), "{text}");
    assert!(text.contains("HELD") && text.contains("0s+"), "{text}");
    assert_eq!(place.said(&["top", "--looks", "2", "--every", "0"]).1.lines().count(), 6);
}

#[test]
fn top_writes_a_line_of_json_for_each_look_until_nobody_reads_on() {
    let place = Place::new();
    let token = place.held("a", LONG);
    let mut command = place.command(&["top", "--json", "--every", "0.1"]);
    let mut top = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(top.stdout.take().expect("it was piped")).lines();
    let mut next = || {
        let line = lines.next().expect("it goes on").expect("it can be read");
        serde_json::from_str::<Value>(&line).expect("each line is a document")
    };
    let held = |found: &Value| found["names"][0]["held_for_at_least_seconds"].as_f64();
    let (first, second) = (next(), next());
    assert_eq!((held(&first), first["names"][0]["token"].as_u64()), (Some(0.0), Some(token)));
    assert!(held(&second) >= Some(0.1), "{second}");
    // Another hold is another token, and has been seen for no time.
    let handed_over = place.claimed("a", WAITER, Vec::new());
    let newer = loop {
        let found = next();
        if found["names"][0]["token"].as_u64() == Some(handed_over) {
            break found;
        }
    };
    assert_eq!(held(&newer), Some(0.0));
    drop(lines);
    assert_eq!(top.wait().expect("it ends").code(), Some(0));
}

#[test]
fn force_release_and_wait_answer_in_json() {
    let place = Place::new();
    let token = place.held("a", LONG);
    let answer = |args: &[&str]| {
        let output = place.output(args);
        assert!(output.stderr.is_empty(), "{output:?}");
        let document = serde_json::from_slice::<Value>(&output.stdout).expect("it is JSON");
        (output.status.code(), document)
    };
    let (status, document) = answer(&["wait", "a", "--wait", "50ms", "--json"]);
    assert_eq!(
        (status, &document["free"], &document["name"]),
        (Some(120), &false.into(), &"a".into())
    );
    assert!(document["waited_seconds"].as_f64() >= Some(0.05), "{document}");
    for (taken, status) in [(true, 0), (true, 0), (false, 1)] {
        let (ended, document) = answer(&["force-release", "a", "--yes", "--json"]);
        assert_eq!((ended, &document["taken"]), (Some(status), &taken.into()));
        assert_eq!(document["token"].is_u64(), taken, "{document}");
        assert!(document["token"].as_u64().is_none_or(|taken| taken >= token), "{document}");
    }
    let (status, document) = answer(&["wait", "a", "--json"]);
    assert_eq!((status, &document["free"]), (Some(0), &true.into()));
}

#[test]
fn what_could_not_be_carried_out_writes_no_document() {
    let place = Place::new();
    let nowhere = ["--json", "--store", "sqlite:/no/such/folder/a.sqlite"];
    for args in [&["ls"][..], &["top"], &["wait", "a"], &["force-release", "a", "--yes"]] {
        let output = place.output(&[args, &nowhere].concat());
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{args:?}");
    }
    let unasked = place.output(&["force-release", "a", "--json"]);
    assert_eq!((unasked.status.code(), &*unasked.stdout), (Some(2), &b""[..]));
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
fn the_status_is_the_same_though_nobody_reads_the_answer() {
    let place = Place::new();
    place.held("a", LONG);
    place.put("lock/b", Some("what is this?"));
    for (args, status) in [
        (&["health"][..], 1),
        (&["wait", "a", "--wait", "10ms"], 120),
        (&["force-release", "free", "--yes"], 1),
        (&["ls"], 0),
    ] {
        for json in [&[][..], &["--json"]] {
            let (reader, unread) = std::io::pipe().expect("there are pipes");
            drop(reader);
            // What is said on the error output is not heard either.
            let also = unread.try_clone().expect("it can be shared");
            let mut command = place.command(&[args, json].concat());
            let ended = command.stdout(unread).stderr(also).status().expect("the binary runs");
            assert_eq!(ended.code(), Some(status), "{args:?} {json:?}");
        }
    }
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
