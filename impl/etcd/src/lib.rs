//! A lockspace for many machines, in an etcd cluster.
//!
//! [`EtcdStore`] is a [`Store`] for `lockspace`.
//!
//! ```no_run
//! use lockspace::store::Store;
//! use lockspace_etcd::EtcdStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = EtcdStore::connect("etcd://a.example,b.example,c.example", "billing").await?;
//! assert_eq!(store.load("lock/a").await?, None);
//! # Ok(()) }
//! ```
//!
//! # The servers
//! etcd 3.4 or later. Tested with etcd 3.4.23 only. The tests kill servers, one at a time and most of a
//! cluster; what a power loss leaves is the servers' word.
//!
//! | Setting | Why |
//! |---|---|
//! | no `--unsafe-no-fsync` | swaps that were answered survive a crash |
//! | `--auto-compaction-retention` | old revisions are cleared away; nothing here needs them |
//! | a quota (`--quota-backend-bytes`) that is never reached | a server that is full takes no new locks |
//!
//! A server that is full still lets go of locks. Swaps that it did not take end as unknown, because it may
//! have done those that it was doing when its space ran out.
//!
//! # What stands in it
//! Keys that begin with `lockspace/NAMESPACE/` (in a namespace, `/` is written `%2F` and `%` is `%25`): one
//! for each row, and one that is exactly this prefix, a marker with the format. The marker comes with the
//! first swap, and stays when everything is released. A role needs to read and write this prefix:
//!
//! ```sh
//! etcdctl role grant-permission app --prefix=true readwrite lockspace/billing/
//! ```
//!
//! Keys of something else there, or of another format, are [refused](ConnectError) and left as they are.
//!
//! # What is promised
//! The contract of [`Store`], and so S1 to S9 of the protocol over a store, as long as the cluster keeps
//! what it has answered. A swap is one transaction; its version is the revision of the cluster's store,
//! which grows with every transaction that writes. Reads are linearizable. A server without a majority
//! answers nothing, and what a majority has answered stays whichever server leads next, so
//! [`survives_failover`](Capabilities::survives_failover) is claimed, and tested by killing leaders.
//!
//! *Data that are lost* (a deleted prefix, a restored snapshot) are a loss that S1 does not outlive: a
//! name may be granted again while its holder does not know yet. Each session whose row is gone finds so
//! at its next keep-alive, and its holds are lost. S2 outlives deleted keys, since revisions go on. It does
//! **not** outlive a restored snapshot, whose revisions begin anew where it was taken, unless it is restored
//! with `etcdutl snapshot restore --bump-revision 1000000000 --mark-compacted` (etcd 3.5.10 or later). An
//! older etcd cannot do that: go on in another namespace, which counts as another store; what becomes of
//! tokens then is told in "Operating", in the documentation of lockspace.
//!
//! # Connections
//! One for calls and, once somebody watches, one for hints. They are made when they are needed, to the
//! first server that answers; the next one begins with the next server in the address. Nothing is ever
//! sent twice, but what a server has refused for the age of a token. A call that is dropped or fails gives up
//! its connection. A call that gets no answer ends by itself after the
//! [answer limit](Builder::answer_limit).
//!
//! Hints are a watch on the prefix. If it ends, for whatever reason (the server has no leader, its keys
//! were compacted before they were told), all who wait look again. Hints that
//! cannot be had are asked for again after the answer limit.
//!
//! # TLS
//! `etcds://` in place of `etcd://`. The certificate must be for the host in the address, and be signed
//! by an authority that this machine trusts (`SSL_CERT_FILE` may name others) or that was given to
//! [`Builder::trust`]. [`Builder::identity`] shows the server a certificate of ours. All of it is behind
//! the feature `tls`, which is on by default.

mod address;
mod connection;
mod error;
mod hints;
mod line;
mod proto;

use std::fmt;
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};

use address::{Address, Certificates};
pub use error::ConnectError;
use error::Failure;
use hints::Hints;
use line::Line;
use proto::{Compare, DeleteRangeRequest, KeyValue, Op, PutRequest, RangeRequest, RangeResponse};
use proto::{TxnRequest, TxnResponse};

/// The format of the rows that this version knows.
const FORMAT: u32 = 1;
/// What the marker of a namespace begins with. The format follows.
const MARKER: &str = "lockspace-etcd/";
/// How many rows are read at once.
const PAGE: usize = 500;

/// How a cluster is to be used.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn connect() -> Result<(), lockspace_etcd::ConnectError> {
/// let store = lockspace_etcd::EtcdStore::builder()
///     .namespace("billing")
///     .answer_limit(Duration::from_secs(2))
///     .connect("etcds://app:secret@a.example,b.example,c.example")
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Builder {
    namespace: String,
    answer_limit: Duration,
    certificates: Certificates,
}

impl Builder {
    /// Which lockspace of the cluster: any text. The default is `default`.
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

    /// Trusts these authorities too, besides those that the machine trusts: certificates in PEM.
    #[must_use]
    pub fn trust(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.certificates.trusted.push(certificates.into());
        self
    }

    /// Shows the servers this certificate, whose key this is, both in PEM.
    #[must_use]
    pub fn identity(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Connects to the first server of this address that answers:
    /// `etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]`, or `etcds://` with TLS. The port is 2379 if
    /// none is given. In a user or a password, `%` and two digits stand for what could be
    /// misunderstood.
    ///
    /// # Errors
    /// [`ConnectError`]. Nothing was written.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed.
    pub async fn connect(self, address: &str) -> Result<EtcdStore, ConnectError> {
        let address = Address::parse(address, &self.certificates, self.answer_limit)?;
        let namespace = self.namespace.replace('%', "%25").replace('/', "%2F");
        let store = EtcdStore {
            prefix: format!("lockspace/{namespace}/"),
            line: Line::new(address, self.answer_limit),
            hints: Hints::default(),
        };
        store.check_format().await?;
        Ok(store)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There is a key among the certificates.
        f.debug_struct("Builder").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// A namespace of an etcd cluster as a store. See the [package's documentation](crate).
///
/// It belongs to the tokio runtime that it was made on.
pub struct EtcdStore {
    /// What all keys of the namespace begin with, and the key of its marker.
    prefix: String,
    line: Line,
    hints: Hints,
}

impl EtcdStore {
    /// Connects to the cluster at this address, with the defaults of [`Builder`].
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
            certificates: Certificates::default(),
        }
    }

    fn key(&self, key: &str) -> Vec<u8> {
        [self.prefix.as_bytes(), key.as_bytes()].concat()
    }

    /// The marker's key.
    fn marker(&self) -> Vec<u8> {
        self.key("")
    }

    /// The first keys from `key` on that begin with `prefix`.
    async fn range(
        &self,
        key: Vec<u8>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<RangeResponse, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let range = RangeRequest { key, range_end: after(prefix), limit };
        self.line.call(proto::RANGE, range).await
    }

    /// Whether the namespace is ours, or there is none yet.
    async fn check_format(&self) -> Result<(), ConnectError> {
        // The marker is the first key that could be there.
        let found = self.range(self.marker(), &self.marker(), 1).await;
        let found = found.map_err(ConnectError::Server)?;
        let Some(first) = found.kvs.first() else { return Ok(()) };
        let marker = first.key == self.marker();
        match format(&first.value).filter(|_| marker) {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(ConnectError::OtherFormat { found, known: FORMAT }),
            None => Err(ConnectError::Foreign),
        }
    }

    /// A swap, if there is a marker, or if there is none, and then makes it. What is not done shows the
    /// marker.
    async fn swap_if(&self, marked: bool, change: &Change) -> Result<TxnResponse, StoreError> {
        let Change { key, revision, write } = change;
        let value = format!("{MARKER}{FORMAT}").into_bytes();
        let (condition, mark) = if marked {
            (Compare::value(self.marker(), &value), None)
        } else {
            let mark = Op::Put(PutRequest { key: self.marker(), value });
            (Compare::revision(self.marker(), 0), Some(mark))
        };
        let marker = RangeRequest { key: self.marker(), ..Default::default() };
        let transaction = TxnRequest {
            compare: vec![condition, Compare::revision(key.clone(), *revision)],
            success: mark.into_iter().chain([write.clone()]).map(Into::into).collect(),
            failure: vec![Op::Range(marker).into()],
        };
        self.line.call(proto::TXN, transaction).await
    }
}

/// What a swap is to do.
struct Change {
    key: Vec<u8>,
    /// The revision that the key must have; zero if it must not be there.
    revision: i64,
    write: Op,
}

/// Where the keys that begin with this end. None of ours ends with the greatest byte, which is no text.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    end
}

/// The format that a marker tells, if it is one.
fn format(marker: &[u8]) -> Option<u32> {
    std::str::from_utf8(marker).ok()?.strip_prefix(MARKER)?.parse().ok()
}

fn row(kv: KeyValue) -> Result<(Version, Vec<u8>), Failure> {
    let version = u64::try_from(kv.mod_revision).map_err(|_| Failure::Damaged)?;
    Ok((Version(version), kv.value))
}

/// What is known after a transaction that has committed.
fn swapped(answer: &TxnResponse) -> Result<Swap, StoreError> {
    let revision = answer.header.as_ref().and_then(|header| header.revision.try_into().ok());
    let damaged = || StoreError::Unknown(Box::new(Failure::Damaged));
    Ok(Swap::Swapped(Version(revision.ok_or_else(damaged)?)))
}

impl Store for EtcdStore {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let range = RangeRequest { key: self.key(key), ..Default::default() };
        let found: RangeResponse = self.line.call(proto::RANGE, range).await?;
        Ok(found.kvs.into_iter().next().map(row).transpose()?)
    }

    // Upholds contract 1 and 3: one transaction, whose revision is the version.
    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let revision = match expected.map(|version| i64::try_from(version.0)) {
            None => 0,
            Some(Ok(revision @ 1..)) => revision,
            // No row has such a version.
            Some(_) => return Ok(Swap::Conflict),
        };
        let key = self.key(key);
        let write = match new {
            Some(new) => Op::Put(PutRequest { key: key.clone(), value: new.into() }),
            None => Op::Delete(DeleteRangeRequest { key: key.clone() }),
        };
        let change = Change { key, revision, write };
        let mut marked = true;
        loop {
            let answer = self.swap_if(marked, &change).await?;
            if answer.succeeded {
                return swapped(&answer);
            }
            let shown = answer.responses.first().and_then(|response| response.range.as_ref());
            let shown = shown.ok_or(Failure::Damaged)?.kvs.first().map(|kv| format(&kv.value));
            match (marked, shown) {
                (true, Some(Some(FORMAT))) | (false, None) => return Ok(Swap::Conflict),
                (true, Some(_)) => return Err(Failure::OtherFormat.into()),
                // The first swap of all, or somebody has removed everything; or it was the first when it
                // began. Nothing was done.
                (true, None) | (false, Some(_)) => marked = !marked,
            }
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let (prefix, mut rows) = (self.key(prefix), Vec::new());
        let mut from = prefix.clone();
        loop {
            // Each page is read as the keys are then: a scan need not be a snapshot, and no compaction can
            // come in between.
            let page = self.range(from, &prefix, PAGE).await?;
            let Some(last) = page.kvs.last() else { return Ok(rows) };
            from = [&last.key[..], &[0]].concat();
            for kv in page.kvs {
                let key = kv.key.strip_prefix(self.prefix.as_bytes()).ok_or(Failure::Damaged)?;
                // What is no text is no key of ours.
                let Ok(key) = String::from_utf8(key.to_vec()) else { continue };
                let (version, bytes) = row(kv)?;
                if !key.is_empty() {
                    rows.push(Row { key, version, bytes });
                }
            }
            if !page.more {
                return Ok(rows);
            }
        }
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.hints.listen(&self.line, self.prefix.as_bytes()).await;
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
        promises.durable = true;
        promises.survives_failover = true;
        promises
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("EtcdStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
