//! What people write themselves.

use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use tokio::sync::{Mutex as TokioMutex, OwnedMutexGuard};

use crate::peer::Peer;

type Map = DashMap<String, Arc<TokioMutex<()>>>;

/// Looks first, so that a known name costs no `String`.
fn mutex_of(map: &Map, name: &str) -> Arc<TokioMutex<()>> {
    match map.get(name) {
        Some(mutex) => Arc::clone(&mutex),
        None => Arc::clone(&map.entry(name.to_owned()).or_default()),
    }
}

/// A map of mutexes that is never cleaned: every name stays for ever.
pub struct DashMapLeaky(Map);

impl Peer for DashMapLeaky {
    const NAME: &'static str = "DashMap + tokio Mutex, leaks";
    type Guard<'p> = OwnedMutexGuard<()>;

    fn new() -> Self {
        Self(Map::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        mutex_of(&self.0, name).lock_owned()
    }
}

/// The same, cleaned by whoever releases last. A waiter that is dropped when it was granted the lock and has
/// not seen it leaves its entry behind.
pub struct DashMapCleaned(Map);

/// Releases, and then removes the entry if nobody else refers to it.
pub struct Cleaning<'p> {
    map: &'p Map,
    name: &'p str,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Cleaning<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        self.map.remove_if(self.name, |_, mutex| Arc::strong_count(mutex) == 1);
    }
}

impl Peer for DashMapCleaned {
    const NAME: &'static str = "DashMap + tokio Mutex, cleaned";
    type Guard<'p> = Cleaning<'p>;

    fn new() -> Self {
        Self(Map::new())
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
        let guard = mutex_of(&self.0, name).lock_owned().await;
        Cleaning { map: &self.0, name, guard: Some(guard) }
    }
}

/// Shards of a map, each behind a mutex, of async-lock's mutexes; cleaned as above. async-lock lets others
/// barge, and spends none of a task's budget.
pub struct ShardedAsyncLock {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

type Shard = HashMap<String, Arc<async_lock::Mutex<()>>, RandomState>;

impl ShardedAsyncLock {
    fn shard(&self, name: &str) -> &Mutex<Shard> {
        &self.shards[(self.hasher.hash_one(name) >> 32) as usize % self.shards.len()]
    }

    fn mutex_of(&self, name: &str) -> Arc<async_lock::Mutex<()>> {
        let mut shard = self.shard(name).lock().expect("nobody panics");
        match shard.get(name) {
            Some(mutex) => Arc::clone(mutex),
            None => Arc::clone(shard.entry(name.to_owned()).or_default()),
        }
    }
}

/// Releases, and then removes the entry if nobody else refers to it.
pub struct CleaningShard<'p> {
    shard: &'p Mutex<Shard>,
    name: &'p str,
    guard: Option<async_lock::MutexGuardArc<()>>,
}

impl Drop for CleaningShard<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut shard = self.shard.lock().expect("nobody panics");
        if shard.get(self.name).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
            shard.remove(self.name);
        }
    }
}

impl Peer for ShardedAsyncLock {
    const NAME: &'static str = "64 shards + async-lock, cleaned";
    type Guard<'p> = CleaningShard<'p>;

    fn new() -> Self {
        Self { hasher: RandomState::default(), shards: (0..64).map(|_| Mutex::default()).collect() }
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
        let guard = self.mutex_of(name).lock_arc().await;
        CleaningShard { shard: self.shard(name), name, guard: Some(guard) }
    }
}

/// A cache that forgets a mutex which was idle for ten seconds, also one that is still held.
pub struct MokaIdle(moka::sync::Cache<String, Arc<TokioMutex<()>>>);

impl Peer for MokaIdle {
    const NAME: &'static str = "moka time_to_idle + tokio Mutex";
    type Guard<'p> = OwnedMutexGuard<()>;

    fn new() -> Self {
        Self(moka::sync::Cache::builder().time_to_idle(Duration::from_secs(10)).build())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.0.get_with_by_ref(name, Arc::default).lock_owned()
    }
}
