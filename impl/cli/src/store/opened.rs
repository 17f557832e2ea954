//! A store of whichever kind the URL names.

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
#[cfg(feature = "etcd")]
use lockspace_etcd::EtcdStore;
#[cfg(feature = "postgres")]
use lockspace_postgres::PostgresStore;
#[cfg(feature = "redis")]
use lockspace_redis::RedisStore;
use lockspace_sqlite::SqliteStore;

/// An open store. They differ much in size.
pub(crate) enum Opened {
    Sqlite(Box<SqliteStore>),
    #[cfg(feature = "etcd")]
    Etcd(Box<EtcdStore>),
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresStore>),
    #[cfg(feature = "redis")]
    Redis(Box<RedisStore>),
}

/// Asks the store that there is.
macro_rules! ask {
    ($opened:expr, $store:ident => $answer:expr) => {
        match $opened {
            Opened::Sqlite($store) => $answer,
            #[cfg(feature = "etcd")]
            Opened::Etcd($store) => $answer,
            #[cfg(feature = "postgres")]
            Opened::Postgres($store) => $answer,
            #[cfg(feature = "redis")]
            Opened::Redis($store) => $answer,
        }
    };
}

impl Store for Opened {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        ask!(self, store => store.load(key).await)
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        ask!(self, store => store.swap(key, expected, new).await)
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        ask!(self, store => store.scan(prefix).await)
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        ask!(self, store => store.watch(key, known).await);
    }

    fn capabilities(&self) -> Capabilities {
        ask!(self, store => store.capabilities())
    }
}
