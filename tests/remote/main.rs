//! What must be so at every store over a server, seen at real servers that are killed, paused and cut off.
//!
//! Each claim is written once, for any [`Kind`] of server, and is a test of its own at each of them. What one
//! kind alone can do, and what needs words with a server past its store, is for the tests of that store.
//!
//! What this suite must not do: ask in a claim which kind it is looking at. Where they differ, [`Kind`] says
//! how and why.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::time::Duration;

use lockspace::store::{Store, Swap, Version};
use lockspace_servers::{Proxy, Server};

use kinds::Kind;

/// Makes each claim of a module a test at each kind of server, with this attribute.
macro_rules! at_every_kind {
    ($test:tt: $($claim:ident),* $(,)?) => {
        at_every_kind!(@ redis Redis $test: $($claim)*);
        at_every_kind!(@ postgres Postgres $test: $($claim)*);
        at_every_kind!(@ etcd Etcd $test: $($claim)*);
    };
    (@ $store:ident $kind:ident $test:tt: $($claim:ident)*) => {
        mod $store {
            $(#$test
            async fn $claim() {
                super::$claim::<crate::kinds::$kind>().await;
            })*
        }
    };
}

mod calls;
mod crowds;
mod hints;
mod kinds;

/// Longer than anything takes that is not waited for in vain.
const LONG: Duration = Duration::from_secs(30);

/// Its outcome, which comes within a time that says that nobody hung.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it does not hang")
}

async fn connect<K: Kind>(server: &Server) -> K::Store {
    K::connect(&server.url()).await
}

/// A store that reaches the server by this line.
async fn by<K: Kind>(proxy: &Proxy, server: &Server) -> K::Store {
    K::connect(&server.url_by(proxy.address())).await
}

async fn swapped(store: &impl Store, key: &str, old: Option<Version>, new: &[u8]) -> Version {
    match store.swap(key, old, Some(new)).await {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("{key} was to be swapped: {other:?}"),
    }
}
