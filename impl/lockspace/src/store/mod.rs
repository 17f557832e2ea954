//! Beyond one process: the store, and the protocol that many processes run over it.
//!
//! A [`Store`] keeps rows and does one thing that matters: it swaps a row if, and only if, the row still
//! has the version that the caller knows. That is all a lockspace needs from a server. What rows mean is
//! decided here, by pure functions that every store shares: [`record`] says what stands in a row,
//! [`decide`] what a row becomes, [`session`] how a process stays alive and when it must stop trusting
//! itself, [`others`] when it may declare another one dead, [`claimant`] what it does about one name,
//! [`due`] whose turn it is, and [`member`] puts these together into the machine that a process runs.
//!
//! "The protocol over a store", in the documentation of lockspace, tells the protocol; its package
//! `lockspace-model` checks these very functions in all states within its bounds, with clocks that drift and
//! messages that are late or lost. For it the modules are public: whoever uses or writes a store needs only
//! what stands here and in [`record`]. [`claimant`], [`decide`], [`member`], [`others`] and [`session`] may
//! change in any version.
//!
//! All of these neither read a clock nor wait, start anything or call a store: whoever runs a
//! [`Member`](member::Member) does. In a [`LockSpace`](crate::LockSpace) that was
//! [opened](crate::LockSpace::open) over a store, that is its driver, one task.

mod alive;
pub mod claimant;
pub mod decide;
mod driver;
pub mod due;
mod elsewhere;
pub(crate) mod erased;
mod hints;
pub mod member;
mod memory;
pub(crate) mod open;
mod operate;
mod options;
pub mod others;
pub mod record;
pub mod session;
#[cfg(test)]
mod tests;
mod window;

pub use elsewhere::HeldElsewhere;
pub use memory::Memory;
pub use open::OpenError;
pub use operate::{Claimed, OperateError, Survey, SurveyedName, SurveyedSession};
pub use operate::{force_release, survey};
pub use options::{Options, OptionsError};

use std::fmt;
use std::future::{Future, pending};
use std::time::Duration;

use lockspace_spec::FencingToken;

use crate::sync::Arc;

/// A moment, as the time since the process's own monotonic clock began to count. Moments of different
/// processes are never compared.
pub type Moment = Duration;

/// The version of a row: which swap wrote it.
///
/// Versions strictly increase across the whole lockspace and are never used twice, also after rows were
/// removed and after restarts. So the version of the swap that grants a name *is* the fencing token of
/// the grant, and names that nobody holds need no row to remember theirs (upholds S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The greatest version that a store may give: a fencing token must fit into the signed 64 bits that
    /// databases keep. An answer with a greater one is not believed.
    pub const MAX: Self = Self(i64::MAX as u64);
}

impl From<Version> for FencingToken {
    fn from(version: Version) -> Self {
        Self(version.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a [swap](Store::swap) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It was done, and this is its version.
    Swapped(Version),
    /// The row was not as expected. Nothing was changed.
    Conflict,
}

/// A row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// The swap that wrote it.
    pub version: Version,
    /// What stands in it.
    pub bytes: Vec<u8>,
}

/// Why a call to a store failed, and whether it may have had an effect all the same.
///
/// A store that cannot tell must say [`Unknown`](Self::Unknown): a protocol that takes an unknown outcome
/// for a failure, or for a success, puts two holders inside one name.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The call had no effect and will have none.
    #[error("the store did not do it")]
    NotDone(#[source] Cause),
    /// The call may have had its effect, or may still have it.
    #[error("the store may have done it")]
    Unknown(#[source] Cause),
}

/// What a store's own driver says about a failure.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a store promises beyond the contract of [`Store`]. A promise that is not kept fails the
/// conformance kit; one that could be made and is not is shown in its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Store::watch`] is usually told of changes. Without it, whoever waits looks again in intervals.
    pub hints: bool,
    /// A swap that was done stays done if the server is killed at once.
    pub durable: bool,
    /// A swap that was done stays done if a replica takes over.
    pub survives_failover: bool,
}

/// A place for rows in which many processes can agree.
///
/// Keys are text of up to 300 bytes, made by [`Key`]. A store is made for one lockspace, its namespace:
/// two lockspaces share nothing, not even versions.
///
/// # Contract
/// 1. `swap` is linearizable for each key: there is one order of all swaps of a key, it agrees with real
///    time, and in it each swap does what it says.
/// 2. `load` reads the latest row: one that is sent after a swap has returned sees that swap or a later one.
/// 3. The versions of swaps strictly increase in the order in which they take effect, **over all keys**,
///    and none is used twice, whatever was removed or restarted; none is greater
///    than [`Version::MAX`]. (A number drawn *before* the row is locked does not do.)
/// 4. `scan` returns every row that is there from its beginning to its end. It need not be a snapshot.
/// 5. A call that fails says whether it may have had an effect, and never has its effect twice. A driver
///    that repeats calls by itself breaks this.
/// 6. Dropping a call's future at any moment leaves the store usable. The call is then as one whose
///    outcome is unknown.
///
/// The package `lockspace-conformance` checks all of this.
///
/// # Example
/// A store in memory, which does for tests of one process:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use lockspace::store::{Row, Store, StoreError, Swap, Version};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<(u64, BTreeMap<String, (Version, Vec<u8>)>)>);
///
/// impl Store for InMemory {
///     async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
///         Ok(self.0.lock().unwrap().1.get(key).cloned())
///     }
///
///     async fn swap(
///         &self,
///         key: &str,
///         expected: Option<Version>,
///         new: Option<&[u8]>,
///     ) -> Result<Swap, StoreError> {
///         let (last, rows) = &mut *self.0.lock().unwrap();
///         if rows.get(key).map(|(version, _)| *version) != expected {
///             return Ok(Swap::Conflict);
///         }
///         *last += 1;
///         match new {
///             Some(bytes) => rows.insert(key.into(), (Version(*last), bytes.into())),
///             None => rows.remove(key),
///         };
///         Ok(Swap::Swapped(Version(*last)))
///     }
///
///     async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
///         let rows = &self.0.lock().unwrap().1;
///         let rows = rows.iter().filter(|(key, _)| key.starts_with(prefix));
///         let row = |(key, (version, bytes)): (&String, &(Version, Vec<u8>))| Row {
///             key: key.clone(),
///             version: *version,
///             bytes: bytes.clone(),
///         };
///         Ok(rows.map(row).collect())
///     }
/// }
/// ```
pub trait Store: Send + Sync + 'static {
    /// The row of `key` and its version, or none. One round trip.
    ///
    /// # Errors
    /// [`StoreError`]; which of the two does not matter, since a load changes nothing.
    fn load(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<(Version, Vec<u8>)>, StoreError>> + Send;

    /// If the row of `key` has the version `expected` (`None`: if there is no row), makes it `new`
    /// (`None`: removes it). One round trip. A row that is not there is never asked to be removed.
    ///
    /// # Errors
    /// [`StoreError::NotDone`] if it is certain that nothing was swapped and nothing will be, else
    /// [`StoreError::Unknown`].
    fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> impl Future<Output = Result<Swap, StoreError>> + Send;

    /// Every row whose key begins with `prefix`.
    ///
    /// # Errors
    /// [`StoreError`]; which of the two does not matter.
    fn scan(&self, prefix: &str) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// Ready when the row of `key` may have another version than `known`: a hint, which may come for no
    /// reason and may never come. Nothing rests upon it but speed.
    fn watch(&self, key: &str, known: Option<Version>) -> impl Future<Output = ()> + Send {
        let _ = (key, known);
        pending()
    }

    /// What the store promises beyond the contract.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// A store that is shared is a store, and makes no second connection: whoever has opened a lockspace over one
/// clone may [look](survey()) at the store by another.
impl<S: Store> Store for Arc<S> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        (**self).load(key).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        (**self).swap(key, expected, new).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        (**self).scan(prefix).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        (**self).watch(key, known).await;
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
}

/// What a row is about. As text it is the row's key in the store.
///
/// ```
/// use lockspace::LockName;
/// use lockspace::store::{Key, record::SessionId};
///
/// let key = Key::Lock(LockName::new("invoice/42")?);
/// assert_eq!(key.to_string(), "lock/invoice/42");
/// assert_eq!(Key::parse("lock/invoice/42"), Some(key));
/// assert_eq!(Key::Session(SessionId(0xa7)).to_string(), "session/000000000000000000000000000000a7");
/// assert_eq!(Key::parse("invoice/42"), None);
/// # Ok::<(), lockspace::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The [`Record`](record::Record) of a name.
    Lock(crate::LockName),
    /// The [`SessionRecord`](record::SessionRecord) of a session.
    Session(record::SessionId),
}

impl Key {
    /// What all keys of names begin with.
    pub const LOCKS: &str = "lock/";
    /// What all keys of sessions begin with.
    pub const SESSIONS: &str = "session/";

    /// The key that is written so, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix(Self::LOCKS) {
            return crate::LockName::new(name).ok().map(Self::Lock);
        }
        record::SessionId::parse(text.strip_prefix(Self::SESSIONS)?).map(Self::Session)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(name) => write!(f, "{}{name}", Self::LOCKS),
            Self::Session(id) => write!(f, "{}{id}", Self::SESSIONS),
        }
    }
}

/// What the protocol asks of a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask<Content> {
    /// To load the row.
    Load,
    /// To swap the row.
    Swap {
        /// The version that it must have; none if it must not be there.
        expected: Option<Version>,
        /// What it is to become; none if it is to be removed.
        new: Option<Content>,
    },
}

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<Content> {
    /// To a load: the row, if there is one.
    Loaded(Option<(Version, Content)>),
    /// To a load: there is a row that cannot be read. It must not be overwritten.
    Unreadable,
    /// To a swap: done, with this version.
    Swapped(Version),
    /// To a swap: the row was not as expected, and nothing was changed.
    Conflict,
    /// To either: it had no effect and will have none.
    NotDone,
    /// To either: it may have had its effect, or may still have it.
    Unknown,
}
