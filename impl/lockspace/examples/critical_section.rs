//! Critical sections: a body of code under a name, async or blocking, with limits on waiting and running.
//!
//! `cargo run -p lockspace --example critical_section`

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockspace::{LockSpace, SectionError, SectionOptions};

/// How many bodies are inside at this moment, and the most that ever were.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Counts a body in, and out again when the body ends or is dropped.
struct Visit<'a>(&'a Inside);

impl Inside {
    fn enter(&self) -> Visit<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Visit(self)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::main]
async fn main() -> Result<(), SectionError> {
    let space = LockSpace::new();
    let inside = Inside::default();

    // Two sections on one name: the first hangs, is stopped at its time limit, and only then is the
    // second one let in.
    let brief = SectionOptions::new().time_limit(Duration::from_millis(50));
    let hanging = space.critical_section("report", brief, async |_token| {
        let _visit = inside.enter();
        std::future::pending::<()>().await;
    });
    let prompt = space.critical_section("report", brief, async |token| {
        let _visit = inside.enter();
        token
    });
    let (hung, token) = tokio::join!(hanging, prompt);
    println!("the first: {}", hung.expect_err("it never ends by itself"));
    println!("the second ran under token {}", token?);
    assert_eq!(inside.most.load(Ordering::SeqCst), 1, "two bodies were inside at once");

    // Work that keeps a processor busy belongs on the blocking pool. It cannot be stopped, so it keeps
    // the lock until it has really ended.
    let patient = SectionOptions::new().wait_timeout(Duration::from_secs(30)).label("sieve");
    let primes = space
        .critical_section_blocking("report", patient, |_token| {
            (2..10_000_u32)
                .filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
                .count()
        })
        .await?;
    println!("there are {primes} primes below 10,000");
    assert_eq!(primes, 1229);

    assert_eq!(space.audit().held, 0);
    Ok(())
}
