//! What `lockspace-conformance` says of this store.

use lockspace::store::Version;
use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_postgres::PostgresStore;
use lockspace_servers::{Postgres, Proxy, Server};
use tokio_postgres::NoTls;

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
        Self::open_at(&self.server.url_by(self.line.address())).await
    }

    fn address(&self) -> Result<String, NotOffered> {
        Ok(self.server.url_by(self.line.address()))
    }

    async fn open_at(address: &str) -> PostgresStore {
        PostgresStore::connect(address, "conformance").await.unwrap()
    }

    async fn advance(&self, last: Version) -> Result<(), NotOffered> {
        // Makes the tables.
        drop(self.open().await);
        let (client, connection) =
            tokio_postgres::connect(&self.server.url(), NoTls).await.unwrap();
        let served = tokio::spawn(connection);
        let last = i64::try_from(last.0).unwrap();
        let set = format!("insert into lockspace.namespaces values ('conformance', {last})");
        client.batch_execute(&set).await.unwrap();
        drop(client);
        served.await.unwrap().unwrap();
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

lockspace_conformance::suite!(OnPostgres);
