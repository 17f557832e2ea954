//! A store of whichever kind, by its URL.

use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Options, Row, Store};
use lockspace_etcd::EtcdStore;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_sqlite::{SqliteStore, Synchronous};

use crate::broken::{Broken, Flaw};

/// For how long a session that is not kept alive is believed in.
pub(crate) const TTL: Duration = Duration::from_secs(1);
/// How long a call may take. Shorter than a pause of a server.
const ANSWER_LIMIT: Duration = Duration::from_millis(300);

/// Runs what follows with the store there.
macro_rules! with_store {
    ($url:expr, $store:ident => $then:expr) => {
        match $url {
            url if url.starts_with("redis:") => {
                let $store = RedisStore::builder().answer_limit(ANSWER_LIMIT).connect(url);
                let $store = $store.await.map_err(|error| error.to_string())?;
                $then
            }
            url if url.starts_with("postgres:") => {
                let $store = PostgresStore::builder().answer_limit(ANSWER_LIMIT).connect(url);
                let $store = $store.await.map_err(|error| error.to_string())?;
                $then
            }
            url if url.starts_with("etcd:") => {
                let $store = EtcdStore::builder().answer_limit(ANSWER_LIMIT).connect(url);
                let $store = $store.await.map_err(|error| error.to_string())?;
                $then
            }
            url => {
                // What is killed here are processes, and not the machine.
                let path = url.trim_start_matches("sqlite:");
                let $store = SqliteStore::builder().synchronous(Synchronous::Normal).open(path);
                let $store = $store.await.map_err(|error| error.to_string())?;
                $then
            }
        }
    };
}

/// A lockspace there; in the controls over a driver with a flaw.
pub(crate) async fn open(url: &str, label: &str, flaw: Option<Flaw>) -> Result<LockSpace, String> {
    let options = Options::new().ttl(TTL).label(label);
    with_store!(url, store => {
        let space = match flaw {
            None => LockSpace::open(store, options).await,
            Some(flaw) => LockSpace::open(Broken { store, flaw }, options).await,
        };
        space.map_err(|error| error.to_string())
    })
}

/// All rows that are there.
pub(crate) async fn rows(url: &str) -> Result<Vec<Row>, String> {
    with_store!(url, store => store.scan("").await.map_err(|error| error.to_string()))
}
