//! What becomes of a name when its holder is killed or stands still, over each store and by real processes:
//! it is taken over, the stale token is refused by what is fenced, the holder that goes on is told and its
//! command stopped, and no row is left. How long that may take is shown where time is paused, in
//! `tests/stores`: here a machine that has much else to do would have a say.
#![cfg(all(target_os = "linux", feature = "etcd", feature = "postgres", feature = "redis"))]

mod soon;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use lockspace::store::{Row, Store, StoreError};
use lockspace_etcd::EtcdStore;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_servers::{Etcd, Postgres, Redis};
use lockspace_sqlite::SqliteStore;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use soon::until;
use tempfile::TempDir;

/// Longer than a machine that has much else to do leaves out a process that lives.
const TTL: &str = "5s";

/// What protects a file from stale tokens: whoever writes shows his, and a smaller one than the last is
/// refused.
const FENCE: &str = r#"
write() {
    (
        flock 9
        last=$(cat last 2>/dev/null || echo 0)
        if [ "$LOCKSPACE_TOKEN" -ge "$last" ]; then
            echo "$LOCKSPACE_TOKEN" >last
            echo "$1" >>record
        else
            echo "$1" >>refused
        fi
    ) 9>fence
}
"#;

/// A store, and a folder for what is protected.
struct Place {
    url: String,
    folder: TempDir,
}

impl Place {
    fn new(url: String) -> Self {
        Self { url, folder: tempfile::tempdir().expect("there is room") }
    }

    fn file(&self, called: &str) -> PathBuf {
        self.folder.path().join(called)
    }

    fn read(&self, called: &str) -> String {
        fs::read_to_string(self.file(called)).unwrap_or_default()
    }

    fn lockspace(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockspace"));
        command.args(args).env("LOCKSPACE_STORE", &self.url).current_dir(self.folder.path());
        // In no foreground, wherever the tests are run from: the command has a group of its own.
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    fn exec(&self, options: &[&str], script: &str) -> Command {
        let script = format!("{FENCE}{script}");
        let exec = ["exec", "job", "--ttl", TTL];
        self.lockspace(&[&exec, options, &["--", "sh", "-c", &script]].concat())
    }

    fn names(&self) -> Value {
        let output = self.lockspace(&["ls", "--json"]).output().expect("the binary runs");
        let found: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        found["names"].clone()
    }

    /// Everything that stands in the namespace.
    fn rows(&self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let rows = runtime.expect("there is a runtime").block_on(all_rows(&self.url));
        rows.expect("the store answers").into_iter().map(|row| row.key).collect()
    }

    /// Until somebody stands in the queue. Only the store knows, and whoever asks it.
    fn until_somebody_waits(&self) {
        until("somebody waits", || {
            self.names()[0]["waiting"].as_array().is_some_and(|waiting| !waiting.is_empty())
        });
    }

    fn assert_that_nothing_is_left(&self) {
        assert_eq!(self.names(), json!([]));
        assert_eq!(self.rows(), [""; 0]);
    }
}

async fn all_rows(url: &str) -> Result<Vec<Row>, StoreError> {
    let cannot = "it can be opened";
    match url.split(':').next() {
        Some("etcd") => EtcdStore::builder().connect(url).await.expect(cannot).scan("").await,
        Some("postgres") => {
            PostgresStore::builder().connect(url).await.expect(cannot).scan("").await
        }
        Some("redis") => RedisStore::builder().connect(url).await.expect(cannot).scan("").await,
        _ => {
            let path = url.trim_start_matches("sqlite:");
            SqliteStore::open(path).await.expect(cannot).scan("").await
        }
    }
}

/// An `exec` under way, and what its script says.
struct Wrapper {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Wrapper {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let said = BufReader::new(process.stdout.take().expect("it was piped"));
        Self { process, said }
    }

    /// The next line of its script.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it can be read");
        line.trim().to_owned()
    }

    /// The process of its script, which has said it.
    fn command(&mut self) -> Pid {
        Pid::from_raw(self.line().parse().expect("it is a number")).expect("it is not zero")
    }

    /// Waits until its script has ended, and all that the script has started: what they say ends with the
    /// last of them.
    fn until_its_command_has_ended(&mut self) {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("it can be read");
        assert_eq!(rest, "");
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it is there");
    }

    fn end(mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }

    /// Ends it, as whoever is done with it does.
    fn terminate(self) {
        self.send(Signal::TERM);
        assert_eq!(self.end(), Some(128 + 15));
    }
}

/// Nothing is left of a test that fails. The kernel kills the command with its wrapper.
impl Drop for Wrapper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `kill -9` while somebody waits.
fn a_killed_holder_is_followed_by_whoever_waits(place: &Place) {
    let mut killed = Wrapper::start(place.exec(&[], "echo held; exec sleep 600"));
    assert_eq!(killed.line(), "held");
    let mut heir = Wrapper::start(place.exec(&[], "echo granted; exec sleep 600"));
    place.until_somebody_waits();
    killed.send(Signal::KILL);
    assert_eq!(killed.process.wait().expect("it ends").signal(), Some(9));
    assert_eq!(heir.line(), "granted");
    killed.until_its_command_has_ended();
    heir.terminate();
    place.assert_that_nothing_is_left();
}

/// `kill -9`, and only those come by who would not wait.
fn a_killed_holder_is_followed_by_whoever_would_not_wait(place: &Place) {
    let mut killed = Wrapper::start(place.exec(&[], "echo held; exec sleep 600"));
    assert_eq!(killed.line(), "held");
    assert_eq!(Wrapper::start(place.exec(&["--no-wait"], "echo never")).end(), Some(120));
    killed.send(Signal::KILL);
    killed.process.wait().expect("it ends");
    assert_eq!(Wrapper::start(place.exec(&["--wait", "0s"], "echo never")).end(), Some(120));
    let mut heir = Wrapper::start(place.exec(&["--no-wait"], "echo granted; exec sleep 600"));
    assert_eq!(heir.line(), "granted");
    heir.terminate();
    place.assert_that_nothing_is_left();
}

/// The holder and its command stand still, as on a machine that is suspended. The command goes on first, and
/// does not know yet.
fn a_holder_that_stood_still_cannot_write_and_is_told(place: &Place) {
    let script = "write first; mkfifo go; echo $$; read line <go; write stale; echo written; \
                  exec sleep 600";
    let mut paused = Wrapper::start(place.exec(&[], script));
    let command = paused.command();
    let mut heir = Wrapper::start(place.exec(&[], "write second; echo granted; exec sleep 600"));
    place.until_somebody_waits();
    paused.send(Signal::STOP);
    kill_process_group(command, Signal::STOP).expect("it is there");
    assert_eq!(heir.line(), "granted");
    kill_process_group(command, Signal::CONT).expect("it is there");
    fs::write(place.file("go"), "go on\n").expect("it can be written");
    assert_eq!(paused.line(), "written");
    assert_eq!(
        (place.read("record"), place.read("refused")),
        ("first\nsecond\n".into(), "stale\n".into())
    );
    paused.send(Signal::CONT);
    assert_eq!(paused.process.wait().expect("it ends").code(), Some(121), "it is told");
    paused.until_its_command_has_ended();
    heir.terminate();
    place.assert_that_nothing_is_left();
}

fn whatever_becomes_of_the_holder(url: String) {
    let place = Place::new(url);
    a_killed_holder_is_followed_by_whoever_waits(&place);
    a_killed_holder_is_followed_by_whoever_would_not_wait(&place);
    a_holder_that_stood_still_cannot_write_and_is_told(&place);
}

#[test]
fn over_sqlite_a_holder_that_is_killed_or_stands_still_is_followed_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    whatever_becomes_of_the_holder(format!(
        "sqlite:{}",
        folder.path().join("locks.sqlite").display()
    ));
}

#[test]
fn over_redis_a_holder_that_is_killed_or_stands_still_is_followed_and_leaves_nothing() {
    let Some(server) = Redis::start() else { return };
    whatever_becomes_of_the_holder(server.url());
}

#[test]
fn over_postgres_a_holder_that_is_killed_or_stands_still_is_followed_and_leaves_nothing() {
    let Some(server) = Postgres::start() else { return };
    whatever_becomes_of_the_holder(server.url());
}

#[test]
fn over_etcd_a_holder_that_is_killed_or_stands_still_is_followed_and_leaves_nothing() {
    let Some(server) = Etcd::start() else { return };
    whatever_becomes_of_the_holder(server.url());
}
