//! What `lockspace-conformance` says of this store.

use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_postgres::PostgresStore;
use lockspace_servers::{Postgres, Proxy, Server};

/// A server for each case, which writes each swap to its disk, and a line to it that can be cut.
struct OnPostgres {
    line: Proxy,
    server: Server,
}

impl Harness for OnPostgres {
    const NAME: &str = "PostgreSQL";
    type Store = PostgresStore;

    async fn start() -> Result<Self, NotRun> {
        let server = Postgres::start().ok_or_else(|| NotRun("postgres is not installed".into()))?;
        Ok(Self { line: Proxy::before(&server), server })
    }

    async fn open(&self) -> PostgresStore {
        let address = self.server.url_by(self.line.address());
        PostgresStore::connect(&address, "conformance").await.unwrap()
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

lockspace_conformance::suite!(OnPostgres);
