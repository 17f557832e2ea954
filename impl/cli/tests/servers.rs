//! The same over a server: `exec`, `ls` and `health` with a server of the test's own.
#![cfg(all(feature = "etcd", feature = "postgres", feature = "redis"))]

mod soon;

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use lockspace::store::record::{Claim, Record, SessionId, SessionRecord};
use lockspace::store::{Key, Store, Swap};
use lockspace_redis::RedisStore;
use lockspace_servers::{Etcd, Postgres, Redis, Server};
use rustix::process::{Pid, Signal, kill_process};
use soon::until;

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

/// A command under way whose outputs are read.
struct Running {
    process: Child,
    said: BufReader<ChildStdout>,
    told: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary runs");
        let said = BufReader::new(process.stdout.take().expect("it was piped"));
        let told = BufReader::new(process.stderr.take().expect("it was piped"));
        Self { process, said, told }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it is there");
    }
}

/// Nothing is left of a test that fails. The kernel kills a command with its wrapper.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The next line.
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("it can be read");
    line.trim().to_owned()
}

/// Puts rows into the store, or takes them out.
fn put(server: &Server, rows: &[(&str, Option<&str>)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("there is a runtime").block_on(async {
        let store = RedisStore::connect(&server.url(), "default").await.expect("it is there");
        for (key, row) in rows {
            let known = store.load(key).await.expect("it answers").map(|(version, _)| version);
            let swap = store.swap(key, known, row.map(str::as_bytes)).await;
            assert!(matches!(swap, Ok(Swap::Swapped(_))), "{swap:?}");
        }
    });
}

/// How many connections of the server wait for hints.
fn listeners(server: &Server) -> usize {
    let mut stream = TcpStream::connect(server.address()).expect("it is there");
    stream.write_all(b"CLIENT LIST\r\nQUIT\r\n").expect("it reads");
    let mut list = String::new();
    stream.read_to_string(&mut list).expect("it answers");
    list.matches(" sub=1 ").count()
}

#[test]
fn over_redis_a_restart_ends_neither_wait_nor_top() {
    let Some(server) = Redis::start() else { return };
    let holder = SessionId(1);
    let lives = SessionRecord::new(Duration::from_secs(3600), "holder").to_string();
    let holds = Record::held_by(Claim { session: holder, number: 1 }).to_string();
    put(&server, &[(&Key::Session(holder).to_string(), Some(&lives)), ("lock/a", Some(&holds))]);
    let url = server.url();
    let mut wait = Running::start(lockspace(&url, &["wait", "a"]));
    let mut top = Running::start(lockspace(&url, &["top", "--json", "--every", "0.1"]));
    until("both have looked", || listeners(&server) == 1);
    assert!(line(&mut top.said).contains("\"holder\""));
    server.kill();
    for told in [&mut wait.told, &mut top.told] {
        let told = line(told);
        assert!(told.starts_with("lockspace: the store cannot be used: "), "{told}");
    }
    server.restart();
    put(&server, &[("lock/a", None)]);
    assert_eq!(wait.process.wait().expect("it ends").code(), Some(0));
    until("it shows what there is", || line(&mut top.said).contains("\"names\":[]"));
    top.send(Signal::TERM);
    assert_eq!(top.process.wait().expect("it ends").code(), Some(0));
}

#[test]
fn over_redis_who_insists_on_an_end_does_not_wait_for_a_silent_server() {
    let Some(server) = Redis::start() else { return };
    let script = "trap 'echo ended; exit 9' TERM; echo begun; while :; do sleep 0.01; done";
    let exec = ["exec", "job", "--ttl", "1h", "--", "sh", "-c", script];
    let mut exec = Running::start(lockspace(&server.url(), &exec));
    assert_eq!(line(&mut exec.said), "begun");
    server.pause();
    exec.send(Signal::TERM);
    assert_eq!(line(&mut exec.said), "ended");
    // A signal that comes before it knows of that is still for the command.
    let mut ended = None;
    until("it ends", || {
        exec.send(Signal::TERM);
        ended = exec.process.try_wait().expect("it can be asked");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|ended| ended.code()), Some(9), "as its command ended");
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
