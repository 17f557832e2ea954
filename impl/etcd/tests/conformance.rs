//! What `lockspace-conformance` says of this store.

use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_etcd::EtcdStore;
use lockspace_servers::{Etcd, Proxy, Server};

/// A server for each case, which writes each swap to its disk, and a line to it that can be cut.
struct OnEtcd {
    line: Proxy,
    server: Server,
}

impl Harness for OnEtcd {
    const NAME: &str = "etcd";
    type Store = EtcdStore;

    async fn start() -> Result<Self, NotRun> {
        let server = Etcd::start().ok_or_else(|| NotRun("etcd is not installed".into()))?;
        Ok(Self { line: Proxy::before(&server), server })
    }

    async fn open(&self) -> EtcdStore {
        Self::open_at(&self.server.url_by(self.line.address())).await
    }

    fn address(&self) -> Result<String, NotOffered> {
        Ok(self.server.url_by(self.line.address()))
    }

    async fn open_at(address: &str) -> EtcdStore {
        EtcdStore::connect(address, "conformance").await.unwrap()
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

lockspace_conformance::suite!(OnEtcd);
