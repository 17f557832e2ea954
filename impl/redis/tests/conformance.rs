//! What `lockspace-conformance` says of this store.

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
        let address = self.server.url_by(self.line.address());
        RedisStore::connect(&address, "conformance").await.unwrap()
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
