//! One machine: a bare transaction of SQLite, a row that is inserted and deleted, and flock.
//!
//! All of them block, so a thread of the runtime's pool does it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, ErrorCode, params};
use rustix::fs::{FlockOperation, flock};
use tokio::task::spawn_blocking;

use super::RETRY;
use crate::peer::{Peer, Place};

/// A file with a table, which writes each transaction to the disk before it is answered.
struct Table {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Table {
    fn at(path: PathBuf) -> Self {
        let connection = Connection::open(&path).expect("there is room");
        connection.busy_timeout(std::time::Duration::from_secs(60)).expect("it can be set");
        let made = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
            CREATE TABLE IF NOT EXISTS held (name TEXT PRIMARY KEY, count INTEGER NOT NULL);";
        connection.execute_batch(made).expect("there is room");
        Self { path, connection: Arc::new(Mutex::new(connection)) }
    }

    /// One statement, which is a transaction. Whether it was done, or the row was there.
    async fn run(&self, sql: &'static str, name: &str) -> bool {
        let (connection, name) = (Arc::clone(&self.connection), name.to_owned());
        let run = move || {
            let connection = connection.lock().expect("nobody panics");
            let mut statement = connection.prepare_cached(sql).expect("it is SQL");
            match statement.execute(params![name]) {
                Ok(_) => true,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    false
                }
                Err(error) => panic!("{error}"),
            }
        };
        spawn_blocking(run).await.expect("nobody panics")
    }
}

/// Writes a row, and writes it again.
pub(crate) struct Bare(Table);

impl Bare {
    async fn write(&self, name: &str) {
        let write = "INSERT INTO held VALUES (?1, 0) ON CONFLICT DO UPDATE SET count = count + 1";
        assert!(self.0.run(write, name).await, "nothing is in the way");
    }
}

impl Peer for Bare {
    const NAME: &'static str = "*two transactions*";
    const PLACE: Place = Place::Folder;
    type Held<'p> = &'p str;

    async fn connect(url: &str) -> Self {
        Self(Table::at(Path::new(url).join("bare.sqlite")))
    }

    async fn another(&self) -> Self {
        Self(Table::at(self.0.path.clone()))
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> &'p str {
        self.write(name).await;
        name
    }

    async fn release<'p>(&'p self, name: &'p str) {
        self.write(name).await;
    }
}

/// Whoever inserts the row holds the name. Who cannot tries again.
pub(crate) struct Row(Table);

impl Peer for Row {
    const NAME: &'static str = "a row, inserted and deleted";
    const PLACE: Place = Place::Folder;
    type Held<'p> = &'p str;

    async fn connect(url: &str) -> Self {
        Self(Table::at(Path::new(url).join("rows.sqlite")))
    }

    async fn another(&self) -> Self {
        Self(Table::at(self.0.path.clone()))
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> &'p str {
        while !self.0.run("INSERT INTO held VALUES (?1, 0)", name).await {
            tokio::time::sleep(RETRY).await;
        }
        name
    }

    async fn release<'p>(&'p self, name: &'p str) {
        self.0.run("DELETE FROM held WHERE name = ?1", name).await;
    }
}

/// A file for each name, which is never removed.
pub(crate) struct Flock(PathBuf);

impl Peer for Flock {
    const NAME: &'static str = "flock";
    const PLACE: Place = Place::Folder;
    type Held<'p> = File;

    async fn connect(url: &str) -> Self {
        Self(url.into())
    }

    async fn another(&self) -> Self {
        Self(self.0.clone())
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> File {
        let path = self.0.join(format!("{}.lock", name.replace('/', "-")));
        let lock = move || {
            let file = File::create(path).expect("there is room");
            flock(&file, FlockOperation::LockExclusive).expect("local files can be locked");
            file
        };
        spawn_blocking(lock).await.expect("nobody panics")
    }

    async fn release(&self, file: File) {
        drop(file);
    }
}
