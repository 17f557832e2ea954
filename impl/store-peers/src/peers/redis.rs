//! Redis: a bare round trip, and the lock of its own documentation.

use redis::aio::MultiplexedConnection;
use redis::{Client, Script, cmd};

use super::RETRY;
use crate::peer::{Peer, Place};

async fn connect(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).expect("it is an address");
    client.get_multiplexed_async_connection().await.expect("the server runs")
}

/// Sets a key, and sets it again.
pub(crate) struct Bare(MultiplexedConnection);

impl Bare {
    async fn set(&self, name: &str) {
        let mut command = cmd("SET");
        let set = command.arg(format!("bare:{name}")).arg("value");
        set.exec_async(&mut self.0.clone()).await.expect("the server runs");
    }
}

impl Peer for Bare {
    const NAME: &'static str = "*two SETs*";
    const PLACE: Place = Place::Redis;
    type Held<'p> = &'p str;

    async fn connect(url: &str) -> Self {
        Self(connect(url).await)
    }

    async fn another(&self) -> Self {
        Self(self.0.clone())
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> &'p str {
        self.set(name).await;
        name
    }

    async fn release<'p>(&'p self, name: &'p str) {
        self.set(name).await;
    }
}

/// `SET NX PX` with a random value, and a script that deletes the key if it has that value.
pub(crate) struct SetNx {
    connection: MultiplexedConnection,
    release: Script,
}

/// The script of <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>.
const RELEASE: &str = r#"
if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end
"#;

/// How long the lock lasts if nobody deletes it, in milliseconds. It is not renewed.
const LASTS: u32 = 30_000;

impl SetNx {
    fn over(connection: MultiplexedConnection) -> Self {
        Self { connection, release: Script::new(RELEASE) }
    }
}

impl Peer for SetNx {
    const NAME: &'static str = "SET NX PX, Lua delete";
    const PLACE: Place = Place::Redis;
    type Held<'p> = (String, u64);

    async fn connect(url: &str) -> Self {
        Self::over(connect(url).await)
    }

    async fn another(&self) -> Self {
        Self::over(self.connection.clone())
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> (String, u64) {
        let (key, value) = (format!("lock:{name}"), super::random());
        loop {
            let mut command = cmd("SET");
            let set = command.arg(&key).arg(value).arg("NX").arg("PX").arg(LASTS);
            let set = set.query_async(&mut self.connection.clone()).await;
            if set.expect("the server runs") {
                return (key, value);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn release(&self, (key, value): (String, u64)) {
        let mut release = self.release.key(key);
        let deleted = release.arg(value).invoke_async::<u32>(&mut self.connection.clone()).await;
        assert_eq!(deleted.expect("the server runs"), 1);
    }
}
