//! Runs `examples/service.rs` as a process of its own, scrapes it, probes it, and asks it to end.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running service. It does not outlive the test, however that ends.
struct Service {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    fn start() -> Self {
        let mut path = std::env::current_exe().expect("this test is a file");
        path.pop();
        path.pop();
        let path = path.join("examples/service");
        assert!(
            path.exists(),
            "{path:?} is missing: run `cargo build --all-features --examples` first"
        );
        let mut process = Command::new(path)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
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
            "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("the service listens");
            stream.write_all(request.as_bytes()).expect("it reads the request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            (status.expect("an HTTP answer"), body.to_owned())
        })
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.send(&format!("GET {path}"), "").join().expect("an answer")
    }

    fn book(&self, milliseconds: u32) -> JoinHandle<(u16, String)> {
        self.send("POST /invoice/42", &milliseconds.to_string())
    }

    /// The value of a sample, as Prometheus would read it.
    fn sample(&self, sample: &str) -> f64 {
        let (status, page) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        let value = line.unwrap_or_else(|| panic!("no {sample} in\n{page}"));
        value.parse().expect("a number")
    }

    /// Asks for something until it is so.
    #[track_caller]
    fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the process to end, as a supervisor does.
    fn terminate(&self) {
        let id = self.process.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
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
fn is_scraped_probed_and_ends_cleanly() {
    let mut service = Service::start();
    assert_eq!(service.get("/live"), (200, "alive\n".into()));
    assert_eq!(service.get("/ready"), (200, "ok\n".into()));
    assert_eq!(service.sample(r#"lockspace_held{lockspace="billing"}"#), 0.0);

    // One booking takes long; another waits for the same invoice, in vain.
    let long = service.book(4_000);
    service.until("the booking begins", |service| {
        service.sample(r#"lockspace_held{lockspace="billing"}"#) == 1.0
    });
    let (status, why) = service.book(1).join().expect("an answer");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("held by booking under token "), "{why}");
    assert!(why.ends_with("; 0 of 1 in the queue were ahead\n"), "{why}");
    let invoices = r#"lockspace="billing",class="invoice""#;
    let refused = format!(r#"lockspace_refused_total{{{invoices},reason="timed_out"}}"#);
    assert_eq!(service.sample(&refused), 1.0);
    let wait = format!(r#"lockspace_wait_seconds_bucket{{{invoices},outcome="refused",le="10"}}"#);
    assert_eq!(service.sample(&wait), 1.0);

    // A long hold degrades the service, and it is still ready.
    service.until("the long hold is told", |service| {
        let (status, health) = service.get("/ready");
        assert_eq!(status, 200, "{health}");
        health.starts_with("degraded\ndegraded: \"invoice/42\" has been held for ")
    });

    // Asked to end, it is not ready but alive, and the booking may finish.
    service.terminate();
    service.until("it is not ready", |service| service.get("/ready").0 == 503);
    let (_, health) = service.get("/ready");
    assert!(health.starts_with("failing\nfailing: the lockspace is shutting down\n"), "{health}");
    assert_eq!(service.get("/live").0, 200);
    assert_eq!(service.sample(&format!("lockspace_acquires_total{{{invoices}}}")), 1.0);
    let (status, booked) = long.join().expect("an answer");
    assert_eq!(status, 200, "{booked}");

    let mut report = String::new();
    service.output.read_to_string(&mut report).expect("the service ends");
    assert_eq!(report, "shut down: 1 released, 0 revoked\n");
    assert_eq!(service.process.wait().expect("it ends").code(), Some(0));
    let mut log = String::new();
    let stderr = service.process.stderr.as_mut().expect("it is piped");
    stderr.read_to_string(&mut log).expect("the service has ended");
    assert_eq!(log.matches("a name is held for longer than it should be").count(), 1, "{log}");
    assert!(log.contains("examples/service.rs:"), "{log}");
}
