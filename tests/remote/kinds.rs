//! The kinds of servers, and the store over each.

use std::time::Duration;

use lockspace::store::Store;
use lockspace_etcd::EtcdStore;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_servers::Server;

/// The namespace of every store here.
const NAMESPACE: &str = "test";

/// A kind of server, and the store over it.
pub(crate) trait Kind {
    type Store: Store;
    /// Whether the first swap of all is more than one request. What is claimed of a single request is then
    /// seen at a later one.
    const FIRST_SWAP_IS_MORE: bool;
    /// How many count up a row at the same time, and how often each.
    const CROWD: Crowd;

    /// A server that loses nothing when it is killed. None if it is not installed.
    fn start() -> Option<Server>;
    /// The servers on which a crowd counts, one after the other. None if it is not installed.
    fn start_for_crowds() -> impl Iterator<Item = Server>;
    /// A store by this address.
    async fn connect(address: &str) -> Self::Store;
    /// One that waits so long for an answer.
    async fn connect_with_limit(address: &str, limit: Duration) -> Self::Store;
}

/// Many who each count up a row.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) members: usize,
    /// How often each of them does.
    pub(crate) turns: u64,
    /// Whether a swap may be refused, and is then tried again.
    pub(crate) may_be_refused: bool,
}

pub(crate) struct Redis;

impl Kind for Redis {
    type Store = RedisStore;
    // A server that does not know the script of a swap yet says so, and is given it.
    const FIRST_SWAP_IS_MORE: bool = true;
    // Scripts run one after the other, so none is refused; and they are quick.
    const CROWD: Crowd = Crowd { members: 8, turns: 50, may_be_refused: false };

    fn start() -> Option<Server> {
        lockspace_servers::Redis::start()
    }

    fn start_for_crowds() -> impl Iterator<Item = Server> {
        // It is not killed.
        lockspace_servers::Redis::start_with(&[]).into_iter()
    }

    async fn connect(address: &str) -> RedisStore {
        RedisStore::connect(address, NAMESPACE).await.expect("the server runs")
    }

    async fn connect_with_limit(address: &str, limit: Duration) -> RedisStore {
        let builder = RedisStore::builder().namespace(NAMESPACE).answer_limit(limit);
        builder.connect(address).await.expect("the server runs")
    }
}

pub(crate) struct Postgres;

impl Kind for Postgres {
    type Store = PostgresStore;
    // The namespace is made in the same transaction.
    const FIRST_SWAP_IS_MORE: bool = false;
    // Transactions that conflict are refused where they are isolated.
    const CROWD: Crowd = Crowd { members: 6, turns: 15, may_be_refused: true };

    fn start() -> Option<Server> {
        lockspace_servers::Postgres::start()
    }

    fn start_for_crowds() -> impl Iterator<Item = Server> {
        // What a store may rely upon is what transactions show at the isolation that somebody has set.
        ["read committed", "repeatable read", "serializable"].into_iter().map_while(|level| {
            let setting = format!("default_transaction_isolation={level}");
            lockspace_servers::Postgres::start_with(&[&setting])
        })
    }

    async fn connect(address: &str) -> PostgresStore {
        PostgresStore::connect(address, NAMESPACE).await.expect("the server runs")
    }

    async fn connect_with_limit(address: &str, limit: Duration) -> PostgresStore {
        let builder = PostgresStore::builder().namespace(NAMESPACE).answer_limit(limit);
        builder.connect(address).await.expect("the server runs")
    }
}

pub(crate) struct Etcd;

impl Kind for Etcd {
    type Store = EtcdStore;
    // It takes two transactions: the first finds no marker, the second makes it.
    const FIRST_SWAP_IS_MORE: bool = true;
    // Transactions are applied one after the other, so none is refused.
    const CROWD: Crowd = Crowd { members: 6, turns: 15, may_be_refused: false };

    fn start() -> Option<Server> {
        lockspace_servers::Etcd::start()
    }

    fn start_for_crowds() -> impl Iterator<Item = Server> {
        lockspace_servers::Etcd::start().into_iter()
    }

    async fn connect(address: &str) -> EtcdStore {
        EtcdStore::connect(address, NAMESPACE).await.expect("the server runs")
    }

    async fn connect_with_limit(address: &str, limit: Duration) -> EtcdStore {
        let builder = EtcdStore::builder().namespace(NAMESPACE).answer_limit(limit);
        builder.connect(address).await.expect("the server runs")
    }
}
