//! A map that many threads write to, in shards so that they seldom meet.
//!
//! What is in it may be of a user: a span, or a series of some exporter. None of it is dropped under a lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use crate::sync::{CachePadded, Mutex, MutexGuard};

const SHARDS: usize = 16;

/// What an empty shard may keep of its memory; above this, it goes back.
const KEEP: usize = 32;

pub(super) type Shard<K, V> = HashMap<K, V, RandomState>;

pub(super) struct Sharded<K, V> {
    shards: [CachePadded<Mutex<Shard<K, V>>>; SHARDS],
    hasher: RandomState,
}

impl<K: Eq + Hash, V> Sharded<K, V> {
    pub(super) fn new() -> Self {
        let shard = |_| CachePadded::new(Mutex::new(HashMap::default()));
        Self { shards: std::array::from_fn(shard), hasher: RandomState::default() }
    }

    /// The shard that a key falls into, locked.
    pub(super) fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        self.shards[(self.hasher.hash_one(key) >> 32) as usize % SHARDS].lock()
    }

    pub(super) fn insert(&self, key: K, value: V) {
        // Numbers of calls begin anew after four billion. What was there is dropped after the unlock.
        let _before = self.shard(&key).insert(key, value);
    }

    pub(super) fn remove(&self, key: &K) -> Option<V> {
        remove(&mut self.shard(key), key)
    }

    /// Visits every value, one locked shard after the other.
    #[cfg(feature = "tracing")]
    pub(super) fn for_each(&self, mut visit: impl FnMut(&mut V)) {
        self.shards.iter().for_each(|shard| shard.lock().values_mut().for_each(&mut visit));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// Removes from a shard that is locked already.
pub(super) fn remove<K: Eq + Hash, V>(shard: &mut Shard<K, V>, key: &K) -> Option<V> {
    let removed = shard.remove(key);
    if shard.is_empty() && shard.capacity() > KEEP {
        *shard = HashMap::default();
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::{KEEP, SHARDS, Sharded};

    #[test]
    fn memory_goes_back_when_a_shard_empties() {
        let map = Sharded::new();
        (0..SHARDS * KEEP * 10).for_each(|key| map.insert(key, ()));
        (0..SHARDS * KEEP * 10).for_each(|key| assert_eq!(map.remove(&key), Some(())));
        assert_eq!(map.len(), 0);
        assert!(map.shards.iter().all(|shard| shard.lock().capacity() <= KEEP));
    }
}
