//! What `lockspace-conformance` says of this store.

use lockspace::store::Version;
use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_redis::RedisStore;
use lockspace_servers::{Proxy, Redis, Server};

/// A server for each case, which writes each swap to its disk, and a line to it that can be cut.
struct OnRedis {
    line: Proxy,
    server: Server,
}

impl Harness for OnRedis {
    const NAME: &str = "Redis";
    type Store = RedisStore;

    async fn start() -> Result<Self, NotRun> {
        let server =
            Redis::start().ok_or_else(|| NotRun("redis-server is not installed".into()))?;
        Ok(Self { line: Proxy::before(&server), server })
    }

    async fn open(&self) -> RedisStore {
        Self::open_at(&self.server.url_by(self.line.address())).await
    }

    fn address(&self) -> Result<String, NotOffered> {
        Ok(self.server.url_by(self.line.address()))
    }

    async fn open_at(address: &str) -> RedisStore {
        RedisStore::connect(address, "conformance").await.unwrap()
    }

    async fn advance(&self, last: Version) -> Result<(), NotOffered> {
        let client = redis::Client::open(self.server.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        // Scripts count in doubles, so the versions of this store end earlier.
        let last = last.0.min((1 << 53) - 7);
        let marker = format!("lockspace-redis/1 {last}");
        let mut set = redis::cmd("HSET");
        set.arg("lockspace:{conformance}").arg("").arg(marker);
        set.query_async::<()>(&mut connection).await.unwrap();
        Ok(())
    }

    async fn restart(&self) -> Result<(), NotOffered> {
        self.server.stop();
        self.server.restart();
        Ok(())
    }

    async fn kill(&self) -> Result<(), NotOffered> {
        self.server.kill();
        self.server.restart();
        Ok(())
    }

    async fn disturb(&self) -> Result<(), NotOffered> {
        self.line.cut();
        Ok(())
    }
}

lockspace_conformance::suite!(OnRedis);
