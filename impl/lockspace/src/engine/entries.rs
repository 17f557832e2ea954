//! The entries of one shard: the names in use there, found by name or by place.
//!
//! The first few entries lie beside the shard's lock, the others in a table. There are more shards than
//! names in the middle of an acquire and its release, so nearly always there are no others, and neither
//! table nor hash index is touched. A place stays the entry's own until the entry is removed.
//!
//! What is left of a hold that was lost may stay in the place of its entry, for its guard: it is no entry
//! any more, is found by no name, and takes no memory that the hold had not.
//!
//! What this file must not do: know what a hold or a queue means.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use slab::Slab;

use crate::error::Loss;
use crate::name::KeptName;

/// No such slot: the end of a queue. No such place: no timer.
pub(super) const NONE: u32 = u32::MAX;

/// Slots that an idle shard keeps; above this, memory goes back when it empties.
pub(super) const KEEP: usize = 32;

/// How many places lie beside the lock; their numbers come first. Slot `n` of the table is place `NEAR + n`.
const NEAR: usize = 4;

/// A held name and its queue. 56 bytes, of which the name takes 24.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: KeptName,
    pub(super) token: u64,
    /// The lower half of the name's hash: the upper one has chosen the shard.
    hash: u32,
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) queued: u32,
    /// The place of the timer of its lease; none, if it has none.
    pub(super) timer: u32,
    /// Why its hold is lost, if that is to stay here.
    lost: Option<Loss>,
    /// Whether nothing else is left of the entry.
    gone: bool,
}

impl Entry {
    /// An entry that has not begun.
    fn blank() -> Self {
        Self {
            name: KeptName::BLANK,
            token: 0,
            hash: 0,
            head: NONE,
            tail: NONE,
            queued: 0,
            timer: NONE,
            lost: None,
            gone: false,
        }
    }

    /// Becomes the entry of `name`. All else is as in a blank one: an entry ends without lease and queue.
    #[inline(always)]
    fn begin(&mut self, name: &str, hash: u64) {
        debug_assert_eq!((self.head, self.queued, self.timer), (NONE, 0, NONE));
        self.name.write(name);
        self.hash = hash as u32;
    }

    #[inline(always)]
    fn is(&self, name: &str, hash: u64) -> bool {
        self.hash == hash as u32 && self.name.as_bytes() == name.as_bytes()
    }
}

/// A hash as the index wants it, which looks at the top seven bits and at the lowest ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// In this order, so that little lies between the lock and the first of them.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Entries {
    /// Which of the near ones there are, one bit for each.
    taken: u8,
    /// Written where they lie, as their [names](KeptName) are.
    near: [Entry; NEAR],
    others: Slab<Entry>,
    /// Finds the place of each of the `others` by its name.
    index: HashTable<u32>,
    /// In how many places of the `others` is what is left of a lost hold.
    lost: usize,
}

impl Entries {
    /// Where the first of the near ones ends.
    #[cfg(test)]
    pub(super) const FIRST_ENDS: usize = std::mem::offset_of!(Self, near) + size_of::<Entry>();

    pub(super) fn new() -> Self {
        Self {
            taken: 0,
            near: std::array::from_fn(|_| Entry::blank()),
            others: Slab::new(),
            index: HashTable::new(),
            lost: 0,
        }
    }

    /// Which of the near entries are such, from the first one on.
    #[inline(always)]
    fn find_near(&self, is_it: impl Fn(&Entry) -> bool) -> Option<u32> {
        let mut left = self.taken;
        while left != 0 {
            let place = left.trailing_zeros();
            if is_it(&self.near[place as usize]) {
                return Some(place);
            }
            left &= left - 1;
        }
        None
    }

    /// Where the entry of `name` is.
    #[inline(always)]
    pub(super) fn find(&self, name: &str, hash: u64) -> Option<u32> {
        let near = self.find_near(|entry| entry.is(name, hash));
        if near.is_some() || self.index.is_empty() {
            return near;
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
        let hash = hash as u32;
        let is_near = self.find_near(|entry| entry.hash == hash).is_some();
        is_near || !self.index.is_empty() && self.other_has_hash(hash)
    }

    #[inline(never)]
    fn other_has_hash(&self, hash: u32) -> bool {
        self.index.find(spread(hash), |place| self[*place].hash == hash).is_some()
    }

    /// Adds an entry, without a hold, for a name that has none. The caller must grant it.
    #[inline(always)]
    pub(super) fn insert(&mut self, name: &str, hash: u64) -> u32 {
        let place = self.taken.trailing_ones();
        let Some(near) = self.near.get_mut(place as usize) else {
            return self.insert_other(name, hash);
        };
        self.taken |= 1 << place;
        near.begin(name, hash);
        place
    }

    #[inline(never)]
    fn insert_other(&mut self, name: &str, hash: u64) -> u32 {
        self.grow();
        let slot = self.others.vacant_entry();
        let place = (slot.key() + NEAR) as u32;
        slot.insert(Entry::blank()).begin(name, hash);
        let hash = spread(hash as u32);
        let others = &self.others;
        let hash_of = |place: &u32| spread(others[*place as usize - NEAR].hash);
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
        match self.near.get_mut(place as usize) {
            Some(near) => {
                self.taken &= !(1 << place);
                near.token = 0;
                near.name.clear();
            }
            None => self.remove_other(place),
        }
    }

    #[inline(never)]
    fn remove_other(&mut self, place: u32) {
        let slot = place as usize - NEAR;
        let other = &mut self.others[slot];
        if let Ok(found) = self.index.find_entry(spread(other.hash), |other| *other == place) {
            found.remove();
        }
        other.gone = other.lost.is_some();
        if other.gone {
            self.lost += 1;
        } else {
            self.vacate(slot);
        }
    }

    fn vacate(&mut self, slot: usize) {
        self.others.remove(slot);
        if self.others.is_empty() && self.others.capacity() > KEEP {
            self.others = Slab::new();
            self.index = HashTable::new();
        }
    }

    /// The hold of an entry that is now removed is lost. Answers whether that stays there when the entry
    /// has gone; it does not beside the lock, where there is no place to spare.
    pub(super) fn mark_lost(&mut self, place: u32, why: Loss) -> bool {
        let is_other = place as usize >= NEAR;
        if is_other {
            self[place].lost = Some(why);
        }
        is_other
    }

    /// What is left of a hold that was lost, if it is here.
    pub(super) fn lost(&self, place: u32, token: u64) -> Option<(&KeptName, Loss)> {
        let other = self.others.get((place as usize).checked_sub(NEAR)?)?;
        let why = other.lost.filter(|_| other.gone && other.token == token)?;
        Some((&other.name, why))
    }

    /// Nothing is left of a lost hold that was here.
    pub(super) fn forget_lost(&mut self, place: u32) {
        self.lost -= 1;
        self.vacate(place as usize - NEAR);
    }

    /// Of how many lost holds something is left here.
    pub(super) fn count_lost(&self) -> usize {
        self.lost
    }

    #[inline(always)]
    pub(super) fn get(&self, place: u32) -> Option<&Entry> {
        match self.near.get(place as usize) {
            Some(near) => self.is_taken(place).then_some(near),
            None => self.others.get(place as usize - NEAR).filter(|other| !other.gone),
        }
    }

    #[inline(always)]
    fn is_taken(&self, place: u32) -> bool {
        self.taken & 1 << place != 0
    }

    /// Whether the entry at `place` has this token. No hold's token is zero, and no vacant place's is
    /// anything else.
    #[inline(always)]
    pub(super) fn has_token(&self, place: u32, token: u64) -> bool {
        match self.near.get(place as usize) {
            Some(near) => near.token == token,
            None => self.get(place).is_some_and(|other| other.token == token),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.taken.count_ones() as usize + self.others.len() - self.lost
    }

    /// Every entry, with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let near = (0..NEAR as u32).filter_map(|place| self.get(place).map(|entry| (place, entry)));
        let others = self.others.iter().filter(|(_, other)| !other.gone);
        near.chain(others.map(|(slot, other)| ((slot + NEAR) as u32, other)))
    }

    /// What the index and the table disagree about, in words.
    pub(super) fn disagreements(&self) -> impl Iterator<Item = String> {
        let unfound = self.iter().filter(|(place, entry)| {
            self.find(entry.name.to_name().as_str(), entry.hash.into()) != Some(*place)
        });
        let unfound = unfound.map(|(_, entry)| format!("{:?} is not found", entry.name));
        let (names, entries) = (self.index.len(), self.others.len() - self.lost);
        let uneven = (names != entries).then(|| format!("{names} names for {entries} entries"));
        unfound.chain(uneven)
    }
}

const NO_ENTRY: &str = "a place is asked for only while its entry exists";

impl Index<u32> for Entries {
    type Output = Entry;

    #[inline]
    fn index(&self, place: u32) -> &Entry {
        match self.near.get(place as usize) {
            Some(near) => {
                debug_assert!(self.is_taken(place), "{NO_ENTRY}");
                near
            }
            None => self.others.get(place as usize - NEAR).expect(NO_ENTRY),
        }
    }
}

impl IndexMut<u32> for Entries {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Entry {
        debug_assert!(self.get(place).is_some(), "{NO_ENTRY}");
        match self.near.get_mut(place as usize) {
            Some(near) => near,
            None => self.others.get_mut(place as usize - NEAR).expect(NO_ENTRY),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Entries, KEEP, Loss, NEAR, spread};

    fn insert(entries: &mut Entries, name: &str) -> u32 {
        // One hash for all: names must be told apart by more than that.
        entries.insert(name, 7)
    }

    /// So many names, those beside the lock and so many others.
    fn names(others: usize) -> Vec<String> {
        (0..NEAR + others).map(|n| n.to_string()).collect()
    }

    #[test]
    fn names_with_one_hash_are_told_apart() {
        let mut entries = Entries::new();
        let names = names(2);
        let places: Vec<u32> = names.iter().map(|name| insert(&mut entries, name)).collect();
        for gone in 0..names.len() {
            entries.remove(places[gone]);
            assert_eq!(entries.len(), names.len() - 1);
            for (at, name) in names.iter().enumerate() {
                assert_eq!(entries.find(name, 7), (at != gone).then_some(places[at]));
            }
            assert_eq!(insert(&mut entries, &names[gone]), places[gone], "it is free again");
        }
    }

    proptest! {
        /// Among ten names some lie beside the lock and some do not, and five hashes are two names' each.
        /// Some of them go because their holds are lost, and some that were lost are forgotten.
        #[test]
        fn entries_are_where_they_were_put_until_they_are_removed(
            moves in vec((0..10_u64, 0..3), 0..200),
        ) {
            let mut entries = Entries::new();
            let (mut there, mut lost) = (BTreeMap::new(), BTreeMap::new());
            for ((name, how), token) in moves.into_iter().zip(100..) {
                match there.remove(&name) {
                    Some((place, held)) => {
                        if how == 0 && entries.mark_lost(place, Loss::Forced) {
                            lost.insert(held, (place, name));
                        }
                        entries.remove(place);
                        prop_assert!(!entries.has_token(place, held));
                    }
                    None => {
                        let place = entries.insert(&name.to_string(), name / 2);
                        entries[place].token = token;
                        there.insert(name, (place, token));
                    }
                }
                let forgotten = if how == 1 { lost.pop_first() } else { None };
                if let Some((forgotten, (place, _))) = forgotten {
                    entries.forget_lost(place);
                    prop_assert_eq!(entries.lost(place, forgotten), None);
                }
                prop_assert_eq!(entries.count_lost(), lost.len());
                for (token, (place, name)) in &lost {
                    let (told, why) = entries.lost(*place, *token).expect("it is lost");
                    let told = told.to_name().to_string();
                    prop_assert_eq!(told, name.to_string());
                    prop_assert_eq!(why, Loss::Forced);
                    prop_assert!(entries.get(*place).is_none(), "it is no entry");
                }
                for name in 0..10 {
                    let place = there.get(&name).map(|(place, _)| *place);
                    prop_assert_eq!(entries.find(&name.to_string(), name / 2), place);
                    let is_there = |name| there.contains_key(&name);
                    let has_hash = is_there(name) || is_there(name ^ 1);
                    prop_assert_eq!(entries.has_hash(name / 2), has_hash);
                }
                let all = entries.iter().map(|(place, entry)| (place, entry.token));
                let expected: BTreeSet<(u32, u64)> = there.values().copied().collect();
                prop_assert_eq!(all.collect::<BTreeSet<_>>(), expected);
                prop_assert_eq!(entries.len(), there.len());
                prop_assert_eq!(entries.disagreements().count(), 0);
            }
        }
    }

    #[test]
    fn what_is_left_of_a_lost_hold_stays_in_its_place_but_not_beside_the_lock() {
        let mut entries = Entries::new();
        for (name, token) in names(1).iter().zip(1..) {
            let place = insert(&mut entries, name);
            entries[place].token = token;
        }
        let (near, other) = (NEAR as u32 - 1, NEAR as u32);
        assert!(!entries.mark_lost(near, Loss::Forced) && entries[near].lost.is_none());
        assert!(entries.mark_lost(other, Loss::Shutdown));
        assert_eq!((entries.find("4", 7), entries.lost(other, 5)), (Some(other), None), "not yet");
        entries.remove(other);

        let (name, why) = entries.lost(other, 5).expect("it is there");
        assert_eq!((name.to_name().as_str(), why), ("4", Loss::Shutdown));
        assert_eq!(entries.lost(other, 4), None, "another hold's");
        assert_eq!(entries.lost(near, 4), None, "it is held");
        assert_eq!((entries.find("4", 7), entries.len()), (None, NEAR));
        assert_eq!(insert(&mut entries, "4"), other + 1, "its place is not free");
        entries.forget_lost(other);
        assert_eq!(insert(&mut entries, "5"), other, "now it is");
        assert!(entries[other].lost.is_none());
    }

    #[test]
    fn an_empty_shard_gives_its_memory_back_when_the_last_lost_hold_is_forgotten() {
        let mut entries = Entries::new();
        let names = names(2 * KEEP);
        let places: Vec<u32> = names.iter().map(|name| insert(&mut entries, name)).collect();
        for place in &places {
            entries.mark_lost(*place, Loss::LeaseElapsed);
            entries.remove(*place);
        }
        assert_eq!((entries.len(), entries.count_lost()), (0, 2 * KEEP));
        assert!(entries.others.capacity() >= 2 * KEEP, "what is lost is still there");
        places[NEAR..].iter().for_each(|place| entries.forget_lost(*place));
        assert_eq!((entries.others.capacity(), entries.index.capacity()), (0, 0));
    }

    #[test]
    fn a_vacant_place_has_no_token() {
        let mut entries = Entries::new();
        for name in names(1) {
            let place = insert(&mut entries, &name);
            entries[place].token = 5;
            assert!(entries.has_token(place, 5) && !entries.has_token(place, 6));
        }
        for place in 0..=NEAR as u32 {
            entries.remove(place);
            assert!(!entries.has_token(place, 5) && entries.get(place).is_none());
        }
        assert_eq!(entries.iter().count(), 0);
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
        for (hash, name) in (0..).zip(names(2)) {
            assert!(!entries.has_hash(hash), "{name}");
            entries.insert(&name, hash);
            assert!(entries.has_hash(hash), "{name}");
        }
        entries.remove(1);
        assert!(!entries.has_hash(1) && entries.has_hash(2));
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
        for name in names(2) {
            insert(&mut entries, &name);
        }
        entries.index.clear();
        let told: Vec<String> = entries.disagreements().collect();
        assert_eq!(told, ["\"4\" is not found", "\"5\" is not found", "0 names for 2 entries"]);
    }

    #[test]
    fn a_shard_keeps_a_little_memory() {
        let mut entries = Entries::new();
        let names = names(KEEP);
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
