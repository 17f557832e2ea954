//! `lockspace exec`, as a user runs it: real commands, real signals, and several shells at once.

mod soon;
mod still;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use soon::until;
use still::stands_still;
use tempfile::TempDir;

/// How long a command may run that is stopped then: a shell that has much beside it must be able to start.
const START: &str = "3s";

/// The ttl of those whose death or loss is waited for: longer than a machine that has much else to do leaves
/// out a process that lives.
const TTL: &str = "5s";

/// A store in a folder of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    fn file(&self, called: &str) -> PathBuf {
        self.0.path().join(called)
    }

    fn lockspace(&self, args: &[&str]) -> Command {
        self.started_by(&["env", "--default-signal"], args)
    }

    /// Whoever starts it decides which signals it ignores: not whoever runs the tests.
    fn started_by(&self, starter: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(starter[0]);
        command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_lockspace"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // In no foreground, wherever the tests are run from: `terminal.rs` is about that.
        command.process_group(0);
        command.env("LOCKSPACE_STORE", format!("sqlite:{}", self.file("locks.sqlite").display()));
        command
    }

    /// Runs a shell script under the lock "job".
    fn exec(&self, options: &[&str], script: &str) -> Command {
        self.lockspace(&[&["exec", "job"], options, &["--", "sh", "-c", script]].concat())
    }

    fn output(&self, options: &[&str], script: &str) -> Output {
        self.exec(options, script).output().expect("the binary runs")
    }

    fn status(&self, options: &[&str], script: &str) -> Option<i32> {
        self.output(options, script).status.code()
    }
}

/// An `exec` whose script says something when it has begun.
struct Held {
    wrapper: Child,
    said: BufReader<ChildStdout>,
}

impl Held {
    /// Starts it, and waits until the script has written a line; answers that as well.
    fn new(mut command: Command) -> (Self, String) {
        let mut wrapper = command.spawn().expect("the binary runs");
        let mut said = BufReader::new(wrapper.stdout.take().expect("it was piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it can be read");
        (Self { wrapper, said }, line.trim().to_owned())
    }

    /// Waits until its script says this.
    fn hear(&mut self, what: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it can be read");
        assert_eq!(line.trim(), what);
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_child(&self.wrapper);
        kill_process(pid, signal).expect("it is there");
    }

    /// How it ended, and what else its script said. That ends with the last process that could say more.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut rest).expect("it can be read");
        (self.wrapper.wait().expect("it ends").code(), rest)
    }
}

/// Nothing is left of a test that fails. The kernel kills the command with its wrapper.
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.wrapper.kill();
        let _ = self.wrapper.wait();
    }
}

#[test]
fn the_command_has_the_name_and_the_token_in_its_environment() {
    let place = Place::new();
    let tokens = [0, 1].map(|_| {
        let output = place.output(&[], "echo $LOCKSPACE_NAME $LOCKSPACE_TOKEN");
        let text = String::from_utf8(output.stdout).expect("it prints text");
        let token = text.trim().strip_prefix("job ").expect("the name comes first");
        token.parse::<u64>().expect("the token is a number")
    });
    assert!(tokens[0] > 0 && tokens[0] < tokens[1], "{tokens:?}");
}

#[test]
fn standard_input_and_both_outputs_are_the_commands_own() {
    let place = Place::new();
    let mut command = place.exec(&[], "cat; echo wrong >&2");
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("it was piped");
    input.write_all(b"through\0and through").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((&*output.stdout, &*output.stderr), (&b"through\0and through"[..], &b"wrong\n"[..]));
}

#[test]
fn the_exit_status_of_the_command_is_passed_on() {
    let place = Place::new();
    for status in [0, 1, 7, 120, 255] {
        assert_eq!(place.status(&[], &format!("exit {status}")), Some(status));
    }
    assert_eq!(place.status(&[], "kill -TERM $$"), Some(128 + 15));
    assert_eq!(place.status(&[], "kill -KILL $$"), Some(128 + 9));
}

#[test]
fn failures_of_its_own_have_a_status_of_their_own() {
    let place = Place::new();
    let run =
        |args: &[&str]| place.lockspace(args).output().expect("the binary runs").status.code();
    assert_eq!(run(&["exec", "job", "--", "/no/such/command"]), Some(127));
    assert_eq!(run(&["exec", "job", "--", "/"]), Some(126));
    assert_eq!(
        run(&["exec", "job", "--store", "sqlite:/no/such/folder/a", "--", "true"]),
        Some(125)
    );
    assert_eq!(run(&["exec", "job", "--store", "etcd://h:x", "--", "true"]), Some(125));
    assert_eq!(run(&["exec", "job", "--ttl", "1ms", "--", "true"]), Some(125));
    assert_eq!(run(&["exec", "", "--", "true"]), Some(125));
    assert_eq!(run(&["exec", "job"]), Some(2));
}

#[test]
fn who_would_not_wait_is_told_that_the_name_is_busy() {
    let place = Place::new();
    let (held, _) = Held::new(place.exec(&["--ttl", TTL], "echo begun; exec sleep 600"));
    for options in [&["--no-wait"][..], &["--wait", "100ms"], &["--wait", "0s"]] {
        let busy = place.output(options, "echo never");
        assert_eq!((busy.status.code(), &*busy.stdout), (Some(120), &b""[..]), "{options:?}");
    }
    held.send(Signal::TERM);
    assert_eq!(held.end().0, Some(128 + 15), "it was not lost meanwhile");
    assert_eq!(place.status(&["--no-wait"], "true"), Some(0), "the name is free again");
}

#[test]
fn what_a_killed_wrapper_has_left_is_taken_over_by_those_who_would_not_wait() {
    for options in [&["--no-wait"][..], &["--wait", "1ms"]] {
        let place = Place::new();
        let (mut held, _) = Held::new(place.exec(&["--ttl", TTL], "echo begun; exec sleep 600"));
        held.wrapper.kill().expect("it is there");
        held.wrapper.wait().expect("it ends");
        assert_eq!(
            place.status(&["--wait", "0s"], "true"),
            Some(120),
            "nobody knows that it is dead"
        );
        // Five at the same time, none of which waits behind another one that lives.
        let mut runs: Vec<Child> = (0..5)
            .map(|_| place.exec(options, "echo taken").spawn().expect("the binary runs"))
            .collect();
        let ends: Vec<_> = runs.iter_mut().map(|run| run.wait().expect("it ends").code()).collect();
        assert!(ends.contains(&Some(0)), "{options:?}: {ends:?}");
        assert!(ends.iter().all(|end| [Some(0), Some(120)].contains(end)), "{options:?}: {ends:?}");
        assert_eq!(place.status(&["--wait", "0s"], "true"), Some(0), "the name is free again");
    }
}

#[test]
fn ls_shows_the_label_of_who_holds_and_not_the_arguments() {
    let place = Place::new();
    let ls = || {
        let output = place.lockspace(&["ls"]).output().expect("the binary runs");
        String::from_utf8(output.stdout).expect("it prints text")
    };
    let (held, _) = Held::new(place.exec(&[], "echo begun; exec sleep 600 # PASSWORD"));
    let said = ls();
    assert!(said.contains("sh (pid ") && !said.contains("PASSWORD"), "{said}");
    held.send(Signal::TERM);
    held.end();
    let (held, _) =
        Held::new(place.exec(&["--label", "nightly backup"], "echo begun; exec sleep 600"));
    assert!(ls().contains("nightly backup"));
    held.send(Signal::TERM);
    held.end();
    assert_eq!(ls().lines().count(), 1, "nothing is left");
}

#[test]
fn signals_reach_the_command() {
    let place = Place::new();
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script = format!(
            "trap 'echo got {name}; exit 9' {name}; echo begun; while :; do sleep 0.01; done"
        );
        let (held, _) = Held::new(place.exec(&[], &script));
        held.send(signal);
        assert_eq!(held.end(), (Some(9), format!("got {name}\n")));
    }
}

/// The process that says its number.
fn number(said: &str) -> Pid {
    Pid::from_raw(said.parse().expect("it is a number")).expect("it is not zero")
}

#[test]
fn ctrl_z_stops_the_command_with_its_wrapper_and_both_go_on_together() {
    let place = Place::new();
    let (held, said) = Held::new(place.exec(&[], "echo $$; exec sleep 600"));
    let both = [Pid::from_child(&held.wrapper), number(&said)];
    for _ in 0..2 {
        held.send(Signal::TSTP);
        until("both stand still", || both.into_iter().all(stands_still));
        held.send(Signal::CONT);
        until("both go on", || !both.into_iter().any(stands_still));
    }
    held.send(Signal::TERM);
    assert_eq!(held.end().0, Some(128 + 15));
}

#[test]
fn a_command_whose_lock_was_lost_while_it_stood_still_does_not_go_on() {
    let place = Place::new();
    let record = place.file("record");
    // A shell that starts something just then waits for that, and is not seen to stand still.
    let script = format!("echo $$; while :; do echo works >>{}; done", record.display());
    let (held, said) = Held::new(place.exec(&["--ttl", TTL], &script));
    let command = number(&said);
    held.send(Signal::TSTP);
    until("it stands still", || stands_still(command));
    let worked = fs::read_to_string(&record).unwrap_or_default();
    assert_eq!(place.status(&[], "true"), Some(0), "somebody else has the name meanwhile");
    held.send(Signal::CONT);
    assert_eq!(held.end().0, Some(121));
    assert_eq!(fs::read_to_string(&record).unwrap_or_default(), worked);
}

#[test]
fn a_signal_that_is_ignored_from_the_beginning_does_not_reach_the_command() {
    let place = Place::new();
    let script = "trap 'exit 9' USR1; echo begun; while :; do sleep 0.01; done";
    for (signal, name) in [(Signal::HUP, "HUP"), (Signal::INT, "INT"), (Signal::QUIT, "QUIT")] {
        // As nohup(1) does, and as a shell does to what a script leaves in the background.
        let ignore = format!("--ignore-signal={name}");
        let args = ["exec", "job", "--", "sh", "-c", script];
        let started = place.started_by(&["env", "--default-signal", &ignore], &args);
        let (held, _) = Held::new(started);
        held.send(signal);
        // Passed on in this order, if at all.
        held.send(Signal::USR1);
        assert_eq!(held.end().0, Some(9), "{name}");
    }
}

#[test]
fn who_is_ended_while_it_waits_leaves_the_queue() {
    let place = Place::new();
    let (held, _) = Held::new(place.exec(&[], "echo begun; exec sleep 600"));
    let mut waiter = place.exec(&[], "echo never").spawn().expect("the binary runs");
    let waiting = || {
        let output = place.lockspace(&["ls"]).output().expect("the binary runs");
        String::from_utf8_lossy(&output.stdout).contains("waits 1")
    };
    until("somebody waits", waiting);
    kill_process(Pid::from_child(&waiter), Signal::TERM).expect("it is there");
    assert_eq!(waiter.wait().expect("it ends").code(), Some(128 + 15));
    assert!(!waiting());
    held.send(Signal::TERM);
    held.end();
}

#[test]
fn a_command_that_runs_too_long_is_stopped_before_the_name_is_released() {
    let place = Place::new();
    let record = place.file("record");
    let script = format!(
        "trap 'sleep 0.3; echo over >> {0}; exit' TERM; echo begun; while :; do sleep 0.01; done",
        record.display()
    );
    let (held, _) = Held::new(place.exec(&["--max-hold", START], &script));
    let next = format!("echo next >> {}", record.display());
    assert_eq!(place.status(&[], &next), Some(0));
    assert_eq!(held.end().0, Some(124));
    assert_eq!(fs::read_to_string(&record).expect("they wrote"), "over\nnext\n");
}

#[test]
fn a_command_is_stopped_as_ever_though_nobody_hears_what_exec_says() {
    let place = Place::new();
    let record = place.file("record");
    // The shell says something too when what it waits for is ended.
    let script = format!(
        "exec 2>&-; trap 'echo over >{}; exit' TERM; echo begun; while :; do sleep 0.01; done",
        record.display()
    );
    let mut command = place.exec(&["--max-hold", START], &script);
    let (reader, unread) = std::io::pipe().expect("there are pipes");
    drop(reader);
    command.stderr(unread);
    let (held, _) = Held::new(command);
    assert_eq!(held.end().0, Some(124));
    assert_eq!(fs::read_to_string(&record).expect("it was asked to end"), "over\n");
}

#[test]
fn a_command_that_does_not_heed_sigterm_is_killed_with_all_of_its_group() {
    let place = Place::new();
    let script = "trap '' TERM; sleep 600 & echo begun; while :; do sleep 0.01; done";
    let options = ["--max-hold", START, "--kill-after", "100ms"];
    let (held, _) = Held::new(place.exec(&options, script));
    let begun = Instant::now();
    assert_eq!(held.end().0, Some(124));
    assert!(begun.elapsed() < Duration::from_secs(300), "it ended by itself, nobody killed it");
}

#[test]
fn a_command_is_stopped_when_its_lock_is_lost() {
    let place = Place::new();
    let (held, _) = Held::new(place.exec(&["--ttl", TTL], "echo begun; exec sleep 600"));
    let forced = place.lockspace(&["force-release", "job", "--yes"]).output().expect("it runs");
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(held.end().0, Some(121));
}

#[test]
fn a_command_that_is_being_stopped_is_killed_when_its_lock_is_lost() {
    let place = Place::new();
    let script = "trap 'echo asked' TERM; echo begun; while :; do sleep 0.01; done";
    let options = ["--ttl", TTL, "--max-hold", START, "--kill-after", "300s"];
    let (mut held, _) = Held::new(place.exec(&options, script));
    held.hear("asked");
    let forced = place.lockspace(&["force-release", "job", "--yes"]).output().expect("it runs");
    assert_eq!(forced.status.code(), Some(0));
    let forced = Instant::now();
    assert_eq!(held.end().0, Some(121));
    // It hears of it by its next sweep, in about a ttl. It had been given five minutes.
    assert!(forced.elapsed() < Duration::from_secs(60), "{:?}", forced.elapsed());
}

#[test]
fn signals_reach_a_command_that_is_being_stopped() {
    let place = Place::new();
    let script = "trap 'echo asked' TERM; trap 'echo got USR1; exit' USR1; echo begun; \
                  while :; do sleep 0.01; done";
    let options = ["--max-hold", START, "--kill-after", "60s"];
    let (mut held, _) = Held::new(place.exec(&options, script));
    held.hear("asked");
    held.send(Signal::USR1);
    held.hear("got USR1");
    assert_eq!(held.end().0, Some(124));
}

#[test]
fn a_command_that_may_go_on_without_its_lock_does() {
    let place = Place::new();
    let options = ["--ttl", TTL, "--keep-running-when-lost"];
    let go = place.file("go");
    let script = format!("mkfifo {0}; echo begun; read line <{0}; exit 5", go.display());
    let (held, _) = Held::new(place.exec(&options, &script));
    let forced = place.lockspace(&["force-release", "job", "--yes"]).output().expect("it runs");
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(place.status(&[], "true"), Some(0), "somebody else has it in the meantime");
    fs::write(go, "go on\n").expect("it can be written");
    assert_eq!(held.end().0, Some(5));
}

#[test]
fn a_wrapper_that_is_killed_takes_its_command_along_and_the_name_is_free_after_its_ttl() {
    let place = Place::new();
    let (mut held, _) = Held::new(place.exec(&["--ttl", TTL], "echo begun; exec sleep 600"));
    held.wrapper.kill().expect("it is there");
    let killed = Instant::now();
    assert_eq!(held.wrapper.wait().expect("it ends").signal(), Some(9));
    held.end();
    assert!(killed.elapsed() < Duration::from_secs(300), "it ended by itself, nobody killed it");
    assert_eq!(place.status(&["--wait", "1ms"], "true"), Some(0), "no sign of life is seen");
}

#[test]
fn ten_shells_are_never_inside_at_the_same_time() {
    let place = Place::new();
    let record = place.file("record");
    let script = format!("echo in >> {0}; sleep 0.02; echo out >> {0}", record.display());
    let shells: Vec<Child> =
        (0..10).map(|_| place.exec(&[], &script).spawn().expect("the binary runs")).collect();
    for mut shell in shells {
        assert_eq!(shell.wait().expect("it ends").code(), Some(0));
    }
    let record = fs::read_to_string(&record).expect("they wrote");
    assert_eq!(record, "in\nout\n".repeat(10));
}

#[test]
fn without_the_lock_ten_shells_are_inside_at_the_same_time() {
    let place = Place::new();
    let (record, gate) = (place.file("record"), place.file("gate"));
    let made = Command::new("mkfifo").arg(&gate).status().expect("every system has it");
    assert!(made.success());
    let mut open = File::options().read(true).write(true).open(&gate).expect("it is there");
    let script =
        format!("echo in >> {0}; read go < {1}; echo out >> {0}", record.display(), gate.display());
    let shell = || Command::new("sh").args(["-c", &script]).spawn().expect("there is a shell");
    let shells = [(); 10].map(|()| shell());
    let inside = || fs::read_to_string(&record).unwrap_or_default();
    // Nobody leaves before all have come.
    until("all are inside", || inside() == "in\n".repeat(10));
    open.write_all("go\n".repeat(10).as_bytes()).expect("it can be written");
    for mut shell in shells {
        shell.wait().expect("it ends");
    }
    assert_eq!(inside(), "in\n".repeat(10) + &"out\n".repeat(10));
}

#[test]
fn a_report_says_how_it_went_and_leaves_both_outputs_to_the_command() {
    let place = Place::new();
    let file = place.file("report.json");
    let path = file.to_str().expect("a plain path");
    let report = || -> Value {
        serde_json::from_slice(&fs::read(&file).expect("it is there")).expect("it is JSON")
    };
    let output = place.output(&["--report", path], "echo $LOCKSPACE_TOKEN; echo wrong >&2; exit 7");
    let (said, ended) = (String::from_utf8(output.stdout).expect("it prints text"), report());
    assert_eq!((output.status.code(), &*output.stderr), (Some(7), &b"wrong\n"[..]));
    assert_eq!(ended["token"].to_string(), said.trim());
    assert_eq!((&ended["outcome"], &ended["status"]), (&"ended".into(), &7.into()));
    assert_eq!((&ended["name"], &ended["lost"]), (&"job".into(), &false.into()));
    assert!(ended["held_seconds"].is_f64() && ended["waited_seconds"].is_f64(), "{ended}");

    assert_eq!(place.status(&["--report", path, "--max-hold", "50ms"], "sleep 600"), Some(124));
    assert_eq!((&report()["outcome"], &report()["status"]), (&"held_too_long".into(), &124.into()));
    assert!(report()["held_seconds"].as_f64() >= Some(0.05), "{}", report());

    let (held, _) = Held::new(place.exec(&[], "echo begun; exec sleep 600"));
    assert_eq!(place.status(&["--report", path, "--wait", "50ms"], "echo never"), Some(120));
    assert_eq!((&report()["outcome"], &report()["token"]), (&"busy".into(), &Value::Null));
    assert!(report()["waited_seconds"].as_f64() >= Some(0.05), "{}", report());
    assert_eq!(report()["held_seconds"], Value::Null);
    held.send(Signal::TERM);
    held.end();

    assert_eq!(place.status(&["--report", path, "--ttl", "1ms"], "echo never"), Some(125));
    assert_eq!((&report()["outcome"], &report()["status"]), (&"failed".into(), &125.into()));
}

#[test]
fn a_report_tells_that_the_lock_was_lost() {
    let place = Place::new();
    let file = place.file("report.json");
    let options = ["--ttl", TTL, "--report", file.to_str().expect("a plain path")];
    let (held, _) = Held::new(place.exec(&options, "echo begun; exec sleep 600"));
    assert_eq!(fs::read(&file).expect("it was made at once"), b"");
    let forced = place.lockspace(&["force-release", "job", "--yes"]).output().expect("it runs");
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(held.end().0, Some(121));
    let report: Value =
        serde_json::from_slice(&fs::read(&file).expect("it is there")).expect("it is JSON");
    assert_eq!((&report["outcome"], &report["lost"]), (&"lost".into(), &true.into()));
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_done() {
    let place = Place::new();
    let output = place.output(&["--report", "/no/such/folder/report.json"], "echo never");
    assert_eq!((output.status.code(), &*output.stdout), (Some(125), &b""[..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/report.json"));
}
