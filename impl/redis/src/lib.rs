//! A lockspace for many machines, in one Redis or Valkey server.
//!
//! [`RedisStore`] is a [`Store`] for `lockspace`.
//!
//! ```no_run
//! use lockspace::store::Store;
//! use lockspace_redis::RedisStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::connect("redis://127.0.0.1", "billing").await?;
//! assert_eq!(store.load("lock/a").await?, None);
//! # Ok(()) }
//! ```
//!
//! # The server
//! One primary, reached directly: Redis 5 or later, or Valkey. Tested with Redis 7.0 only. The tests
//! kill the server's process; what a power loss leaves is the server's word. A replica is refused: what
//! it shows may be old. Each new connection asks.
//!
//! | Setting | Why |
//! |---|---|
//! | `appendonly yes`, `appendfsync always` | swaps that were answered survive a crash of the machine |
//! | `maxmemory-policy noeviction` | a server that is full refuses swaps, and does not forget the namespace |
//!
//! With `appendfsync everysec` the last second may be gone after a power loss, and without `appendonly`
//! everything is gone after a restart. Either is a loss of data, and is met as such (below). Whether the
//! server writes each swap to its disk is asked when connecting, and is what
//! [`durable`](Capabilities::durable) says; a server that does not let us ask is taken not to.
//!
//! # What stands in it
//! One key for each namespace, `lockspace:{NAMESPACE}`, a hash: a field for each row (`VERSION BYTES`),
//! and under the empty name a marker with the format and the last version. One key lies in one slot, and
//! one ACL pattern grants it: `~lockspace:* &lockspace:*`, with `EVALSHA`, `SCRIPT|LOAD`, `HGET`,
//! `HSET`, `HDEL`, `HGETALL`, `EXISTS`, `ROLE`, `TIME`, `PUBLISH` and `SUBSCRIBE`. The marker stays when
//! everything is released. A key of something else, or of another format, is refused and left as it is.
//! A field that something else has written is a row that cannot be read, and is left as it is too.
//!
//! # What is promised
//! The contract of [`Store`], and so S1 to S9 of the protocol over a store, as long as the server keeps
//! what it has answered. Swaps are scripts, which Redis runs one after the other; the version is drawn
//! inside.
//!
//! *Data that are lost* (`FLUSHALL`, an eviction, a restart without `appendonly`) are lost with all rows
//! of the namespace at once, those of the sessions too. Each session finds its row gone at its next
//! keep-alive, and its holds are lost. Until then another session may hold the same name: S1 does not
//! hold over a loss of data. S2 does: a version is never smaller than the server's clock in
//! microseconds, so tokens go on upwards, as long as that clock does and there were fewer than a million
//! swaps a second. None is greater than 2^53 - 1, since the server's scripts count in doubles: that is the
//! year 2255, and a server whose clock or marker is beyond it refuses every swap and says why.
//!
//! *Failover is not promised.* Replication is asynchronous: a replica that takes over may lack the last
//! swaps, and a lock that was granted may be granted again. Tokens go on upwards there as well, if the
//! clocks of the two servers differ by less than the takeover takes. Sentinel and Cluster redirections
//! are not followed.
//!
//! # Encryption
//! An address that begins with `rediss://` encrypts. The server's certificate must be for the host in
//! the address, and be signed by an authority that this machine trusts (`SSL_CERT_FILE` may name others)
//! or that was given to [`Builder::trust_only`]. [`Builder::identity`] shows the server a certificate of
//! ours. There is no way not to verify. All of it is behind the feature `tls`, which is on by default;
//! without it, such an address is refused. If the program has not chosen a provider of cryptography for
//! rustls, connecting so makes it [ring](https://docs.rs/ring).
//!
//! # Connections
//! One for calls and, once somebody watches, one for hints. They are made when they are needed, so a
//! server that comes back is found by the next call. Nothing is ever sent twice. A call that is dropped
//! or fails gives up its connection. A call that gets no answer ends by itself after the [answer
//! limit](Builder::answer_limit). Hints that cannot be had are asked for again after that time.

mod error;
mod hints;
mod line;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use redis::{Script, cmd};

pub use error::ConnectError;
use hints::Hints;
use line::Line;
use tls::Certificates;

/// The format of the rows that this version knows.
const FORMAT: u32 = 1;
/// What the marker of a namespace begins with. The format follows, a space, and the last version.
const MARKER: &str = "lockspace-redis/";
/// The field of the marker. No row has an empty key.
const MARKER_FIELD: &str = "";
/// The greatest version that the server draws.
const LAST_VERSION: u64 = (1 << 53) - 1;

/// How a server is to be used.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn connect() -> Result<(), lockspace_redis::ConnectError> {
/// let store = lockspace_redis::RedisStore::builder()
///     .namespace("billing")
///     .answer_limit(Duration::from_secs(2))
///     .connect("redis://127.0.0.1")
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    namespace: String,
    answer_limit: Duration,
    certificates: Certificates,
}

impl Builder {
    /// Which lockspace of the server: any text. The default is `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a call waits for its answer before it ends as unknown, and how long for a connection
    /// before it ends as not done. The default is 5 seconds. Keep it well below the ttl of the sessions.
    #[must_use]
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.answer_limit = limit;
        self
    }

    /// Trusts these authorities, and no more those that the machine trusts: certificates in PEM. For
    /// addresses that begin with `rediss://`.
    #[must_use]
    pub fn trust_only(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.certificates.trusted = Some(certificates.into());
        self
    }

    /// Shows the server this certificate, which the key is for; both in PEM. For addresses that begin with
    /// `rediss://`.
    #[must_use]
    pub fn identity(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Connects to the server at this address: `redis://[USER][:PASSWORD@]HOST[:PORT][/DATABASE]`, or
    /// `rediss://…` for an encrypted connection.
    ///
    /// # Errors
    /// [`ConnectError`]. The server is then as it was.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed.
    pub async fn connect(self, address: &str) -> Result<RedisStore, ConnectError> {
        let client = self.certificates.client(address)?;
        let mut store = RedisStore {
            hash: format!("lockspace:{{{}}}", self.namespace),
            line: Line::new(client, self.answer_limit),
            swap: Script::new(include_str!("swap.lua")),
            hints: Hints::default(),
            durable: false,
        };
        store.check_format().await?;
        store.durable = store.is_durable().await;
        Ok(store)
    }
}

/// A namespace of a Redis server as a store. See the [package's documentation](crate).
///
/// It belongs to the tokio runtime that it was made on.
pub struct RedisStore {
    /// The key of the namespace, and the channel on which its swaps are told.
    hash: String,
    line: Line,
    swap: Script,
    hints: Hints,
    durable: bool,
}

impl RedisStore {
    /// Connects to the server at this address, with the defaults of [`Builder`].
    ///
    /// # Errors
    /// [`ConnectError`]. The server is then as it was.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed.
    pub async fn connect(address: &str, namespace: &str) -> Result<Self, ConnectError> {
        Self::builder().namespace(namespace).connect(address).await
    }

    /// With other settings than the defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            namespace: "default".into(),
            answer_limit: Duration::from_secs(5),
            certificates: Certificates::default(),
        }
    }

    async fn field(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.line.ask(cmd("HGET").arg(&self.hash).arg(name)).await
    }

    /// Whether the namespace is ours, or there is none yet.
    async fn check_format(&self) -> Result<(), ConnectError> {
        // The key first: whoever makes it meanwhile makes the marker with it.
        let exists = self.line.ask(cmd("EXISTS").arg(&self.hash)).await;
        if !exists.map_err(ConnectError::Server)? {
            return Ok(());
        }
        let marker = self.field(MARKER_FIELD).await.map_err(wrong_type)?.unwrap_or_default();
        match format(&marker) {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(ConnectError::OtherFormat { found, known: FORMAT }),
            None => Err(ConnectError::Foreign),
        }
    }

    /// Whether the server writes each swap to its disk before it answers. One that does not say does not.
    async fn is_durable(&self) -> bool {
        self.is_set("appendonly", "yes").await && self.is_set("appendfsync", "always").await
    }

    async fn is_set(&self, setting: &str, value: &str) -> bool {
        let settings: Result<HashMap<String, String>, _> =
            self.line.ask(cmd("CONFIG").arg("GET").arg(setting)).await;
        settings.is_ok_and(|settings| settings.get(setting).is_some_and(|is| is == value))
    }
}

/// The server refuses to look for a field in what is no hash.
fn wrong_type(error: StoreError) -> ConnectError {
    match &error {
        StoreError::NotDone(cause) if cause.to_string().contains("WRONGTYPE") => {
            ConnectError::Foreign
        }
        _ => ConnectError::Server(error),
    }
}

/// The format that a marker tells, if it is one.
fn format(marker: &[u8]) -> Option<u32> {
    let word = marker.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(word).ok()?.strip_prefix(MARKER)?.parse().ok()
}

/// What stands in a field: the version, a space, and the bytes. In one that something else has written there
/// is no version; it is shown as a row that no swap changes, and with a mark, so that it says nothing.
fn row(field: &[u8]) -> (Version, Vec<u8>) {
    written(field).unwrap_or_else(|| (Version(0), [b"? ", field].concat()))
}

/// The version and the bytes, as the script writes them.
fn written(field: &[u8]) -> Option<(Version, Vec<u8>)> {
    let space = field.iter().position(|byte| *byte == b' ')?;
    let text = std::str::from_utf8(&field[..space]).ok()?;
    let version = text.parse().ok().filter(|version| (1..=LAST_VERSION).contains(version))?;
    (version.to_string() == text).then(|| (Version(version), field[space + 1..].to_vec()))
}

impl Store for RedisStore {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        Ok(self.field(key).await?.map(|field| row(&field)))
    }

    // Upholds contract 1 and 3: the server runs one script after the other, and the version is drawn in it.
    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let mut swap = self.swap.key(&self.hash);
        swap.arg(key).arg(expected.map_or_else(String::new, |version| version.to_string()));
        swap.arg(format!("{MARKER}{FORMAT}"));
        if let Some(new) = new {
            swap.arg(new);
        }
        let drawn: Option<u64> = self.line.run(&swap).await?;
        Ok(drawn.map_or(Swap::Conflict, |version| Swap::Swapped(Version(version))))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let fields: Vec<(Vec<u8>, Vec<u8>)> = self.line.ask(cmd("HGETALL").arg(&self.hash)).await?;
        let rows = fields.into_iter().filter_map(|(key, field)| {
            // What is no text is no key.
            let key = String::from_utf8(key).ok()?;
            let ours = key != MARKER_FIELD && key.starts_with(prefix);
            let (version, bytes) = row(&field);
            ours.then_some(Row { key, version, bytes })
        });
        Ok(rows.collect())
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.hints.listen(&self.line, &self.hash).await;
        let hint = self.hints.wait(key);
        let changed = || async {
            let row = self.load(key).await?;
            Ok::<_, StoreError>(row.map(|(version, _)| version) != known)
        };
        hint.unless(self.line.limit(), changed).await;
    }

    fn capabilities(&self) -> Capabilities {
        let mut promises = Capabilities::default();
        promises.hints = true;
        promises.durable = self.durable;
        promises
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("RedisStore").field("key", &self.hash).finish_non_exhaustive()
    }
}
