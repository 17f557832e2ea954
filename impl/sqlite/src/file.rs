//! The file: made, recognised, and opened only if it is ours.
//!
//! What this module must not do: write into a file before it has been seen to be ours or empty.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::{Builder, OpenError, Synchronous, filesystem};

/// The format of the tables below. It stands in the file as `user_version`.
pub(crate) const FORMAT: i64 = 1;

/// What stands in the file as `application_id`: "LkSp".
const APPLICATION: i64 = 0x4c6b_5370;

/// A counter is never removed, so no version comes twice (upholds S2).
const TABLES: &str = "
    CREATE TABLE counter (
        namespace TEXT PRIMARY KEY,
        last INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE row (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT, WITHOUT ROWID;";

/// The file that is open.
pub(crate) struct File {
    pub(crate) connection: Connection,
    path: PathBuf,
    opened: Metadata,
}

impl File {
    pub(crate) fn open(settings: &Builder, path: &Path) -> Result<Self, OpenError> {
        Self::open_among(&filesystem::mounts(), settings, path)
    }

    /// The same, where these filesystems are mounted.
    fn open_among(mounts: &str, settings: &Builder, path: &Path) -> Result<Self, OpenError> {
        if !settings.on_one_host {
            refuse_shared(mounts, path)?;
        }
        make(path).map_err(OpenError::Io)?;
        // The absolute path: what the working directory is later does not matter.
        let path = fs::canonicalize(path).map_err(OpenError::Io)?;
        let opened = fs::metadata(&path).map_err(OpenError::Io)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(classify)?;
        wait_while_busy(&mut connection, settings.busy_limit).map_err(classify)?;
        if content(&mut connection)? == Content::Ours {
            check(&connection)?;
        }
        set_up(&connection, settings)?;
        create(&mut connection)?;
        Ok(Self { connection, path, opened })
    }

    /// Whether other processes that open the path get this file.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|now| same(&self.opened, &now))
    }
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// An error if several hosts may use the file at the same time, or may once it is made.
fn refuse_shared(mounts: &str, path: &Path) -> Result<(), OpenError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let place = fs::metadata(path).or_else(|_| fs::metadata(folder)).map_err(OpenError::Io)?;
    match filesystem::shared(mounts, &place) {
        Some(kind) => Err(OpenError::SharedFilesystem { kind: kind.to_owned() }),
        None => Ok(()),
    }
}

/// Makes an empty file, unless there is one. SQLite gives its other files the same mode.
fn make(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Whoever finds the file locked looks again soon, for up to `limit`. SQLite's own way is to look ever
/// more seldom, which is unfair to who has waited.
fn wait_while_busy(connection: &mut Connection, limit: Duration) -> rusqlite::Result<()> {
    let mut begun = Instant::now();
    connection.busy_handler(Some(move |times: i32| {
        if times == 0 {
            begun = Instant::now();
        }
        std::thread::sleep(Duration::from_micros(if times < 20 { 100 } else { 500 }));
        begun.elapsed() < limit
    }))
}

#[derive(PartialEq, Eq)]
enum Content {
    Nothing,
    Ours,
}

/// What is in the file. An error if it is not for us.
fn content(connection: &mut Connection) -> Result<Content, OpenError> {
    // At one moment: somebody may be making the tables.
    recognise(&*connection.transaction().map_err(classify)?)
}

/// The same, in a transaction that there is.
fn recognise(connection: &Connection) -> Result<Content, OpenError> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(classify);
    let application = number("PRAGMA application_id")?;
    let format = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, format) {
        (APPLICATION, FORMAT) => Ok(Content::Ours),
        (APPLICATION, found) => Err(OpenError::OtherFormat { found }),
        (0, 0) if tables == 0 => Ok(Content::Nothing),
        _ => Err(OpenError::Foreign),
    }
}

fn check(connection: &Connection) -> Result<(), OpenError> {
    let says = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    match connection.query_row("PRAGMA quick_check(1)", [], says).map_err(classify)? {
        ok if ok == "ok" => Ok(()),
        fault => Err(OpenError::Damaged(fault)),
    }
}

fn set_up(connection: &Connection, settings: &Builder) -> Result<(), OpenError> {
    let begun = Instant::now();
    let journal = loop {
        // Two who switch at the same time may find the file busy without being asked to wait.
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        match connection.query_row("PRAGMA journal_mode = WAL", [], mode) {
            Err(error) if is_busy(&error) && begun.elapsed() < settings.busy_limit => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => break other.map_err(classify)?,
        }
    };
    if journal != "wal" {
        return Err(OpenError::NoWriteAheadLog);
    }
    let synchronous = match settings.synchronous {
        // On Apple's systems only this one really asks the disk.
        Synchronous::Full => "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;",
        Synchronous::Normal => "PRAGMA synchronous = NORMAL;",
    };
    connection.execute_batch(synchronous).map_err(classify)
}

/// Makes the tables, unless somebody has done so.
fn create(connection: &mut Connection) -> Result<(), OpenError> {
    if content(connection)? == Content::Ours {
        return Ok(());
    }
    let immediate = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(immediate).map_err(classify)?;
    if recognise(&transaction)? == Content::Nothing {
        let marks =
            format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};");
        transaction.execute_batch(TABLES).map_err(classify)?;
        transaction.execute_batch(&marks).map_err(classify)?;
    }
    transaction.commit().map_err(classify)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn classify(error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign,
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(error.to_string()),
        _ => OpenError::Sqlite(error),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::File;
    use crate::filesystem::tests::mounted_as;
    use crate::{OpenError, SqliteStore};

    #[test]
    fn a_file_that_hosts_may_share_is_refused_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks.sqlite");
        let on = |kind, path: &Path| {
            let mounts = mounted_as(kind, &fs::metadata(folder.path()).unwrap());
            File::open_among(&mounts, &SqliteStore::builder(), path)
        };
        match on("nfs4", &path) {
            Err(OpenError::SharedFilesystem { kind }) => assert_eq!(kind, "nfs4"),
            other => panic!("{:?}", other.err()),
        }
        assert!(!path.exists());
        assert!(on("ext4", &path).is_ok());
        // One that is there is not opened either.
        assert!(matches!(on("cifs", &path), Err(OpenError::SharedFilesystem { .. })));
    }

    #[test]
    fn whoever_says_that_all_are_on_one_host_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mounts = mounted_as("nfs4", &fs::metadata(folder.path()).unwrap());
        let settings = SqliteStore::builder().on_one_host(true);
        assert!(File::open_among(&mounts, &settings, &folder.path().join("locks.sqlite")).is_ok());
    }
}
