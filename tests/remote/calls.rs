//! Calls whose request or reply is lost, that find no server, or that nobody waits for any more.

use std::sync::Arc;
use std::time::Duration;

use lockspace::store::{Store, StoreError, Version};
use lockspace_servers::Proxy;

use crate::kinds::Kind;
use crate::{by, connect, soon, swapped};

at_every_kind!(
    [tokio::test]: a_lost_reply_is_unknown_and_the_swap_is_done_once,
    a_lost_request_is_unknown_and_nothing_is_done,
    a_server_that_is_down_did_nothing_and_is_found_again,
    a_call_that_is_dropped_leaves_the_store_usable,
);

/// Waits until another one sees the row so.
async fn until_seen(store: &impl Store, key: &str, bytes: &[u8]) -> Version {
    let seen = async {
        loop {
            match store.load(key).await {
                Ok(Some((version, seen))) if seen == bytes => return version,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon(seen).await
}

async fn a_lost_reply_is_unknown_and_the_swap_is_done_once<K: Kind>() {
    let Some(server) = K::start() else { return };
    let proxy = Proxy::before(&server);
    let (other, store) = (connect::<K>(&server).await, Arc::new(by::<K>(&proxy, &server).await));
    if K::FIRST_SWAP_IS_MORE {
        swapped(&other, "lock/first", None, b"first").await;
    }
    proxy.lose_reply_to("lock/a");
    let its = Arc::clone(&store);
    let swap = tokio::spawn(async move { its.swap("lock/a", None, Some(b"mine")).await });
    let version = until_seen(&other, "lock/a", b"mine").await;
    proxy.cut();
    let outcome = soon(swap).await.unwrap();
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    assert_eq!(soon(store.load("lock/a")).await.unwrap(), Some((version, b"mine".to_vec())));
}

async fn a_lost_request_is_unknown_and_nothing_is_done<K: Kind>() {
    let Some(server) = K::start() else { return };
    let proxy = Proxy::before(&server);
    let address = server.url_by(proxy.address());
    let store = K::connect_with_limit(&address, Duration::from_secs(2)).await;
    proxy.lose_request("lock/a");
    let outcome = soon(store.swap("lock/a", None, Some(b"mine"))).await;
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    assert_eq!(proxy.lost(), 1);
    // The dead connection was given up.
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

async fn a_server_that_is_down_did_nothing_and_is_found_again<K: Kind>() {
    let Some(server) = K::start() else { return };
    let store = connect::<K>(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    server.kill();
    let _ = soon(store.load("lock/a")).await; // Finds the connection dead.
    let outcome = soon(store.swap("lock/a", Some(version), None)).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    server.restart();
    assert_eq!(store.load("lock/a").await.unwrap(), Some((version, b"a".to_vec())));
}

async fn a_call_that_is_dropped_leaves_the_store_usable<K: Kind>() {
    let Some(server) = K::start() else { return };
    let store = connect::<K>(&server).await;
    server.pause();
    let call = store.swap("lock/a", None, Some(b"a"));
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    server.resume();
    // What was sent may be done at any later time.
    let row = soon(store.load("lock/a")).await.unwrap();
    assert!(row.is_none_or(|(_, bytes)| bytes == b"a"));
    swapped(&store, "lock/b", None, b"b").await;
}
