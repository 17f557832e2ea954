//! A store that is shared by those who have a clone of its `Arc`.

use std::sync::Arc;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{self, Memory, Options, Store};

/// No call to a store in memory takes so long.
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn whoever_shares_a_store_with_a_lockspace_sees_what_is_held_there() {
    let store = Arc::new(Memory::new());
    let space = LockSpace::open(Arc::clone(&store), Options::new()).await.unwrap();
    let guard = space.acquire("a").await.unwrap();
    let survey = store::survey(&store, LIMIT).await.unwrap();
    assert_eq!(survey.names[0].token, guard.fencing_token());
    let forced = store::force_release(&store, "a", LIMIT).await.unwrap();
    assert_eq!(forced, Some(guard.fencing_token()));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_shared_gives_the_hints_that_it_gives_alone() {
    let store = Arc::new(Memory::new());
    assert_eq!(store.capabilities(), Memory::new().capabilities());
    let swapped = async { store.swap("lock/a", None, Some(b"a")).await.unwrap() };
    let hinted = async { tokio::join!(Store::watch(&store, "lock/a", None), swapped) };
    tokio::time::timeout(LIMIT, hinted).await.expect("the hint comes");
}
