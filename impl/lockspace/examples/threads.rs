//! Guards in threads, with no runtime anywhere: four threads share one printer, and a job that hangs
//! loses it when its lease ends.
//!
//! `cargo run -p lockspace --example threads`

use std::thread;
use std::time::Duration;

use lockspace::{AcquireError, LockSpace, Loss};

const JOBS: usize = 4;

fn print(space: &LockSpace, job: usize) -> Result<(), AcquireError> {
    let guard = space.acquire("printer").wait_timeout(Duration::from_secs(30)).blocking()?;
    println!("job {job} prints under token {}", guard.fencing_token());
    thread::sleep(Duration::from_millis(5));
    Ok(())
}

fn main() -> Result<(), AcquireError> {
    let space = LockSpace::new();
    thread::scope(|scope| {
        let space = &space;
        let jobs: Vec<_> = (0..JOBS).map(|job| scope.spawn(move || print(space, job))).collect();
        jobs.into_iter().try_for_each(|job| job.join().expect("no job panics"))
    })?;
    assert_eq!(space.stats().granted, JOBS as u64);

    // A hold with a lease: nobody releases it, and the one who waits is granted all the same.
    let hung = space.acquire("printer").lease(Duration::from_millis(50)).blocking()?;
    let next = space.acquire("printer").blocking()?;
    assert!(next.fencing_token() > hung.fencing_token());
    let lost = hung.release().expect_err("its lease ended");
    assert_eq!(lost.reason, Loss::LeaseElapsed);
    println!("the hung job is told: {lost}");

    drop(next);
    println!("now {}", space.audit());
    Ok(())
}
