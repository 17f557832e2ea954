//! Those who want to know that something has ended: a hold (`lost`, `wait_until_released`) or the
//! lockspace (`shutdown`). They take part in nothing and are granted nothing; so the protocol does not
//! know them, and the audit counts them apart.

use std::collections::BTreeMap;
use std::task::Waker;

use super::effects::Effects;

/// Wakers by what they watch; several may watch the same.
#[derive(Debug)]
pub(crate) struct Watchers<K> {
    wakers: BTreeMap<(K, u64), Waker>,
    next_id: u64,
}

impl<K: Ord + Copy> Watchers<K> {
    pub(crate) fn new() -> Self {
        Self { wakers: BTreeMap::new(), next_id: 0 }
    }

    /// Has `waker` woken when `what` ends. `id` tells one watcher from the next; the first call sets it.
    pub(crate) fn watch(
        &mut self,
        what: K,
        id: &mut Option<u64>,
        waker: &Waker,
        effects: &mut Effects,
    ) {
        let id = *id.get_or_insert_with(|| {
            self.next_id += 1;
            self.next_id
        });
        effects.retire(self.wakers.insert((what, id), waker.clone()));
    }

    /// A watcher has been dropped or has seen the end.
    pub(crate) fn forget(&mut self, what: K, id: u64, effects: &mut Effects) {
        effects.retire(self.wakers.remove(&(what, id)));
    }

    /// `what` has ended: all who watch it are woken and forgotten.
    #[inline(never)]
    pub(crate) fn ended(&mut self, what: K, effects: &mut Effects) {
        let first = |wakers: &BTreeMap<(K, u64), Waker>| {
            wakers.range((what, 0)..=(what, u64::MAX)).next().map(|(watcher, _)| *watcher)
        };
        while let Some(watcher) = first(&self.wakers) {
            effects.wake(self.wakers.remove(&watcher));
        }
    }

    /// What is watched, once for each watcher.
    pub(crate) fn watched(&self) -> impl Iterator<Item = K> {
        self.wakers.keys().map(|(what, _)| *what)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }
}
