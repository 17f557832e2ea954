//! Guards in async tasks: thirty tasks book on three accounts, one at a time for each account.
//!
//! Each booking reads a balance, awaits, and writes it back: without the lock bookings would be lost.
//! The ledger also remembers the greatest fencing token of each account and refuses a smaller one, so
//! that a holder which was overtaken cannot write.
//!
//! `cargo run -p lockspace --example async_tasks`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockspace::{AcquireError, FencingToken, LockSpace};

const ACCOUNTS: [&str; 3] = ["account/alice", "account/bob", "account/carol"];
const BOOKINGS: usize = 30;

/// What the locks protect. Its own mutex is held for no longer than one read or write.
#[derive(Default)]
struct Ledger(Mutex<BTreeMap<String, (FencingToken, u32)>>);

impl Ledger {
    fn balance(&self, account: &str) -> u32 {
        let accounts = self.0.lock().expect("no booking panics");
        accounts.get(account).map_or(0, |(_, balance)| *balance)
    }

    fn write(&self, account: &str, token: FencingToken, balance: u32) {
        let mut accounts = self.0.lock().expect("no booking panics");
        let last = accounts.insert(account.into(), (token, balance));
        assert!(last.is_none_or(|(last, _)| last <= token), "an overtaken holder wrote");
    }
}

async fn book(space: &LockSpace, ledger: &Ledger, account: &str) -> Result<(), AcquireError> {
    let guard =
        space.acquire(account).wait_timeout(Duration::from_secs(30)).label("booking").await?;
    let balance = ledger.balance(account);
    tokio::time::sleep(Duration::from_millis(1)).await;
    ledger.write(account, guard.fencing_token(), balance + 1);
    Ok(()) // The guard is dropped here, and the next in line holds the name.
}

#[tokio::main]
async fn main() -> Result<(), AcquireError> {
    let space = LockSpace::new();
    let ledger = Arc::new(Ledger::default());

    let mut tasks = tokio::task::JoinSet::new();
    for booking in 0..BOOKINGS {
        let (space, ledger) = (space.clone(), Arc::clone(&ledger));
        let account = ACCOUNTS[booking % ACCOUNTS.len()];
        tasks.spawn(async move { book(&space, &ledger, account).await });
    }
    while let Some(booked) = tasks.join_next().await {
        booked.expect("no booking panics")?;
    }

    for account in ACCOUNTS {
        println!("{account}: {}", ledger.balance(account));
        assert_eq!(ledger.balance(account) as usize, BOOKINGS / ACCOUNTS.len());
    }

    // Nothing waits for a name that is free, and nothing is left of one that was used.
    let guard = space.try_acquire(ACCOUNTS[0])?;
    assert!(matches!(space.try_acquire(ACCOUNTS[0]), Err(AcquireError::Busy { .. })));
    drop(guard);
    println!("granted {} times; now {}", space.stats().granted, space.audit());
    assert_eq!(space.audit().held, 0);
    Ok(())
}
