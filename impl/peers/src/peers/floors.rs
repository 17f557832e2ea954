//! Floors: what is no keyed lock, and costs what a keyed lock could cost at the least.

use std::future::{Future, ready};
use std::hash::{BuildHasher, Hasher};

use crossbeam_utils::CachePadded;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;
use tokio::sync::{Mutex as TokioMutex, MutexGuard as TokioMutexGuard};

use crate::peer::{BlockingPeer, Peer};

/// Which of so many, by the bits that a table does not use.
fn index(hash: u64, shards: usize) -> usize {
    (hash >> 32) as usize & (shards - 1)
}

const SHARDS: usize = 64;

/// A name of at most 23 bytes, beside its length: copied and compared without a call.
#[derive(Clone, Copy, PartialEq)]
struct ShortName([u8; 24]);

impl ShortName {
    fn new(name: &str) -> Self {
        let mut bytes = [0; 24];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[23] = name.len() as u8;
        Self(bytes)
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..usize::from(self.0[23])]
    }
}

fn hash(hasher: &RandomState, name: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(name);
    hasher.finish()
}

/// The least that a table of names could do: lock a shard and insert, lock it again and remove. It keeps
/// nobody out, and nobody could wait.
pub struct FloorPair {
    hasher: RandomState,
    shards: Vec<CachePadded<Mutex<HashTable<ShortName>>>>,
}

/// Removes its name.
pub struct PairGuard<'p> {
    floor: &'p FloorPair,
    name: ShortName,
    hash: u64,
}

impl FloorPair {
    fn make() -> Self {
        let shards = (0..SHARDS).map(|_| CachePadded::default()).collect();
        Self { hasher: RandomState::default(), shards }
    }

    fn insert(&self, name: &str) -> PairGuard<'_> {
        let (hash, name) = (hash(&self.hasher, name.as_bytes()), ShortName::new(name));
        let mut shard = self.shards[index(hash, SHARDS)].lock();
        shard.insert_unique(hash, name, |name| self::hash(&self.hasher, name.bytes()));
        PairGuard { floor: self, name, hash }
    }
}

impl Drop for PairGuard<'_> {
    fn drop(&mut self) {
        let mut shard = self.floor.shards[index(self.hash, SHARDS)].lock();
        if let Ok(entry) = shard.find_entry(self.hash, |name| *name == self.name) {
            entry.remove();
        }
    }
}

/// Less than any table: a shard is a lock and room for one name beside it. Lock and write, lock and clear.
pub struct FloorOneLine {
    hasher: RandomState,
    shards: Vec<CachePadded<Mutex<Option<ShortName>>>>,
}

/// Clears its place.
pub struct OneLineGuard<'p>(&'p Mutex<Option<ShortName>>);

impl FloorOneLine {
    fn make() -> Self {
        let shards = (0..SHARDS).map(|_| CachePadded::default()).collect();
        Self { hasher: RandomState::default(), shards }
    }

    fn write(&self, name: &str) -> OneLineGuard<'_> {
        let shard = &self.shards[index(hash(&self.hasher, name.as_bytes()), SHARDS)];
        *shard.lock() = Some(ShortName::new(name));
        OneLineGuard(shard)
    }
}

impl Drop for OneLineGuard<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// A floor in both shapes.
macro_rules! floor {
    ($floor:ident, $guard:ident, $acquire:ident, $name:literal) => {
        impl Peer for $floor {
            const NAME: &'static str = $name;
            type Guard<'p> = $guard<'p>;

            fn new() -> Self {
                Self::make()
            }

            fn acquire<'p>(
                &'p self,
                name: &'p str,
            ) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
                ready(self.$acquire(name))
            }
        }

        impl BlockingPeer for $floor {
            const NAME: &'static str = $name;
            type Guard<'p> = $guard<'p>;

            fn new() -> Self {
                Self::make()
            }

            fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
                self.$acquire(name)
            }
        }
    };
}

floor!(FloorPair, PairGuard, insert, "FLOOR pair");
floor!(FloorOneLine, OneLineGuard, write, "FLOOR one line");

/// 1,024 mutexes without names: unrelated names can block each other.
pub struct Striped {
    hasher: RandomState,
    stripes: Vec<TokioMutex<()>>,
}

impl Peer for Striped {
    const NAME: &'static str = "striped × 1024";
    type Guard<'p> = TokioMutexGuard<'p, ()>;

    fn new() -> Self {
        let stripes = (0..1024).map(|_| TokioMutex::default()).collect();
        Self { hasher: RandomState::default(), stripes }
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.stripes[index(hash(&self.hasher, name.as_bytes()), self.stripes.len())].lock()
    }
}

/// One mutex and no names at all: what the waiting costs.
pub struct OneTokioMutex(TokioMutex<()>);

impl Peer for OneTokioMutex {
    const NAME: &'static str = "one tokio Mutex";
    type Guard<'p> = TokioMutexGuard<'p, ()>;

    fn new() -> Self {
        Self(TokioMutex::default())
    }

    fn acquire<'p>(&'p self, _: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.0.lock()
    }
}
