//! A lockspace for all processes of one machine, in a SQLite file: no server.
//!
//! [`SqliteStore`] is a [`Store`] for `lockspace`. SQLite is compiled in; all that processes must share
//! is a path on a local disk.
//!
//! ```
//! use lockspace::store::{Store, Swap};
//! use lockspace_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("locks.sqlite");
//! let store = SqliteStore::open(path).await?;
//! let Swap::Swapped(version) = store.swap("lock/a", None, Some(b"mine")).await? else {
//!     unreachable!("there was no row")
//! };
//! assert_eq!(store.load("lock/a").await?, Some((version, b"mine".to_vec())));
//! # Ok(()) }
//! ```
//!
//! # The file
//! It is the lockspace's own: a file that something else has written is refused and left as it is, and so
//! is one of another format. A file that is not there is made, on Unix for its owner only; SQLite gives
//! the files beside it (`-wal`, `-shm`) the same mode. Whoever may write it can take every lock. One file
//! can hold many [namespaces](Builder::namespace), which share nothing but the disk.
//!
//! It must be on a *local* disk: SQLite's write-ahead log needs memory that all who use it share, and two
//! hosts share none, so that each would grant what the other one has granted. On Linux a file on a
//! filesystem that hosts share (NFS, SMB, 9p, Ceph and others), or that may be one (FUSE), is
//! [refused](OpenError::SharedFilesystem), unless whoever opens it says that all who use it are [on one
//! host](Builder::on_one_host). Elsewhere nobody looks.
//!
//! If the file is removed or replaced while it is open, every call fails and says so; nothing goes on in
//! a file that others no longer see. Open it anew.
//!
//! # What survives
//! | | [`Synchronous::Full`] (default) | [`Synchronous::Normal`] |
//! |---|---|---|
//! | `kill -9` of any process, at any moment | every swap that was answered | the same |
//! | power loss | every swap that was answered, if the disk does what it says | the last may be undone |
//!
//! A swap that is undone was of a process that the same power loss ended, so nobody relies upon it any
//! more. But its token may be known to a resource elsewhere. Versions are therefore not counted from one:
//! each is the greatest of its predecessor plus one and the system's clock in microseconds. So they go on
//! upwards even where the file was restored from a copy or begun anew, as long as that clock does (S2);
//! while the file is whole they do so whatever the clock does.
//!
//! # Guarantees
//! The contract of [`Store`], each call in one transaction. With it S1 to S9 of the protocol over a store.
//!
//! # How it works
//! A thread of the store's own has the only connection, so that nothing blocks the runtime, and whichever
//! future is dropped, no transaction is left half-way. Calls that come together share a transaction, and
//! its one `fsync`. A call that finds the file locked by another process tries again for up to the
//! [busy limit](Builder::busy_limit), and then was not done. While somebody
//! [watches](Store::watch), the thread looks every 5 ms whether the file was changed, for some two
//! hundredths of a core; otherwise it sleeps.

mod error;
mod file;
mod filesystem;
mod thread;
mod transaction;

use std::path::Path;
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use tokio::sync::oneshot;

pub use error::OpenError;
use error::{done, unknown};
use thread::{Handle, Watch};
use transaction::{Answer, Call};

/// When SQLite waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Each transaction is on the disk before it is answered.
    #[default]
    Full,
    /// The disk is written when the system gets round to it. Much faster; see [what
    /// survives](crate#what-survives).
    Normal,
}

/// How a file is to be opened.
///
/// ```
/// use std::time::Duration;
/// use lockspace_sqlite::{SqliteStore, Synchronous};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), lockspace_sqlite::OpenError> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("locks.sqlite");
/// let store = SqliteStore::builder()
///     .namespace("billing")
///     .synchronous(Synchronous::Normal)
///     .busy_limit(Duration::from_secs(1))
///     .open(path)
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    namespace: String,
    synchronous: Synchronous,
    busy_limit: Duration,
    on_one_host: bool,
}

impl Builder {
    /// Which lockspace of the file: any text. The default is the empty one.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// When SQLite waits for the disk. The default is [`Synchronous::Full`].
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long a call waits for other processes that have the file locked. The default is 2 seconds. Keep
    /// it well below the ttl of the sessions: a session whose keep-alive cannot get through ends.
    #[must_use]
    pub fn busy_limit(mut self, limit: Duration) -> Self {
        self.busy_limit = limit;
        self
    }

    /// Says that all who use the file are on one host, whatever filesystem it is on. Where that is not so, a
    /// lock is granted twice and the file may be damaged. The default is not to say so.
    #[must_use]
    pub fn on_one_host(mut self, on_one_host: bool) -> Self {
        self.on_one_host = on_one_host;
        self
    }

    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// [`OpenError`]. The file is then as it was.
    ///
    /// # Cancel safety
    /// If the future is dropped the file is opened and closed again.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, OpenError> {
        let path = path.as_ref().to_owned();
        Ok(SqliteStore { thread: Handle::start(self, path).await? })
    }
}

/// A SQLite file as a store. See the [package's documentation](crate).
///
/// Dropping it ends its thread once the calls under way are done.
#[derive(Debug)]
pub struct SqliteStore {
    thread: Handle,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it, with the defaults of [`Builder`].
    ///
    /// # Errors
    /// [`OpenError`]. The file is then as it was.
    ///
    /// # Cancel safety
    /// If the future is dropped the file is opened and closed again.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().open(path).await
    }

    /// With other settings than the defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            namespace: String::new(),
            synchronous: Synchronous::default(),
            busy_limit: Duration::from_secs(2),
            on_one_host: false,
        }
    }

    /// The answer of the thread. One that never comes was lost with the thread, nobody knows where.
    async fn call(&self, call: Call) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.thread.call(call, reply)?;
        answer.await.unwrap_or_else(|_| Err(unknown(OpenError::ThreadEnded)))
    }
}

impl Store for SqliteStore {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        match self.call(Call::Load(key.into())).await? {
            Answer::Loaded(row) => Ok(row),
            other => Err(done(other)),
        }
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let new = new.map(<[u8]>::to_vec);
        match self.call(Call::Swap { key: key.into(), expected, new }).await? {
            Answer::Swap(swap) => Ok(swap),
            other => Err(done(other)),
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        match self.call(Call::Scan(prefix.into())).await? {
            Answer::Scanned(rows) => Ok(rows),
            other => Err(done(other)),
        }
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        let (changed, seen) = oneshot::channel();
        let ended = self.thread.watch(Watch { key: key.into(), known, changed }).is_err();
        // A hint that cannot come never comes: an error would have the caller look again and again.
        if ended || seen.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut promises = Capabilities::default();
        promises.hints = true;
        promises.durable = true;
        promises
    }
}
