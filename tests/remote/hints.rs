//! Hints: that they come, that their end is one, and that they come again.

use std::time::Duration;

use lockspace::store::Store;
use lockspace_servers::Proxy;

use crate::kinds::Kind;
use crate::{by, connect, soon, swapped};

at_every_kind!(
    [tokio::test]: a_swap_is_hinted_and_so_is_the_end_of_hints,
    hints_come_again_when_the_server_does,
);

async fn a_swap_is_hinted_and_so_is_the_end_of_hints<K: Kind>() {
    let Some(server) = K::start() else { return };
    let proxy = Proxy::before(&server);
    let (other, store) = (connect::<K>(&server).await, by::<K>(&proxy, &server).await);
    let first = swapped(&other, "lock/a", None, b"one").await;
    soon(store.watch("lock/a", None)).await; // It is another version already.
    soon(async {
        tokio::join!(
            store.watch("lock/a", Some(first)),
            swapped(&other, "lock/a", Some(first), b"2")
        )
    })
    .await;
    // Of this row nothing is ever told, not even late.
    let mut watch = Box::pin(store.watch("lock/quiet", None));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut watch).await.is_err());
    proxy.cut();
    soon(watch).await;
}

async fn hints_come_again_when_the_server_does<K: Kind>() {
    let Some(server) = K::start() else { return };
    let store = K::connect_with_limit(&server.url(), Duration::from_secs(1)).await;
    let other = connect::<K>(&server).await;
    let first = swapped(&other, "lock/a", None, b"one").await;
    server.kill();
    // Who begins to watch now is refused.
    let mut watch = Box::pin(store.watch("lock/a", Some(first)));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut watch).await.is_err());
    server.restart();
    let _ = other.load("lock/a").await; // Finds the connection dead.
    swapped(&other, "lock/a", Some(first), b"two").await;
    soon(watch).await;
}
