//! Runs `examples/service.rs` as a process of its own, scrapes it, probes it, and asks it to end.
#![cfg(unix)]

mod served;

use std::io::Read;
use std::process::{Command, Stdio};

use served::Service;

fn start() -> Service {
    let mut path = std::env::current_exe().expect("this test is a file");
    path.pop();
    path.pop();
    let path = path.join("examples/service");
    assert!(
        path.exists(),
        "{path:?} is missing: run `cargo build --all-features --examples` first"
    );
    let mut example = Command::new(path);
    example.stderr(Stdio::piped());
    Service::start(example)
}

/// The value of a sample, as Prometheus would read it.
fn sample(service: &Service, sample: &str) -> f64 {
    let (status, page) = service.get("/metrics");
    assert_eq!(status, 200);
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {sample} in\n{page}"));
    value.parse().expect("a number")
}

#[test]
fn is_scraped_probed_and_ends_cleanly() {
    let mut service = start();
    assert_eq!(service.get("/live"), (200, "alive\n".into()));
    assert_eq!(service.get("/ready"), (200, "ok\n".into()));
    assert_eq!(sample(&service, r#"lockspace_held{lockspace="billing"}"#), 0.0);

    // One booking takes long; another waits for the same invoice, in vain.
    let long = service.book("42", 4_000);
    service.until("the booking begins", |service| {
        sample(service, r#"lockspace_held{lockspace="billing"}"#) == 1.0
    });
    let (status, why) = service.book("42", 1).join().expect("an answer");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("held by booking under token "), "{why}");
    assert!(why.ends_with("; 0 of 1 in the queue were ahead\n"), "{why}");
    let invoices = r#"lockspace="billing",class="invoice""#;
    let refused = format!(r#"lockspace_refused_total{{{invoices},reason="timed_out"}}"#);
    assert_eq!(sample(&service, &refused), 1.0);
    let wait = format!(r#"lockspace_wait_seconds_bucket{{{invoices},outcome="refused",le="10"}}"#);
    assert_eq!(sample(&service, &wait), 1.0);

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
    assert_eq!(sample(&service, &format!("lockspace_acquires_total{{{invoices}}}")), 1.0);
    let (status, booked) = long.join().expect("an answer");
    assert_eq!(status, 200, "{booked}");

    assert_eq!(service.end(), "shut down: 1 released, 0 revoked\n");
    let mut log = String::new();
    let stderr = service.process.stderr.as_mut().expect("it is piped");
    stderr.read_to_string(&mut log).expect("the service has ended");
    assert_eq!(log.matches("a name is held for longer than it should be").count(), 1, "{log}");
    assert!(log.contains("examples/service.rs:"), "{log}");
}
