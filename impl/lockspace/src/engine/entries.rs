//! The entries of one shard: the names in use there, found by name or by place.
//!
//! The first entry lies beside the shard's lock, the others in a table. There are more shards than
//! names in the middle of an acquire and its release, so nearly always the first is the only one, and
//! neither table nor hash index is touched. A place stays the entry's own until the entry is removed.
//!
//! What this file must not do: know what a hold or a queue means.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use slab::Slab;

use crate::name::LockName;

/// No such slot: the end of a queue. No such place: no timer.
pub(super) const NONE: u32 = u32::MAX;

/// Slots that an idle shard keeps; above this, memory goes back when it empties.
pub(super) const KEEP: usize = 32;

/// The place beside the lock. Slot `n` of the table is place `n + 1`.
const FIRST: u32 = 0;

/// A held name and its queue. 56 bytes, of which the name takes 24.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: LockName,
    pub(super) token: u64,
    /// The lower half of the name's hash: the upper one has chosen the shard.
    hash: u32,
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) queued: u32,
    /// The place of the timer of its lease; none, if it has none.
    pub(super) timer: u32,
}

impl Entry {
    fn new(name: LockName, hash: u64) -> Self {
        let hash = hash as u32;
        Self { name, token: 0, hash, head: NONE, tail: NONE, queued: 0, timer: NONE }
    }

    #[inline(always)]
    fn is(&self, name: &str, hash: u64) -> bool {
        self.hash == hash as u32 && self.name.as_str() == name
    }
}

/// A hash as the index wants it, which looks at the top seven bits and at the lowest ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[derive(Debug)]
pub(super) struct Entries {
    first: Option<Entry>,
    others: Slab<Entry>,
    /// Finds the place of each of the `others` by its name.
    index: HashTable<u32>,
}

impl Entries {
    pub(super) fn new() -> Self {
        Self { first: None, others: Slab::new(), index: HashTable::new() }
    }

    /// Where the entry of `name` is.
    #[inline(always)]
    pub(super) fn find(&self, name: &str, hash: u64) -> Option<u32> {
        if self.first.as_ref().is_some_and(|first| first.is(name, hash)) {
            return Some(FIRST);
        }
        if self.others.is_empty() {
            return None;
        }
        self.find_other(name, hash)
    }

    #[inline(never)]
    fn find_other(&self, name: &str, hash: u64) -> Option<u32> {
        self.index.find(spread(hash as u32), |place| self[*place].is(name, hash)).copied()
    }

    /// Whether there is an entry with such a hash. If not, there is none of such a name either, and no
    /// name had to be compared.
    #[inline(always)]
    pub(super) fn has_hash(&self, hash: u64) -> bool {
        let is_first = self.first.as_ref().is_some_and(|first| first.hash == hash as u32);
        is_first || !self.others.is_empty() && self.other_has_hash(hash as u32)
    }

    #[inline(never)]
    fn other_has_hash(&self, hash: u32) -> bool {
        self.index.find(spread(hash), |place| self[*place].hash == hash).is_some()
    }

    /// Adds an entry, without a hold, for a name that has none. The caller must grant it.
    #[inline(always)]
    pub(super) fn insert(&mut self, name: &str, hash: u64) -> u32 {
        let entry = Entry::new(LockName::checked(name), hash);
        if self.first.is_none() {
            self.first = Some(entry);
            return FIRST;
        }
        self.insert_other(entry)
    }

    #[inline(never)]
    fn insert_other(&mut self, entry: Entry) -> u32 {
        let hash = spread(entry.hash);
        self.grow();
        let place = self.others.insert(entry) as u32 + 1;
        let others = &self.others;
        let hash_of = |place: &u32| spread(others[*place as usize - 1].hash);
        self.index.insert_unique(hash, place, hash_of);
        place
    }

    /// A large table grows by a quarter: to be doubled would cost a held name up to 56 bytes more.
    fn grow(&mut self) {
        let full = self.others.len();
        if full == self.others.capacity() && full >= KEEP {
            self.others.reserve_exact(full / 4);
        }
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, place: u32) {
        if place == FIRST {
            self.first = None;
        } else {
            self.remove_other(place);
        }
    }

    #[inline(never)]
    fn remove_other(&mut self, place: u32) {
        let removed = self.others.remove(place as usize - 1);
        if let Ok(found) = self.index.find_entry(spread(removed.hash), |other| *other == place) {
            found.remove();
        }
        if self.others.is_empty() && self.others.capacity() > KEEP {
            self.others = Slab::new();
            self.index = HashTable::new();
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, place: u32) -> Option<&Entry> {
        if place == FIRST { self.first.as_ref() } else { self.others.get(place as usize - 1) }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Every entry, with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let others = self.others.iter().map(|(slot, entry)| (slot as u32 + 1, entry));
        self.first.iter().map(|entry| (FIRST, entry)).chain(others)
    }

    /// What the index and the table disagree about, in words.
    pub(super) fn disagreements(&self) -> impl Iterator<Item = String> {
        let unfound = self.iter().filter(|(place, entry)| {
            self.find(entry.name.as_str(), entry.hash.into()) != Some(*place)
        });
        let unfound = unfound.map(|(_, entry)| format!("{:?} is not found", entry.name));
        let (names, entries) = (self.index.len(), self.others.len());
        let uneven = (names != entries).then(|| format!("{names} names for {entries} entries"));
        unfound.chain(uneven)
    }
}

impl Index<u32> for Entries {
    type Output = Entry;

    #[inline]
    fn index(&self, place: u32) -> &Entry {
        self.get(place).expect("a place is asked for only while its entry exists")
    }
}

impl IndexMut<u32> for Entries {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Entry {
        let entry = if place == FIRST {
            self.first.as_mut()
        } else {
            self.others.get_mut(place as usize - 1)
        };
        entry.expect("a place is asked for only while its entry exists")
    }
}

#[cfg(test)]
mod tests {
    use super::{Entries, KEEP, spread};

    fn insert(entries: &mut Entries, name: &str) -> u32 {
        // One hash for all: names must be told apart by more than that.
        entries.insert(name, 7)
    }

    #[test]
    fn names_with_one_hash_are_told_apart() {
        let mut entries = Entries::new();
        let places: Vec<u32> = ["a", "b", "c"].map(|name| insert(&mut entries, name)).into();
        for (name, place) in ["a", "b", "c"].into_iter().zip(&places) {
            assert_eq!(entries.find(name, 7), Some(*place));
        }
        entries.remove(places[0]);
        assert_eq!(entries.find("a", 7), None);
        assert_eq!(entries.find("c", 7), Some(places[2]));
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn names_are_found_after_the_index_has_grown() {
        let mut entries = Entries::new();
        // Hashes of names that follow each other differ at both ends.
        let hash = |n: u32| n.wrapping_mul(0x9E37_79B9).into();
        let names: Vec<(String, u64)> = (0..500).map(|n| (n.to_string(), hash(n))).collect();
        let places: Vec<u32> =
            names.iter().map(|(name, hash)| entries.insert(name, *hash)).collect();
        for ((name, hash), place) in names.iter().zip(places) {
            assert_eq!(entries.find(name, *hash), Some(place));
        }
        assert_eq!(entries.disagreements().count(), 0);
    }

    #[test]
    fn a_hash_that_no_entry_has_is_of_no_name() {
        let mut entries = Entries::new();
        let hash = |entries: &Entries| [5, 6, 7].map(|hash| entries.has_hash(hash));
        assert_eq!(hash(&entries), [false; 3]);
        let first = entries.insert("a", 5);
        assert_eq!(hash(&entries), [true, false, false]);
        entries.insert("b", 6);
        entries.remove(first);
        assert_eq!(hash(&entries), [false, true, false]);
    }

    #[test]
    fn a_spread_hash_has_all_its_bits_at_both_ends() {
        assert_eq!(spread(0x8000_0007), 0x8000_0007_8000_0007);
    }

    #[test]
    fn a_large_table_has_little_room_to_spare() {
        let mut entries = Entries::new();
        let (mut before, mut grown) = (0, 0);
        for n in 0..10_000_u64 {
            entries.insert(&n.to_string(), n);
            let (taken, room) = (entries.others.len(), entries.others.capacity());
            assert!(room <= KEEP || room * 4 <= taken * 5, "{room} places for {taken} names");
            grown += usize::from(room != before);
            before = room;
        }
        assert!(grown < 40, "moved {grown} times");
        assert_eq!(size_of::<Option<super::Entry>>(), 56);
    }

    #[test]
    fn what_the_index_and_the_table_disagree_about_is_told() {
        let mut entries = Entries::new();
        let _places = ["a", "b", "c"].map(|name| insert(&mut entries, name));
        entries.index.clear();
        let told: Vec<String> = entries.disagreements().collect();
        assert_eq!(told, ["\"b\" is not found", "\"c\" is not found", "0 names for 2 entries"]);
    }

    #[test]
    fn a_shard_keeps_a_little_memory() {
        let mut entries = Entries::new();
        // One lies beside the lock.
        let names: Vec<String> = (0..=KEEP).map(|n| n.to_string()).collect();
        let places: Vec<u32> = names.iter().map(|name| insert(&mut entries, name)).collect();
        assert_eq!(entries.others.capacity(), KEEP);
        places.into_iter().for_each(|place| entries.remove(place));
        assert_eq!(entries.others.capacity(), KEEP);
    }

    #[test]
    fn an_empty_shard_gives_its_memory_back() {
        let mut entries = Entries::new();
        let names: Vec<String> = (0..10 * KEEP).map(|n| n.to_string()).collect();
        let places: Vec<u32> = names.iter().map(|name| insert(&mut entries, name)).collect();
        places.into_iter().for_each(|place| entries.remove(place));
        assert_eq!((entries.len(), entries.others.capacity(), entries.index.capacity()), (0, 0, 0));
    }
}
