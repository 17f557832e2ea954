//! Runs every example as a process of its own and looks at what it prints and how it ends.
//!
//! Cargo builds a package's examples together with its tests, beside this binary.

use std::path::PathBuf;
use std::process::Command;

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
mod graceful_shutdown {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, Stdio};
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

    use super::example;

    /// A running service. It does not outlive the test, however that ends.
    struct Service {
        process: Child,
        output: BufReader<std::process::ChildStdout>,
        address: String,
    }

    impl Service {
        fn start() -> Self {
            let mut process = example("graceful_shutdown")
                .arg("127.0.0.1:0")
                .stdout(Stdio::piped())
                .spawn()
                .expect("the service can be started");
            let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
            let mut line = String::new();
            output.read_line(&mut line).expect("the service says where it listens");
            let address = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
            Self { process, output, address }
        }

        /// Sends a request from a thread of its own. Answers the status and the body.
        fn send(&self, head: &str, body: &str) -> JoinHandle<(u16, String)> {
            let address = self.address.clone();
            let length = body.len();
            let request = format!(
                "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
                 content-length: {length}\r\n\r\n{body}"
            );
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).expect("the service listens");
                stream.write_all(request.as_bytes()).expect("it reads the request");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("it answers");
                let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
                let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
                (status.expect("an HTTP answer"), body.expect("an HTTP answer"))
            })
        }

        fn book(&self, id: &str, milliseconds: u32) -> JoinHandle<(u16, String)> {
            self.send(&format!("POST /invoice/{id}"), &milliseconds.to_string())
        }

        fn health(&self) -> (u16, String) {
            self.send("GET /health", "").join().expect("an answer")
        }

        /// Asks for the health until it is this.
        fn await_health(&self, expected: &str) {
            let begun = Instant::now();
            loop {
                let health = self.health();
                if health.1 == expected {
                    return;
                }
                assert!(
                    begun.elapsed() < Duration::from_secs(30),
                    "{health:?} is not {expected:?}"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
        }

        /// Asks the process to end, as a supervisor does.
        fn terminate(&self) {
            let id = self.process.id().to_string();
            let killed =
                std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
            assert!(killed.expect("there is a shell").success());
        }
    }

    impl Drop for Service {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    #[test]
    fn serialises_refuses_drains_and_reports() {
        let mut service = Service::start();
        assert_eq!(service.health(), (200, "well: 0 held, deepest queue 0\n".into()));

        // A long booking. Another one on the same invoice gives up after two seconds; other invoices
        // do not notice.
        let long = service.book("42", 6000);
        service.await_health("well: 1 held, deepest queue 0\n");
        let impatient = service.book("42", 1);
        assert_eq!(service.book("43", 1).join().expect("an answer").0, 200);
        let (status, why) = impatient.join().expect("an answer");
        assert_eq!(status, 409, "{why}");
        assert!(why.contains("did not come free within the wait timeout of 2s"), "{why}");

        // The process is asked to end while one books and one waits: the waiter and a newcomer are
        // refused at once, the booking may finish, and then the service ends in good order.
        let waiting = service.book("42", 1);
        service.await_health("well: 1 held, deepest queue 1\n");
        service.terminate();
        let (status, why) = waiting.join().expect("an answer");
        assert_eq!(status, 503, "{why}");
        assert!(why.contains("the lockspace is shutting down"), "{why}");
        assert_eq!(service.book("44", 1).join().expect("an answer").0, 503);
        assert_eq!(service.health(), (503, "the lockspace is shutting down\n".into()));
        let (status, booked) = long.join().expect("an answer");
        assert_eq!(status, 200, "{booked}");
        assert!(booked.starts_with("invoice/42 booked under token "), "{booked}");

        let mut report = String::new();
        service.output.read_to_string(&mut report).expect("the service ends");
        assert_eq!(report, "shut down: 1 released, 1 cancelled, 0 revoked\n");
        let ended = service.process.wait().expect("the service ends");
        assert_eq!(ended.code(), Some(0));
    }
}
