//! Who waits for whom, where [deadlocks are looked for](crate::Builder::detect_deadlocks): the wait-for
//! graph of owners.
//!
//! An edge leads from the owner of a waiter to the owner of the hold that it waits for. A request whose
//! edge would close a cycle is turned away before it queues (upholds D1). No other action can close one
//! while each owner waits for one name at a time, so nobody need be turned away later (upholds D2): whoever
//! is handed a name waits for nothing else, and everything else takes edges away. The specification's
//! owners say so, and the model of them takes every step there is.
//!
//! The graph spans all shards and has a lock of its own, which is taken under a shard's. Looking and
//! adding an edge are one step under that lock: of two requests in two shards that close a cycle between
//! them, the second finds the edge of the first.
//!
//! What this file must not do: lock a shard, or know what a request is but for its owner.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::common::Hasher;
use crate::error::Waits;
use crate::name::KeptName;
use crate::runtime::Owner;

/// A shard and a place in it, which is one name's as long as the name is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    pub(super) shard: u32,
    pub(super) entry: u32,
}

/// Whose a hold is, and what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) owner: Owner,
    pub(super) name: KeptName,
    pub(super) label: Option<Box<str>>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct WaitFor {
    holds: HashMap<Spot, Held, Hasher>,
    /// Where each owner waits: one place for each of its requests that queue.
    waits: HashMap<Owner, Vec<Spot>, Hasher>,
}

impl WaitFor {
    /// A request of `owner` queues for what is held at `spot`, unless that would close a cycle.
    ///
    /// # Errors
    /// The cycle, from the owner that asks to the one that waits for it.
    pub(super) fn wait(&mut self, owner: Owner, spot: Spot) -> Result<(), Vec<Waits>> {
        if let Some(way) = self.way_to(owner, spot) {
            return Err(self.tell(owner, &way));
        }
        self.waits.entry(owner).or_default().push(spot);
        Ok(())
    }

    /// A request of `owner` has left the queue at `spot`.
    pub(super) fn end_wait(&mut self, owner: Owner, spot: Spot) {
        if let Entry::Occupied(mut waits) = self.waits.entry(owner) {
            let spots = waits.get_mut();
            if let Some(place) = spots.iter().position(|other| *other == spot) {
                spots.swap_remove(place);
            }
            if spots.is_empty() {
                waits.remove();
            }
        }
        self.give_memory_back();
    }

    pub(super) fn hold(&mut self, spot: Spot, held: Held) {
        self.holds.insert(spot, held);
    }

    pub(super) fn end_hold(&mut self, spot: Spot) {
        self.holds.remove(&spot);
        self.give_memory_back();
    }

    /// The way along the edges from what is held at `from` to a hold of `owner`: at each spot waits
    /// whoever holds the one before.
    fn way_to(&self, owner: Owner, from: Spot) -> Option<Vec<Spot>> {
        // Each spot with the place in this list from which it was reached.
        let mut reached = vec![(from, None)];
        let mut seen: HashSet<Owner, Hasher> = HashSet::default();
        let mut next = 0;
        while let Some((spot, _)) = reached.get(next) {
            if let Some(Held { owner: holder, .. }) = self.holds.get(spot) {
                if *holder == owner {
                    let back = |place: &usize| reached[*place].1;
                    let way = std::iter::successors(Some(next), back);
                    let mut way: Vec<Spot> = way.map(|place| reached[place].0).collect();
                    way.reverse();
                    return Some(way);
                }
                if seen.insert(*holder) {
                    let onwards = self.waits.get(holder).into_iter().flatten();
                    reached.extend(onwards.map(|spot| (*spot, Some(next))));
                }
            }
            next += 1;
        }
        None
    }

    /// The cycle that `owner` would close by waiting at the first spot of a way that leads back to it.
    fn tell(&self, owner: Owner, way: &[Spot]) -> Vec<Waits> {
        let last = way.last().expect("a way has a beginning");
        let own = std::iter::once(last).chain(way);
        let waits = own.zip(way).map(|(holds, waits_at)| {
            let Held { label, .. } = &self.holds[holds];
            let Held { name, .. } = &self.holds[waits_at];
            let label = label.as_deref().map(String::from);
            // Whoever asks holds the last spot, which closes the cycle.
            Waits { owner: self.holds[holds].owner, label, name: name.to_name() }
        });
        let waits: Vec<Waits> = waits.collect();
        debug_assert_eq!(waits[0].owner, owner);
        waits
    }

    /// Nothing is kept of those who are gone, however many there were.
    fn give_memory_back(&mut self) {
        if self.holds.is_empty()
            && self.waits.is_empty()
            && self.holds.capacity() > super::entries::KEEP
        {
            *self = Self::default();
        }
    }
}

/// Looking inside.
impl WaitFor {
    /// Adds an edge without looking where it leads, to recount the graph.
    pub(super) fn count_wait(&mut self, owner: Owner, spot: Spot) {
        self.waits.entry(owner).or_default().push(spot);
    }

    /// What is here and is not in `other`, in words.
    pub(super) fn beyond(&self, other: &Self) -> Vec<String> {
        let holds = self.holds.iter().filter(|(spot, held)| other.holds.get(*spot) != Some(*held));
        let holds = holds.map(|(_, Held { owner, name, .. })| format!("{owner} holds {name:?}"));
        let waits = self.waits.iter().filter(|(owner, spots)| {
            let of = |spots: Option<&Vec<Spot>>| {
                let mut spots = spots.cloned().unwrap_or_default();
                spots.sort_unstable();
                spots
            };
            of(other.waits.get(*owner)) != of(Some(*spots))
        });
        let waits = waits.map(|(owner, spots)| format!("{owner} waits at {spots:?}"));
        holds.chain(waits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::KEEP;
    use super::{Held, Owner, Spot, WaitFor};
    use crate::name::KeptName;

    /// A graph in which each of so many owners holds a name and one more waits for the first.
    fn graph(holds: u32) -> WaitFor {
        let mut graph = WaitFor::default();
        let name = KeptName::new("a");
        for entry in 0..holds {
            let owner = Owner::named(entry.into());
            graph.hold(spot(entry), Held { owner, name: name.clone(), label: None });
        }
        graph.wait(waits(), spot(0)).expect("the holder waits for nobody");
        graph
    }

    fn spot(entry: u32) -> Spot {
        Spot { shard: 0, entry }
    }

    fn waits() -> Owner {
        Owner::named(1_000_000)
    }

    #[test]
    fn memory_is_given_back_when_the_last_is_gone_and_not_before() {
        let many = 10 * KEEP as u32;
        let mut graph = graph(many);
        for entry in 1..many {
            graph.end_hold(spot(entry));
        }
        assert_eq!((graph.holds.len(), graph.waits.len()), (1, 1));
        graph.end_hold(spot(0));
        assert_eq!(graph.waits.len(), 1, "nobody holds anything, and somebody is thought to wait");
        graph.end_wait(waits(), spot(0));
        assert_eq!((graph.waits.len(), graph.holds.capacity()), (0, 0));
    }

    #[test]
    fn a_little_memory_is_kept() {
        let mut graph = graph(2);
        graph.end_wait(waits(), spot(0));
        assert!(graph.waits.is_empty());
        graph.end_hold(spot(0));
        graph.end_hold(spot(1));
        assert!(graph.holds.capacity() > 0);
    }
}
