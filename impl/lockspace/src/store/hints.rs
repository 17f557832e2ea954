//! Watching the rows of names that somebody here waits for.
//!
//! Nothing rests upon a hint but speed. A hint may come for a swap that is known already: the session's own,
//! which a server often tells about later than it answers. So a row that is as it was is watched again, but
//! only so often until it is looked at in its own time: a store whose hints come for no reason costs a few
//! looks more, and not one after the other.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::erased::{AnyStore, Boxed};
use super::{Key, Version};
use crate::LockName;
use crate::sync::Arc;

/// How often a state of a row is watched until the row is looked at in its own time.
const WATCHED_AT_MOST: u32 = 8;

/// The rows that are watched.
pub(crate) struct Hints {
    store: Arc<dyn AnyStore>,
    rows: BTreeMap<LockName, Watched>,
    hints: FuturesUnordered<Abortable<Boxed<'static, LockName>>>,
}

struct Watched {
    version: Version,
    /// How often this state of it.
    times: u32,
    came: bool,
    hint: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.hint.abort();
    }
}

impl Hints {
    pub(crate) fn new(store: Arc<dyn AnyStore>) -> Self {
        Self { store, rows: BTreeMap::new(), hints: FuturesUnordered::new() }
    }

    /// Watches the row of `name`, which has this version; for none, watches it no longer.
    pub(crate) fn watch(&mut self, name: LockName, version: Option<Version>) {
        let as_it_was = self.rows.get(&name).filter(|watched| Some(watched.version) == version);
        if as_it_was.is_some_and(|row| !row.came || row.times >= WATCHED_AT_MOST) {
            return;
        }
        let times = as_it_was.map_or(1, |row| row.times + 1);
        self.rows.remove(&name);
        if let Some(version) = version {
            let (store, key) = (Arc::clone(&self.store), Key::Lock(name.clone()).to_string());
            let watched = name.clone();
            let hint: Boxed<'static, _> = Box::pin(async move {
                store.watch(&key, Some(version)).await;
                watched
            });
            let (handle, registration) = AbortHandle::new_pair();
            self.hints.push(Abortable::new(hint, registration));
            self.rows.insert(name, Watched { version, times, came: false, hint: handle });
        }
    }

    /// Every row has been looked at in its own time: those whose hint has come may be watched again.
    pub(crate) fn looked(&mut self) {
        self.rows.retain(|_, watched| !watched.came);
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.hints.clear();
    }

    /// The names whose rows may have changed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Vec<LockName> {
        let mut changed = Vec::new();
        while let Poll::Ready(Some(hint)) = self.hints.poll_next_unpin(cx) {
            // A failed hint names no row: the row is looked at in its own time.
            let Ok(name) = hint else { continue };
            if let Some(watched) = self.rows.get_mut(&name) {
                watched.came = true;
                changed.push(name);
            }
        }
        changed
    }
}
