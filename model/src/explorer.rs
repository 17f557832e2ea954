//! The second explorer: breadth first, packed, over several threads.
//!
//! It goes level by level: every state of one level is expanded before any of the next. So the
//! number of states, of transitions and of levels does not depend on how the threads share the work,
//! and a violation is found at its least depth. Only keys are kept, once each; there are no parent
//! pointers ([`path`](crate::path) finds the way to a state when somebody wants to read it).
//!
//! The visited set holds the keys themselves and not hashes of them: two different states are never
//! taken for one.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::machine::{Ids, Machine, Next};

/// What an exploration found. All of it is the same in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Distinct states.
    pub states: u64,
    /// Transitions: every action of every state.
    pub transitions: u64,
    /// The longest of the shortest paths from the initial state; with a violation, the length of the
    /// shortest path that ends in it.
    pub depth: u32,
    /// The safety properties broken by some transition of the last level explored.
    pub broken: Ids,
    /// The wanted goals that some transition shows.
    pub shown: Ids,
}

/// Explores `machine` over `threads` threads, to the end or through the level in which a safety
/// property first breaks, and looks out for the `wanted` goals. `progress` is told now and then.
pub fn explore<M: Machine>(
    machine: &M,
    threads: usize,
    wanted: Ids,
    mut progress: impl FnMut(&Explored),
) -> Explored {
    let visited = Visited::new();
    let first = machine.pack(&machine.initial());
    visited.insert(&first);
    let mut level = vec![first];
    let mut found = Explored { states: 1, ..Explored::default() };
    loop {
        let mut fresh = Vec::new();
        for slice in level.chunks(SLICE) {
            let still_wanted = wanted.without(found.shown);
            for mut part in expand(machine, threads, slice, &visited, still_wanted) {
                found.states += part.fresh.len() as u64;
                found.transitions += part.transitions;
                found.broken = found.broken.union(part.broken);
                found.shown = found.shown.union(part.shown);
                fresh.append(&mut part.fresh);
            }
            progress(&found);
        }
        if !fresh.is_empty() || !found.broken.is_empty() {
            found.depth += 1;
        }
        if fresh.is_empty() || !found.broken.is_empty() {
            return found;
        }
        level = fresh;
    }
}

/// What one thread found in one slice of a level.
struct Part<Key> {
    fresh: Vec<Key>,
    transitions: u64,
    broken: Ids,
    shown: Ids,
}

/// States of a level between two reports of progress.
const SLICE: usize = 1 << 20;

/// States that a thread takes at a time.
const CHUNK: usize = 256;

fn expand<M: Machine>(
    machine: &M,
    threads: usize,
    slice: &[M::Key],
    visited: &Visited<M::Key>,
    wanted: Ids,
) -> Vec<Part<M::Key>> {
    // Each thread claims the next chunk; the counter orders nothing else, the scope's end does.
    let claimed = AtomicUsize::new(0);
    let work = || {
        let mut part =
            Part { fresh: Vec::new(), transitions: 0, broken: Ids::NONE, shown: Ids::NONE };
        let mut actions = Vec::new();
        loop {
            let start = claimed.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(rest) = slice.get(start..) else {
                return part;
            };
            for key in rest.iter().take(CHUNK) {
                let state = machine.unpack(key);
                let mut scratch = state.clone();
                actions.clear();
                machine.actions(&state, &mut actions);
                part.transitions += actions.len() as u64;
                for action in &actions {
                    match machine.next(&state, &mut scratch, action, wanted) {
                        Next::Broken(ids) => part.broken = part.broken.union(ids),
                        Next::Sound { to, shown } => {
                            part.shown = part.shown.union(shown);
                            if to != *key && visited.insert(&to) {
                                part.fresh.push(to);
                            }
                        }
                    }
                }
            }
        }
    };
    if threads <= 1 || slice.len() <= CHUNK {
        return vec![work()];
    }
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).collect()
    })
}

/// The states met so far, in shards so that threads seldom meet.
struct Visited<Key> {
    hasher: DefaultHashBuilder,
    shards: Vec<Mutex<HashTable<Key>>>,
}

impl<Key: Clone + Eq + std::hash::Hash> Visited<Key> {
    fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            shards: (0..256).map(|_| Mutex::new(HashTable::new())).collect(),
        }
    }

    /// Whether `key` is new; it is not from now on.
    fn insert(&self, key: &Key) -> bool {
        let hash = self.hasher.hash_one(key);
        // The table itself uses the lowest and the highest bits.
        let shard = &self.shards[(hash >> 32) as usize % self.shards.len()];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &Key| other == key;
        let rehash = |other: &Key| self.hasher.hash_one(other);
        match shard.entry(hash, same, rehash) {
            hashbrown::hash_table::Entry::Occupied(_) => false,
            hashbrown::hash_table::Entry::Vacant(place) => {
                place.insert(key.clone());
                true
            }
        }
    }
}
