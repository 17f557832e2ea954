//! Two processes of one machine that count in one file, one at a time. Neither knows the other: they share
//! the file that their locks stand in.
//!
//! ```sh
//! cargo run -p lockspace-sqlite --example two_processes
//! ```

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::Options;
use lockspace_sqlite::SqliteStore;

const ROUNDS: u64 = 20;

/// Reads the count and writes it back, which without the lock would lose what others count meanwhile.
async fn count(label: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(folder.join("locks.sqlite")).await?;
    let space = LockSpace::open(store, Options::new().label(label)).await?;
    let counter = folder.join("counter");
    for _ in 0..ROUNDS {
        let guard = space.acquire("counter").wait_timeout(Duration::from_secs(30)).await?;
        let count: u64 = fs::read_to_string(&counter)?.parse()?;
        fs::write(&counter, (count + 1).to_string())?;
        guard.release()?;
    }
    // The session goes, and with it all that this process has in the store.
    space.shutdown(Duration::from_secs(1)).await;
    println!("{label} has counted to {ROUNDS}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Some(folder) = env::args_os().nth(1) {
        return count("the second", folder.as_ref()).await;
    }
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("counter"), "0")?;
    let mut second = Command::new(env::current_exe()?).arg(folder.path()).spawn()?;
    count("the first", folder.path()).await?;
    assert!(second.wait()?.success());
    let count = fs::read_to_string(folder.path().join("counter"))?;
    println!("together: {count}");
    Ok(())
}
