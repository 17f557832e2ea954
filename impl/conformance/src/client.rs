//! A client that writes down what it asked, what it was told, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use lockspace::store::{Store, StoreError, Swap, Version};

/// A call that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) what: What,
}

/// What was asked and answered.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Loaded(Option<(Version, Vec<u8>)>),
    Swap { expected: Option<Version>, new: Option<Vec<u8>>, outcome: Outcome },
}

/// How a swap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Swapped(Version),
    Conflict,
    NotDone,
    Unknown,
}

/// One of many that use a store.
pub(crate) struct Client<S> {
    store: Arc<S>,
    number: usize,
    random: fastrand::Rng,
    /// What it last saw in each row, which may be stale.
    known: BTreeMap<String, Option<Version>>,
    pub(crate) seen: Vec<Seen>,
}

impl<S: Store> Client<S> {
    pub(crate) fn new(store: S, number: usize, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9e37_79b9));
        Self { store: Arc::new(store), number, random, known: BTreeMap::new(), seen: Vec::new() }
    }

    /// One of the things that clients do: looks at a row, makes it, replaces it or removes it; mostly as
    /// it knows the row to be, and sometimes as it was.
    pub(crate) async fn step(&mut self, keys: &[&str]) {
        let key = keys[self.random.usize(..keys.len())];
        if self.random.u8(..4) > 0 || !self.known.contains_key(key) {
            self.load(key).await;
        }
        let known = self.known.get(key).copied().flatten();
        let expected = if self.random.u8(..4) == 0 { None } else { known };
        let removes = expected.is_some() && self.random.bool();
        self.swap(key, expected, !removes).await;
    }

    /// Makes the row if it is not there, and else removes it. Whether it knows that it has.
    pub(crate) async fn make_or_remove(&mut self, key: &str) -> bool {
        self.load(key).await;
        let known = self.known.get(key).copied().flatten();
        matches!(self.swap(key, known, known.is_none()).await, Outcome::Swapped(_))
    }

    pub(crate) async fn load(&mut self, key: &str) {
        let begin = Instant::now();
        let loaded = self.store.load(key).await;
        let end = Instant::now();
        let Ok(row) = loaded else { return };
        self.known.insert(key.into(), row.as_ref().map(|(version, _)| *version));
        self.seen.push(Seen { key: key.into(), begin, end, what: What::Loaded(row) });
    }

    /// Writes bytes that nobody else ever writes, or removes the row.
    async fn swap(&mut self, key: &str, expected: Option<Version>, puts: bool) -> Outcome {
        let new = puts.then(|| format!("{}.{}", self.number, self.seen.len()).into_bytes());
        let begin = Instant::now();
        let outcome = match self.store.swap(key, expected, new.as_deref()).await {
            Ok(Swap::Swapped(version)) => Outcome::Swapped(version),
            Ok(Swap::Conflict) => Outcome::Conflict,
            Err(StoreError::NotDone(_)) => Outcome::NotDone,
            Err(StoreError::Unknown(_)) => Outcome::Unknown,
        };
        let end = Instant::now();
        if let Outcome::Swapped(version) = outcome {
            self.known.insert(key.into(), puts.then_some(version));
        }
        let what = What::Swap { expected, new, outcome };
        self.seen.push(Seen { key: key.into(), begin, end, what });
        outcome
    }
}
