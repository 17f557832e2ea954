//! Watching the rows of names that somebody here waits for.
//!
//! Nothing rests upon a hint but speed. So each state of a row is watched once until it is looked at again
//! in its own time: a store whose hints come for no reason costs a look more, and not one after the other.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::erased::{AnyStore, Boxed};
use super::{Key, Version};
use crate::LockName;
use crate::sync::Arc;

/// The rows that are watched.
pub(crate) struct Hints {
    store: Arc<dyn AnyStore>,
    rows: BTreeMap<LockName, Watched>,
    hints: FuturesUnordered<Abortable<Boxed<'static, LockName>>>,
}

struct Watched {
    version: Version,
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
        if self.rows.get(&name).map(|watched| watched.version) == version {
            return;
        }
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
            self.rows.insert(name, Watched { version, came: false, hint: handle });
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
            if let Ok(name) = hint
                && let Some(watched) = self.rows.get_mut(&name)
            {
                watched.came = true;
                changed.push(name);
            }
        }
        changed
    }
}
