//! Runs every example as a process of its own and looks at what it prints and how it ends.
//!
//! Cargo builds a package's examples together with its tests, beside this binary.

#[cfg(unix)]
mod served;

use std::path::PathBuf;
use std::process::Command;

#[cfg(unix)]
use served::Service;

/// An example, ready to be run.
fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("this test is a file");
    path.pop();
    path.pop();
    let path: PathBuf =
        path.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{path:?} is missing: run `cargo build --examples` first");
    Command::new(path)
}

/// Runs an example to its end. Answers what it printed.
fn run(name: &str) -> String {
    let output = example(name).output().expect("an example can be started");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} ended with {}\n{printed}{complained}", output.status);
    printed
}

#[test]
fn async_tasks() {
    let printed = run("async_tasks");
    assert!(printed.starts_with("account/alice: 10\n"), "{printed}");
    assert!(printed.contains("granted 31 times; now 0 held, 0 waiting"), "{printed}");
}

#[test]
fn threads() {
    let printed = run("threads");
    assert_eq!(printed.matches("prints under token").count(), 4, "{printed}");
    assert!(printed.contains("was lost: its lease ended\nnow 0 held, 0 waiting"), "{printed}");
}

#[test]
fn critical_section() {
    let printed = run("critical_section");
    assert!(printed.contains("was stopped at its time limit of 50ms"), "{printed}");
    assert!(printed.contains("1229 primes"), "{printed}");
}

#[test]
fn fenced_http() {
    let printed = run("fenced_http");
    let expected = "the quick one writes: HTTP/1.1 204 No Content\n\
                    the slow one writes: HTTP/1.1 412 Precondition Failed\n\
                    the report says: good\n";
    assert_eq!(printed, expected);
}

/// The service, from its first request to its last.
#[cfg(unix)]
#[test]
fn serialises_refuses_drains_and_reports() {
    let mut service = Service::start(example("graceful_shutdown"));
    let health = |service: &Service| service.get("/health");
    assert_eq!(health(&service), (200, "well: 0 held, deepest queue 0\n".into()));

    // A long booking. Another one on the same invoice gives up after two seconds; other invoices
    // do not notice.
    let long = service.book("42", 6000);
    let well = "well: 1 held, deepest queue 0\n";
    service.until("the booking begins", |service| health(service).1 == well);
    let impatient = service.book("42", 1);
    assert_eq!(service.book("43", 1).join().expect("an answer").0, 200);
    let (status, why) = impatient.join().expect("an answer");
    assert_eq!(status, 409, "{why}");
    assert!(why.contains("did not come free within the wait timeout of 2s"), "{why}");

    // The process is asked to end while one books and one waits: the waiter and a newcomer are
    // refused at once, the booking may finish, and then the service ends in good order.
    let waiting = service.book("42", 1);
    let queued = "well: 1 held, deepest queue 1\n";
    service.until("it queues", |service| health(service).1 == queued);
    service.terminate();
    let (status, why) = waiting.join().expect("an answer");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("the lockspace is shutting down"), "{why}");
    assert_eq!(service.book("44", 1).join().expect("an answer").0, 503);
    assert_eq!(health(&service), (503, "the lockspace is shutting down\n".into()));
    let (status, booked) = long.join().expect("an answer");
    assert_eq!(status, 200, "{booked}");
    assert!(booked.starts_with("invoice/42 booked under token "), "{booked}");

    assert_eq!(service.end(), "shut down: 1 released, 1 cancelled, 0 revoked\n");
}
