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
    /// Each process has versions of its own, greater or smaller than those of the others. In none of them do
    /// they ever go back, so no lockspace can notice it by itself.
    ProcessesCountForThemselves,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::SwapsAreNotAtomic, Self::ProcessesCountForThemselves];
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
        // On purpose: time for somebody else to write.
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

    /// How much greater the versions of this process are than those of the store.
    fn ahead(&self) -> u64 {
        match self.flaw {
            Flaw::SwapsAreNotAtomic => 0,
            Flaw::ProcessesCountForThemselves => u64::from(std::process::id() % 1_024) << 40,
        }
    }

    fn shown(&self, version: Version) -> Version {
        Version(version.0 + self.ahead())
    }
}

impl<S: Store> Store for Broken<S> {
    async fn load(&self, key: &str) -> Result<Loaded, StoreError> {
        let row = self.store.load(key).await?;
        Ok(row.map(|(version, bytes)| (self.shown(version), bytes)))
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let expected = expected.map(|version| Version(version.0 - self.ahead()));
        let swap = match self.flaw {
            Flaw::SwapsAreNotAtomic => self.swap_in_two_steps(key, expected, new).await?,
            Flaw::ProcessesCountForThemselves => self.store.swap(key, expected, new).await?,
        };
        Ok(match swap {
            Swap::Swapped(version) => Swap::Swapped(self.shown(version)),
            Swap::Conflict => Swap::Conflict,
        })
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.store.scan(prefix).await?;
        rows.iter_mut().for_each(|row| row.version = self.shown(row.version));
        Ok(rows)
    }
}
