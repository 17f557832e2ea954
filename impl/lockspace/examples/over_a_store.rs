//! Two processes that share a lockspace over a store. Here both are in one program, over a store in memory.

use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Memory, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Memory::new();
    let one = LockSpace::open(store.clone(), Options::new().label("one")).await?;
    let two = LockSpace::open(store, Options::new().label("two")).await?;

    let guard = one.acquire("nightly report").await?;
    println!("one holds the name, with token {}", guard.fencing_token());
    let soon = two.acquire("nightly report").wait_timeout(Duration::from_millis(100)).await;
    println!("two: {}", soon.unwrap_err());

    guard.release()?;
    let guard = two.acquire("nightly report").await?;
    println!("two holds it now, with token {}", guard.fencing_token());
    drop(guard);

    for space in [one, two] {
        let report = space.shutdown(Duration::from_secs(1)).await;
        assert_eq!(report.unreturned, 0);
    }
    Ok(())
}
