//! What `lockspace-conformance` says of this store.
//!
//! There is no server to be killed or cut off: processes that have the file open are.

use std::path::PathBuf;

use lockspace::store::Version;
use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

struct Sqlite {
    folder: TempDir,
}

impl Sqlite {
    fn file(&self) -> PathBuf {
        self.folder.path().join("locks.sqlite")
    }
}

impl Harness for Sqlite {
    const NAME: &str = "SQLite";
    type Store = SqliteStore;

    async fn start() -> Result<Self, NotRun> {
        let folder = tempfile::tempdir().map_err(|error| NotRun(error.to_string()))?;
        Ok(Self { folder })
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).await.unwrap()
    }

    fn address(&self) -> Result<String, NotOffered> {
        Ok(self.file().to_str().unwrap().into())
    }

    async fn open_at(address: &str) -> SqliteStore {
        SqliteStore::open(address).await.unwrap()
    }

    async fn advance(&self, last: Version) -> Result<(), NotOffered> {
        drop(self.open().await);
        let file = Connection::open(self.file()).unwrap();
        let last = i64::try_from(last.0).unwrap();
        file.execute("INSERT INTO counter VALUES ('', ?)", [last]).unwrap();
        Ok(())
    }

    /// The file is all that there is.
    async fn restart(&self) -> Result<(), NotOffered> {
        Ok(())
    }
}

lockspace_conformance::suite!(Sqlite);
