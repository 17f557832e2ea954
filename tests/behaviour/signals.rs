//! Signals: a service that is asked to end drains its locks first.
//!
//! Each test runs itself a second time as a child process, which serves until it is signalled, and tells
//! on its standard output what became of its locks.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use lockspace::{LockSpace, Phase, ShutdownReport};
use lockspace_tests::{Hand, let_tasks_run};

use crate::ms;

/// Set in the child, where the test plays the service.
const ROLE: &str = "LOCKSPACE_TEST_IS_THE_SERVICE";

/// A service in a process of its own.
struct Service {
    process: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Service {
    /// Runs `test` again, as the service.
    fn start(test: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(ROLE, "yes")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, says }
    }

    /// Reads on until the service says `what`.
    fn wait_for(&mut self, what: &str) {
        let said = self.says.by_ref().map(Result::unwrap).any(|line| line.contains(what));
        assert!(said, "the service ended without saying {what:?}");
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn ends_well(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

fn is_the_service() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// The service: it holds a name until it hears that it is to end, or until the name is revoked.
#[tokio::main(flavor = "current_thread")]
async fn serve(finishes: bool) -> ShutdownReport {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let listener = space.clone();
    let shutdown = tokio::spawn(async move { listener.shutdown_on_signals(ms(3_600_000)).await });
    let_tasks_run().await;
    println!("ready");
    space.acquire("a").await.unwrap_err(); // Waits until the drain begins.
    println!("draining");
    if !finishes {
        guard.lost().await;
    }
    drop(guard);
    shutdown.await.unwrap().unwrap()
}

fn ends_when_signalled(test: &str, signal: &str) {
    if is_the_service() {
        let report = serve(true);
        assert_eq!((report.released, report.cancelled, report.revoked), (1, 1, 0));
        return;
    }
    let mut service = Service::start(test);
    service.wait_for("ready");
    service.signal(signal);
    service.wait_for("draining");
    service.ends_well();
}

#[test]
fn sigterm_drains_and_the_service_ends_well() {
    ends_when_signalled("signals::sigterm_drains_and_the_service_ends_well", "TERM");
}

#[test]
fn sigint_drains_and_the_service_ends_well() {
    ends_when_signalled("signals::sigint_drains_and_the_service_ends_well", "INT");
}

#[test]
fn second_signal_ends_the_grace_at_once() {
    if is_the_service() {
        let report = serve(false);
        assert_eq!((report.released, report.cancelled, report.revoked), (0, 1, 1));
        return;
    }
    let mut service = Service::start("signals::second_signal_ends_the_grace_at_once");
    service.wait_for("ready");
    service.signal("TERM");
    service.wait_for("draining");
    service.signal("INT");
    service.ends_well();
}

#[test]
fn listener_dropped_after_any_poll_leaves_nothing() {
    if is_the_service() {
        return listen_and_leave();
    }
    // In a process of its own, because a runtime that has listened goes on catching the signals.
    Service::start("signals::listener_dropped_after_any_poll_leaves_nothing").ends_well();
}

#[tokio::main(flavor = "current_thread")]
async fn listen_and_leave() {
    for polls in 0..4 {
        let space = LockSpace::new();
        let mut listener = Hand::new(space.shutdown_on_signals(ms(1_000)));
        for _ in 0..polls {
            assert!(listener.poll().is_pending());
        }
        drop(listener);
        assert_eq!(space.phase(), Phase::Open);
        assert!(space.audit().is_quiescent());
    }
}
