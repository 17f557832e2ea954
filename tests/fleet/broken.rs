//! Stores that break their contract in one point each, over one that keeps it: a fleet over them must be
//! found out, or its verdicts say nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lockspace::store::{Row, Store, StoreError, Swap, Version};
use tokio::time::sleep;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A swap looks at the row, and then writes: somebody else can have written in between.
    SwapsAreNotAtomic,
    /// A row that was removed begins again with version one.
    VersionsRestart,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::SwapsAreNotAtomic, Self::VersionsRestart];
        all.into_iter().find(|flaw| flaw.to_string() == text).ok_or_else(|| text.into())
    }
}

/// The store `store`, but for this flaw.
pub(crate) struct Broken<S> {
    pub(crate) store: S,
    pub(crate) flaw: Flaw,
}

type Loaded = Option<(Version, Vec<u8>)>;

impl<S: Store> Broken<S> {
    async fn swap_in_two_steps(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let version = |row: Loaded| row.map(|(version, _)| version);
        if version(self.store.load(key).await?) != expected {
            return Ok(Swap::Conflict);
        }
        sleep(Duration::from_millis(5)).await;
        loop {
            // Whatever stands there now is overwritten.
            let now = version(self.store.load(key).await?);
            if now.is_none() && new.is_none() {
                return Ok(Swap::Conflict);
            }
            if let Swap::Swapped(version) = self.store.swap(key, now, new).await? {
                return Ok(Swap::Swapped(version));
            }
        }
    }

    /// Each row counts its own swaps, in front of its bytes.
    async fn swap_counting(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let row = self.store.load(key).await?;
        let real = row.as_ref().map(|(version, _)| *version);
        let found = row.map(|(_, bytes)| counted(bytes).0);
        if found != expected {
            return Ok(Swap::Conflict);
        }
        let version = Version(found.map_or(1, |version| version.0 + 1));
        let new = new.map(|bytes| [&version.0.to_le_bytes(), bytes].concat());
        Ok(match self.store.swap(key, real, new.as_deref()).await? {
            Swap::Swapped(_) => Swap::Swapped(version),
            Swap::Conflict => Swap::Conflict,
        })
    }
}

/// The version in front of a row's bytes, and the bytes.
fn counted(mut bytes: Vec<u8>) -> (Version, Vec<u8>) {
    let rest = bytes.split_off(8);
    let version = bytes.try_into().expect("it has eight bytes");
    (Version(u64::from_le_bytes(version)), rest)
}

impl<S: Store> Store for Broken<S> {
    async fn load(&self, key: &str) -> Result<Loaded, StoreError> {
        let row = self.store.load(key).await?;
        Ok(match self.flaw {
            Flaw::SwapsAreNotAtomic => row,
            Flaw::VersionsRestart => row.map(|(_, bytes)| counted(bytes)),
        })
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        match self.flaw {
            Flaw::SwapsAreNotAtomic => self.swap_in_two_steps(key, expected, new).await,
            Flaw::VersionsRestart => self.swap_counting(key, expected, new).await,
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.store.scan(prefix).await?;
        if self.flaw == Flaw::VersionsRestart {
            for row in &mut rows {
                (row.version, row.bytes) = counted(std::mem::take(&mut row.bytes));
            }
        }
        Ok(rows)
    }
}
