//! A lockspace for many machines, in one PostgreSQL database.
//!
//! [`PostgresStore`] is a [`Store`] for `lockspace`.
//!
//! ```no_run
//! use lockspace::store::Store;
//! use lockspace_postgres::PostgresStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = PostgresStore::connect("postgres://app@db.example/app", "billing").await?;
//! assert_eq!(store.load("lock/a").await?, None);
//! # Ok(()) }
//! ```
//!
//! # The server
//! One primary, PostgreSQL 11 or later. Tested with PostgreSQL 15 only. The tests kill the server's
//! processes; what a power loss leaves is the server's word.
//!
//! | Setting | Why |
//! |---|---|
//! | `fsync = on`, `synchronous_commit` not `off` | swaps that were answered survive a crash |
//! | `default_transaction_isolation = read committed` | else simultaneous swaps fail (as not done) |
//!
//! All are PostgreSQL's defaults. Whether each swap is on disk before it is answered is asked when
//! connecting, and is what [`durable`](Capabilities::durable) says. Transactions that stay open for hours
//! anywhere in the database keep old versions of the rows from being cleared away, and slow swaps down.
//!
//! A replica is refused: what it shows may be old, so [`load`](Store::load) and [`scan`](Store::scan) fail
//! there. An address may name several servers, which are tried in their order, each for its share of the
//! [answer limit](Builder::answer_limit): `?target_session_attrs=read-write` finds the primary.
//!
//! # What stands in it
//! A schema `lockspace` with three tables (`marker`, `namespaces`, `rows`) and a function. Whoever connects
//! first makes it, in one transaction; many may be first at once. It needs `CREATE` on the database for
//! that, or on a schema `lockspace` that is empty. All others need only
//!
//! ```sql
//! grant usage on schema lockspace to app;
//! grant select, insert, update, delete on lockspace.namespaces, lockspace.rows to app;
//! grant select on lockspace.marker to app;
//! ```
//!
//! A schema of that name that holds something else, or was made by a version of this library with another
//! format, is [refused](ConnectError) and left as it is. A row of `namespaces` stays when everything is
//! released; it may be deleted together with all rows of its namespace, when nobody uses that.
//!
//! # What is promised
//! The contract of [`Store`], and so S1 to S9 of the protocol over a store, as long as the server keeps
//! what it has answered. A swap is one call of a function in a transaction of its own. It first updates
//! the last version of the namespace, which nobody else can until it has committed, and only then judges
//! the row. So versions increase in the order in which swaps take effect, and swaps of one namespace are done
//! one after the other: as many a second as the server can commit one by one.
//!
//! *Data that are lost* (a dropped schema, a restored copy, a crash without `fsync`) are a loss that S1
//! does not outlive: a name may be granted again while its holder does not know yet. Each session whose
//! row is gone finds so at its next keep-alive, and its holds are lost. S2 does outlive it: a version
//! is never smaller than the server's clock in microseconds, so tokens go on upwards, as long as that
//! clock does and there were fewer than a million swaps a second.
//!
//! *Failover is not promised.* A replica that is not synchronous may lack the last swaps when it takes
//! over, and a lock that was granted may be granted again. Tokens go on upwards there as well, if the
//! clocks of the two servers differ by less than the takeover takes. With synchronous replication the
//! server promises more than is tested here, so [`survives_failover`](Capabilities::survives_failover)
//! is not claimed.
//!
//! # Connections
//! One for calls and, once somebody watches, one for hints. They are made when they are needed, so a
//! server that comes back is found by the next call. Nothing is ever sent twice. A call that is dropped or
//! fails gives up its connection. A call that gets no answer ends by itself after the
//! [answer limit](Builder::answer_limit). Hints that cannot be had are asked for again after that time.
//!
//! Nothing is kept in a connection for calls: no settings, no prepared statements, no locks. So calls go
//! through a pooler in transaction mode. Hints do not: [`Builder::hints`] turns them off.
//!
//! A swap that stands in line behind another one of its namespace for a fifth of the answer limit is not
//! done. So where one hangs (its synchronous replica is gone, say, or somebody has left a transaction open
//! on that row), connections that were given up do not go on waiting for it at the server.
//!
//! Hints are notifications (`LISTEN` and `NOTIFY`). While one is committed, PostgreSQL lets no other
//! transaction that notifies commit, in all of its databases. If that is too much for yours, turn them off
//! too: waiting processes then look at intervals.
//!
//! # TLS
//! As `sslmode` in the address says: `disable`; `prefer`, the default; `require`; or `verify-full`,
//! which is the same as `require` here. An encrypted connection is always verified: the certificate
//! must be for the host in the address, and be signed by an authority that this machine trusts
//! (`SSL_CERT_FILE` may name others) or that was given to [`Builder::trust`]. With `prefer` only a
//! server that offers no TLS is spoken to in the clear; one with a certificate that does not do is
//! refused. All of it is behind the feature `tls`, which is on by default.

mod address;
mod error;
mod hints;
mod line;

use std::fmt;
use std::future::pending;
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use address::Address;
pub use error::ConnectError;
use error::{Failure, code};
use hints::Hints;
use line::Line;

/// The format of the schema that this version knows.
const FORMAT: u32 = 1;
/// What the marker of the schema begins with. The format follows.
const MARKER: &str = "lockspace-postgres/";

/// The part of the answer limit for which a swap may stand in line.
const PARTS_IN_LINE: u32 = 5;

const INSTALL: &str = include_str!("install.sql");
/// How the script that installs says that the schema is not ours.
const NOT_OURS: &str = "LS001";

const READ_MARKER: &str = "select marker from lockspace.marker";
/// The channel on which swaps of a namespace are told, and whether each is on disk before it is answered.
const ASK: &str = "select \
    'lockspace_' || substr(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 1, 32), \
    current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off'";
// These two answer at least one row, so that a replica is never taken for a place where nothing stands.
const LOAD: &str = "select pg_is_in_recovery(), rows.version, rows.bytes from (select 1) as one \
    left join lockspace.rows as rows on rows.namespace = $1 and rows.key = $2";
const SCAN: &str = "select pg_is_in_recovery(), rows.version, rows.bytes, rows.key \
    from (select 1) as one left join lockspace.rows as rows \
    on rows.namespace = $1 and rows.key >= $2 and substr(rows.key, 1, length($2)) = $2";
// What follows `from` is done first, and lasts until the transaction ends: a swap that stands in line for
// longer is not done. Without a limit it would stand there when its connection is long given up, and keep
// its place among `max_connections`.
const SWAP: &str = "select lockspace.swap_1($1, $2, $3, $4, $5) \
    from set_config('lock_timeout', $6, true)";

/// How a server is to be used.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn connect() -> Result<(), lockspace_postgres::ConnectError> {
/// let store = lockspace_postgres::PostgresStore::builder()
///     .namespace("billing")
///     .answer_limit(Duration::from_secs(2))
///     .connect("postgres://app@db.example/app?sslmode=require")
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    namespace: String,
    answer_limit: Duration,
    hints: bool,
    trusted: Vec<Vec<u8>>,
}

impl Builder {
    /// Which lockspace of the database: any text without a zero character. The default is `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a call waits for its answer before it ends as unknown, and how long for a connection
    /// before it ends as not done; each of several servers gets its share of that. The default is 5
    /// seconds. Keep it well below the ttl of the sessions.
    #[must_use]
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.answer_limit = limit;
        self
    }

    /// Whether this store tells others of its swaps and listens for theirs. The default is yes. Off, waiting
    /// processes look at intervals; a pooler in transaction mode needs it off.
    #[must_use]
    pub fn hints(mut self, hints: bool) -> Self {
        self.hints = hints;
        self
    }

    /// Trusts these authorities too, besides those that the machine trusts: certificates in PEM.
    #[must_use]
    pub fn trust(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.trusted.push(certificates.into());
        self
    }

    /// Connects to the server at this address, a URL as `psql` takes it
    /// (`postgres://[USER][:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=…]`), and makes the schema if it is
    /// not there.
    ///
    /// # Errors
    /// [`ConnectError`]. No schema is then made or changed, unless the connection broke while it was made.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed. The schema is made as a whole or not at all.
    pub async fn connect(self, address: &str) -> Result<PostgresStore, ConnectError> {
        let address = Address::parse(address, &self.trusted)?;
        let line = Line::new(address, self.answer_limit);
        install(&line).await?;
        let (channel, durable) = ask(&line, &self.namespace).await?;
        let channel = self.hints.then_some(channel);
        Ok(PostgresStore {
            namespace: self.namespace,
            line,
            channel,
            hints: Hints::default(),
            durable,
        })
    }
}

/// Sees to it that the schema is there, and ours.
async fn install(line: &Line) -> Result<(), ConnectError> {
    if marker(line).await? {
        return Ok(());
    }
    line.run(INSTALL).await.map_err(|error| match code(&error) {
        Some(code) if code.code() == NOT_OURS => ConnectError::Foreign,
        _ => ConnectError::Server(error),
    })?;
    if marker(line).await? { Ok(()) } else { Err(ConnectError::Foreign) }
}

/// Whether there is a marker. One that is not ours is an error.
async fn marker(line: &Line) -> Result<bool, ConnectError> {
    let rows = match line.rows(READ_MARKER, &[]).await {
        Ok(rows) => rows,
        Err(error) => {
            return match code(&error) {
                Some(&SqlState::UNDEFINED_TABLE) => Ok(false),
                Some(&SqlState::UNDEFINED_COLUMN) => Err(ConnectError::Foreign),
                _ => Err(ConnectError::Server(error)),
            };
        }
    };
    let [row] = &rows[..] else { return Err(ConnectError::Foreign) };
    let text = row.try_get::<_, &str>(0).map_err(|_| ConnectError::Foreign)?;
    let format = text.strip_prefix(MARKER).and_then(|format| format.parse().ok());
    match format {
        Some(FORMAT) => Ok(true),
        Some(found) => Err(ConnectError::OtherFormat { found, known: FORMAT }),
        None => Err(ConnectError::Foreign),
    }
}

/// The channel of a namespace, and whether the server writes each swap to its disk before it answers.
async fn ask(line: &Line, namespace: &str) -> Result<(String, bool), ConnectError> {
    let rows = line.rows(ASK, &[(&namespace, Type::TEXT)]).await;
    let rows = rows.map_err(ConnectError::Server)?;
    let answer = rows.first().and_then(|row| row.try_get(0).ok().zip(row.try_get(1).ok()));
    answer.ok_or_else(|| ConnectError::Server(Failure::Damaged.into()))
}

/// A namespace of a PostgreSQL database as a store. See the [package's documentation](crate).
///
/// It belongs to the tokio runtime that it was made on.
pub struct PostgresStore {
    namespace: String,
    line: Line,
    /// On which swaps are told, if they are.
    channel: Option<String>,
    hints: Hints,
    durable: bool,
}

impl PostgresStore {
    /// Connects to the server at this address, with the defaults of [`Builder`].
    ///
    /// # Errors
    /// As [`Builder::connect`].
    ///
    /// # Cancel safety
    /// As [`Builder::connect`].
    pub async fn connect(address: &str, namespace: &str) -> Result<Self, ConnectError> {
        Self::builder().namespace(namespace).connect(address).await
    }

    /// With other settings than the defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            namespace: "default".into(),
            answer_limit: Duration::from_secs(5),
            hints: true,
            trusted: Vec::new(),
        }
    }
}

/// The version and the bytes that the first columns show, unless nothing stands there.
fn row(row: &tokio_postgres::Row) -> Result<Option<(Version, Vec<u8>)>, Failure> {
    if row.try_get(0).map_err(|_| Failure::Damaged)? {
        return Err(Failure::Replica);
    }
    let version: Option<i64> = row.try_get(1).map_err(|_| Failure::Damaged)?;
    let Some(version) = version else { return Ok(None) };
    let bytes = row.try_get(2).map_err(|_| Failure::Damaged)?;
    Ok(Some((read_version(version)?, bytes)))
}

fn read_version(version: i64) -> Result<Version, Failure> {
    version.try_into().map(Version).map_err(|_| Failure::Damaged)
}

impl Store for PostgresStore {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let parameters: &[line::Parameter<'_>] =
            &[(&self.namespace, Type::TEXT), (&key.as_bytes(), Type::BYTEA)];
        let rows = self.line.rows(LOAD, parameters).await?;
        Ok(row(rows.first().ok_or(Failure::Damaged)?)?)
    }

    // Upholds contract 1 and 3: the function updates the last version before it judges the row.
    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let expected = match expected.map(|version| i64::try_from(version.0)) {
            // No row has such a version.
            Some(Err(_)) => return Ok(Swap::Conflict),
            Some(Ok(version)) => Some(version),
            None => None,
        };
        let in_line = self.line.limit() / PARTS_IN_LINE;
        let in_line = format!("{}ms", in_line.as_millis().max(1));
        let parameters: &[line::Parameter<'_>] = &[
            (&self.namespace, Type::TEXT),
            (&key.as_bytes(), Type::BYTEA),
            (&expected, Type::INT8),
            (&new, Type::BYTEA),
            (&self.channel, Type::TEXT),
            (&in_line, Type::TEXT),
        ];
        let rows = self.line.rows(SWAP, parameters).await?;
        // The server has committed something, whatever it may have been.
        let damaged = || StoreError::Unknown(Box::new(Failure::Damaged));
        let drawn: Option<i64> =
            rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(damaged)?;
        let Some(drawn) = drawn else { return Ok(Swap::Conflict) };
        read_version(drawn).map(Swap::Swapped).map_err(|_| damaged())
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let parameters: &[line::Parameter<'_>] =
            &[(&self.namespace, Type::TEXT), (&prefix.as_bytes(), Type::BYTEA)];
        let rows = self.line.rows(SCAN, parameters).await?;
        let rows = rows.iter().filter_map(|found| {
            let (version, bytes) = match row(found) {
                Ok(Some(row)) => row,
                Ok(None) => return None,
                Err(failure) => return Some(Err(failure)),
            };
            let Ok(key) = found.try_get(3) else { return Some(Err(Failure::Damaged)) };
            // What is no text is no key of ours.
            let key = String::from_utf8(key).ok()?;
            Some(Ok(Row { key, version, bytes }))
        });
        Ok(rows.collect::<Result<_, Failure>>()?)
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        let Some(channel) = &self.channel else { return pending().await };
        self.hints.listen(self.line.address(), channel, self.line.limit()).await;
        let hint = self.hints.wait(key);
        let changed = || async {
            let row = self.load(key).await?;
            Ok::<_, StoreError>(row.map(|(version, _)| version) != known)
        };
        hint.unless(self.line.limit(), changed).await;
    }

    fn capabilities(&self) -> Capabilities {
        let mut promises = Capabilities::default();
        promises.hints = self.channel.is_some();
        promises.durable = self.durable;
        promises
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("PostgresStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
