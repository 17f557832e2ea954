//! A lockspace over a store: what users see, with the store in memory, whole or faulty, and time paused.

mod alive;
mod cancel;
mod damage;
mod faulty;
mod health;
mod hints;
mod history;
mod life;
mod load;
mod names;
mod operate;
mod outage;
mod sections;
mod trips;
mod versions;
mod wakers;

use std::future::IntoFuture;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Memory, Options, Store};

const NAME: &str = "invoice/42";
const TTL: Duration = Duration::from_secs(15);

async fn open(store: impl Store) -> LockSpace {
    LockSpace::open(store, Options::new()).await.expect("the store is there")
}

/// The rows of the store, by their keys.
async fn rows(store: &Memory) -> Vec<String> {
    let rows = store.scan("").await.expect("memory does not fail");
    rows.into_iter().map(|row| row.key).collect()
}

/// The rows of names.
async fn names(store: &Memory) -> Vec<String> {
    rows(store).await.into_iter().filter(|key| key.starts_with("lock/")).collect()
}

/// Lets so much time pass, and everything happen that it brings.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets everything happen that can without time: the runtime moves paused time on only when all are idle.
async fn settle() {
    pass(Duration::from_millis(1)).await;
}

/// What `future` comes to within `limit` of paused time.
async fn within<T>(limit: Duration, future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.expect("it comes to an end in time")
}
