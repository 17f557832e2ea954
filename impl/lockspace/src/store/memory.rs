//! A store in memory, for tests and examples.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::{Capabilities, Row, Store, StoreError, Swap, Version};
use crate::sync::{Arc, Mutex};

/// A store in memory: several lockspaces that are opened over clones of it share their names, as
/// processes do over a server. It keeps the whole contract of [`Store`], and is gone with its last clone.
///
/// For tests, examples, and as the simplest store that there is. Within one process,
/// [`LockSpace::new`](crate::LockSpace::new) does the same without any store.
#[derive(Clone, Default)]
pub struct Memory {
    rows: Arc<Mutex<Rows>>,
}

#[derive(Default)]
struct Rows {
    last: u64,
    rows: BTreeMap<String, (Version, Vec<u8>)>,
    /// Those who want to hear of the next swap of a key.
    watchers: BTreeMap<String, Vec<Waker>>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for Memory {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        Ok(self.rows.lock().rows.get(key).cloned())
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let mut all = self.rows.lock();
        if all.rows.get(key).map(|(version, _)| *version) != expected {
            return Ok(Swap::Conflict);
        }
        all.last += 1;
        let version = Version(all.last);
        match new {
            Some(bytes) => all.rows.insert(key.into(), (version, bytes.into())),
            None => all.rows.remove(key),
        };
        let watchers = all.watchers.remove(key).unwrap_or_default();
        drop(all);
        watchers.into_iter().for_each(Waker::wake);
        Ok(Swap::Swapped(version))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let all = self.rows.lock();
        let rows = all.rows.iter().filter(|(key, _)| key.starts_with(prefix));
        let row = |(key, (version, bytes)): (&String, &(Version, Vec<u8>))| Row {
            key: key.clone(),
            version: *version,
            bytes: bytes.clone(),
        };
        Ok(rows.map(row).collect())
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        poll_fn(|cx| {
            let mut all = self.rows.lock();
            if all.rows.get(key).map(|(version, _)| *version) != known {
                return Poll::Ready(());
            }
            let watchers = all.watchers.entry(key.into()).or_default();
            if !watchers.iter().any(|known| known.will_wake(cx.waker())) {
                watchers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { hints: true, ..Capabilities::default() }
    }
}
