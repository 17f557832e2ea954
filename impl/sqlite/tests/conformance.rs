//! What `lockspace-conformance` says of this store.
//!
//! There is no server to be killed or cut off. What survives the kill of a *process* is shown in
//! `processes.rs`, and the report says that the kit has not looked.

use lockspace_conformance::{Harness, NotOffered, NotRun};
use lockspace_sqlite::SqliteStore;
use tempfile::TempDir;

struct Sqlite {
    folder: TempDir,
}

impl Harness for Sqlite {
    const NAME: &str = "SQLite";
    type Store = SqliteStore;

    async fn start() -> Result<Self, NotRun> {
        let folder = tempfile::tempdir().map_err(|error| NotRun(error.to_string()))?;
        Ok(Self { folder })
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.folder.path().join("locks.sqlite")).await.unwrap()
    }

    /// The file is all that there is.
    async fn restart(&self) -> Result<(), NotOffered> {
        Ok(())
    }
}

lockspace_conformance::suite!(Sqlite);
