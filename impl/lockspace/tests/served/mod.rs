//! An example that serves HTTP, run as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running service. It does not outlive the test, however that ends.
pub(crate) struct Service {
    pub(crate) process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    /// Returns when it listens.
    pub(crate) fn start(mut example: Command) -> Self {
        example.arg("127.0.0.1:0").stdout(Stdio::piped());
        let mut process = example.spawn().expect("the service can be started");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the service says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
        Self { process, output, address }
    }

    /// Sends a request from a thread of its own. Answers the status and the body.
    pub(crate) fn send(&self, head: &str, body: &str) -> JoinHandle<(u16, String)> {
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
            let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            (status.expect("an HTTP answer"), body.to_owned())
        })
    }

    pub(crate) fn book(&self, id: &str, milliseconds: u32) -> JoinHandle<(u16, String)> {
        self.send(&format!("POST /invoice/{id}"), &milliseconds.to_string())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.send(&format!("GET {path}"), "").join().expect("an answer")
    }

    /// Asks until it is so: what goes on in another process is seen in no other way.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the process to end, as a supervisor does.
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
        assert!(killed.expect("there is a shell").success());
    }

    /// Waits until it has ended in good order. Answers what it has said since it began to listen.
    pub(crate) fn end(&mut self) -> String {
        let mut report = String::new();
        self.output.read_to_string(&mut report).expect("the service ends");
        assert_eq!(self.process.wait().expect("the service ends").code(), Some(0));
        report
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
