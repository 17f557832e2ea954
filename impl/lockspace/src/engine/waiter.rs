//! What stands in a queue: a request, in its slot.

use std::mem::replace;
use std::num::NonZeroU64;
use std::ops::{Index, IndexMut};
use std::task::Waker;

use lockspace_spec::Refusal;

use super::entries::{KEEP, NONE};
use super::{Acquired, Failure, HoldKey, WaitKey};
use crate::error::TimedOut;

/// A request that has been queued, until its grant is posted or its future has seen the answer. It fills a
/// line of the cache: whoever leaves a long queue touches its own line and those of its neighbours.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Waiter {
    pub(super) waker: Option<Waker>,
    pub(super) entry: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    /// The place of the timer of its wait; none, if it has none.
    pub(super) timer: u32,
    /// Whose slot this is. Of two requests of one shard, the smaller queued first; zero is nobody's.
    pub(super) ticket: u64,
    pub(super) state: WaiterState,
}

#[derive(Debug)]
pub(super) enum WaiterState {
    /// In the queue. `lease` is the length that the hold is to have, in nanoseconds.
    /// `impatient`: only until the store has answered once.
    Queued { lease: Option<NonZeroU64>, impatient: bool },
    /// Granted, and the future has not seen it. From here on it is a hold like any other.
    Granted(HoldKey),
    /// Refused, and the future has not seen it.
    Refused(Refusal),
    /// The same, since its wait timeout ended.
    TimedOut(Box<TimedOut>),
    /// Given up because of the store, and the future has not seen it.
    Failed(Failure),
    /// Nobody stands here.
    Vacant,
}

/// Where a waiter stands in the queue of an entry: between whom.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    pub(super) entry: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
}

impl Waiter {
    /// Whether it stands in a queue.
    #[inline(always)]
    pub(super) fn is_queued(&self) -> bool {
        matches!(self.state, WaiterState::Queued { .. })
    }

    #[inline(always)]
    fn gap(&self) -> Gap {
        Gap { entry: self.entry, previous: self.previous, next: self.next }
    }
}

impl Gap {
    /// Has those on either side stand next to each other.
    #[inline(always)]
    fn close(self, slots: &mut [Waiter]) {
        let Self { previous, next, .. } = self;
        if previous != NONE {
            let before = &mut slots[previous as usize];
            debug_assert_ne!(before.ticket, 0, "{NO_WAITER}");
            before.next = next;
        }
        if next != NONE {
            let behind = &mut slots[next as usize];
            debug_assert_ne!(behind.ticket, 0, "{NO_WAITER}");
            behind.previous = previous;
        }
    }
}

/// The waiters of a shard, each in its slot. A slot is written where it stays: one that is put together
/// elsewhere and moved would be read before it has reached the cache.
#[derive(Debug)]
pub(super) struct Waiters {
    slots: Vec<Waiter>,
    /// The first of the vacant slots, each of which names the next one.
    vacant: u32,
    len: u32,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), vacant: NONE, len: 0 }
    }

    /// Gives a slot to a request that queues, at the end of no queue yet and without a timer.
    #[inline(always)]
    pub(super) fn add(&mut self, ticket: u64) -> (u32, &mut Waiter) {
        debug_assert_ne!(ticket, 0, "nobody's ticket is zero");
        if self.vacant == NONE {
            self.grow();
        }
        let slot = self.vacant;
        let waiter = &mut self.slots[slot as usize];
        self.vacant = waiter.next;
        self.len += 1;
        waiter.ticket = ticket;
        waiter.previous = NONE;
        waiter.next = NONE;
        waiter.timer = NONE;
        (slot, waiter)
    }

    #[inline(never)]
    fn grow(&mut self) {
        self.vacant = self.slots.len() as u32;
        self.slots.push(Waiter {
            waker: None,
            entry: NONE,
            previous: NONE,
            next: NONE,
            timer: NONE,
            ticket: 0,
            state: WaiterState::Vacant,
        });
    }

    /// Takes the slot back from whoever has been answered or leaves, and whose waker has been taken out.
    /// Answers in which state it was.
    #[inline(always)]
    pub(super) fn remove(&mut self, slot: u32) -> WaiterState {
        let waiter = &mut self.slots[slot as usize];
        assert_ne!(waiter.ticket, 0, "{NO_WAITER}");
        debug_assert!(waiter.waker.is_none(), "it would be dropped under the lock");
        let state = replace(&mut waiter.state, WaiterState::Vacant);
        waiter.ticket = 0;
        waiter.next = replace(&mut self.vacant, slot);
        self.has_left();
        state
    }

    #[inline(always)]
    fn has_left(&mut self) {
        self.len -= 1;
        // An idle shard keeps next to nothing, however many waited in it.
        if self.len == 0 && self.slots.capacity() > KEEP {
            *self = Self::new();
        }
    }

    /// Takes a waiter out between those before and behind it in its queue. It keeps its slot.
    #[inline(always)]
    pub(super) fn unlink(&mut self, slot: u32) -> Gap {
        let gap = self[slot].gap();
        gap.close(&mut self.slots);
        gap
    }

    /// Takes everything back at once from a waiter that stands in a queue: a [`remove`](Self::remove) after
    /// an [`unlink`](Self::unlink). Its timer must be disarmed. Answers its waker.
    #[inline(always)]
    pub(super) fn withdraw(&mut self, slot: u32) -> (Gap, Waker) {
        let waiter = &mut self.slots[slot as usize];
        debug_assert!(waiter.is_queued(), "only who is queued is linked (invariant 3)");
        debug_assert_eq!(waiter.timer, NONE, "it would strike whoever has the slot next");
        let waker = waiter.waker.take().expect("whoever is queued can be woken");
        let gap = waiter.gap();
        waiter.state = WaiterState::Vacant;
        waiter.ticket = 0;
        waiter.next = replace(&mut self.vacant, slot);
        gap.close(&mut self.slots);
        self.has_left();
        (gap, waker)
    }

    /// Whether the slot is still that of whoever was given this key.
    #[inline(always)]
    pub(super) fn has(&self, key: WaitKey) -> bool {
        self.slots.get(key.slot as usize).is_some_and(|waiter| waiter.ticket == key.ticket.get())
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Waiter> {
        self.slots.get(slot as usize).filter(|waiter| waiter.ticket != 0)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[cfg(all(test, not(any(lockspace_loom, lockspace_shuttle))))]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Every waiter, with its slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Waiter)> {
        (0..).zip(&self.slots).filter(|(_, waiter)| waiter.ticket != 0)
    }
}

impl Index<u32> for Waiters {
    type Output = Waiter;

    #[inline(always)]
    fn index(&self, slot: u32) -> &Waiter {
        let waiter = &self.slots[slot as usize];
        debug_assert_ne!(waiter.ticket, 0, "{NO_WAITER}");
        waiter
    }
}

impl IndexMut<u32> for Waiters {
    #[inline(always)]
    fn index_mut(&mut self, slot: u32) -> &mut Waiter {
        let waiter = &mut self.slots[slot as usize];
        debug_assert_ne!(waiter.ticket, 0, "{NO_WAITER}");
        waiter
    }
}

const NO_WAITER: &str = "a slot is asked for only while it is somebody's";

impl WaiterState {
    /// What the future is told, once it is not queued any more.
    #[inline(always)]
    pub(super) fn into_answer(self) -> Acquired {
        match self {
            Self::Granted(hold) => Acquired::Granted(hold),
            Self::Refused(why) => Acquired::Refused(why),
            Self::TimedOut(told) => Acquired::TimedOut(told),
            Self::Failed(failure) => Acquired::Failed(failure),
            Self::Queued { .. } | Self::Vacant => unreachable!("it has not been answered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU64;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{WaitKey, Waiters};

    fn key(ticket: u64, slot: u32) -> WaitKey {
        WaitKey { ticket: NonZeroU64::new(ticket).expect("counted from one"), slot }
    }

    proptest! {
        #[test]
        fn a_slot_is_whose_it_was_given_to_until_it_is_taken_back(moves in vec(0..12_u32, 0..200)) {
            let (mut waiters, mut given, mut most) = (Waiters::new(), BTreeMap::new(), 0);
            for (slot, ticket) in moves.into_iter().zip(1..) {
                let gone = given.remove(&slot).inspect(|_| drop(waiters.remove(slot)));
                if gone.is_none() {
                    let (slot, waiter) = waiters.add(ticket);
                    prop_assert_eq!([waiter.previous, waiter.next, waiter.timer], [u32::MAX; 3]);
                    prop_assert!(given.insert(slot, ticket).is_none(), "it was vacant");
                }
                most = most.max(given.len());
                prop_assert!(waiters.slots.len() <= most, "vacant slots are used first");
                prop_assert_eq!(waiters.len(), given.len());
                let there = waiters.iter().map(|(slot, waiter)| (slot, waiter.ticket));
                prop_assert_eq!(there.collect::<BTreeMap<_, _>>(), given.clone());
                for slot in 0..12 {
                    let ticket = waiters.get(slot).map(|waiter| waiter.ticket);
                    prop_assert_eq!(ticket, given.get(&slot).copied());
                    prop_assert!(ticket.is_none_or(|ticket| waiters.has(key(ticket, slot))));
                    prop_assert!(gone.is_none_or(|gone| !waiters.has(key(gone, slot))));
                }
            }
        }
    }

    #[test]
    fn a_waiter_fills_a_line_of_the_cache() {
        assert_eq!(size_of::<super::Waiter>(), 64);
    }
}
