//! The armed timers of one shard, the first of them at hand.
//!
//! They are a heap in which no timer is due before the one above it, so the first is at its top. Whoever has
//! a timer, a waiter or an entry, knows its place in the heap: so it is disarmed where it stands, and the
//! heap need not be searched. When a timer moves, its owner is told. Timers of one length are armed in the
//! order in which they are due, and each of them stays where it was put.
//!
//! What this file must not do: know whose a timer is, tell anybody when it is due, or act upon it. Telling and
//! acting are for [`elapse`](super::elapse), and who waits for the time to come for [`rounds`](super::rounds).

use super::entries::KEEP;
use crate::clock::Tick;

/// What a timer ends, and so whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The wait of the request in this slot.
    Wait(u32),
    /// The lease of the hold of this entry.
    Lease(u32),
}

/// A timer, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Armed {
    at: Tick,
    timer: Timer,
}

/// How many timers stand right below one. They fill a line of the cache.
const BELOW: usize = 4;

/// The armed timers of a shard.
#[derive(Debug)]
pub(super) struct Timers {
    heap: Vec<Armed>,
    /// When the first is due as far as the reaper has been told; `NEVER` exactly while there is none. The first
    /// may be due later than that, and never earlier (upholds L1, L2).
    told: Tick,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self { heap: Vec::new(), told: Tick::NEVER }
    }

    /// Arms a timer that is not armed. `moved` is told where it stands, and where others stand now.
    #[inline]
    pub(super) fn arm(&mut self, at: Tick, timer: Timer, moved: impl FnMut(Timer, u32)) {
        debug_assert!(at < Tick::NEVER, "what never ends needs no timer");
        let last = self.heap.len();
        self.heap.push(Armed { at, timer });
        self.rise(last, moved);
    }

    /// Disarms the timer at this place.
    #[inline]
    pub(super) fn disarm(&mut self, place: u32, moved: impl FnMut(Timer, u32)) {
        let place = place as usize;
        debug_assert!(place < self.heap.len(), "what is disarmed has been armed");
        if let Some(last) = self.heap.pop() {
            if place < self.heap.len() {
                self.heap[place] = last;
                self.settle(place, moved);
            }
        }
        let room = self.heap.capacity();
        if room > KEEP && self.heap.len() < room / 3 {
            self.give_memory_back();
        }
    }

    /// Lets the timer at this place be due at another time.
    pub(super) fn renew(&mut self, place: u32, at: Tick, moved: impl FnMut(Timer, u32)) {
        debug_assert!(at < Tick::NEVER, "what never ends needs no timer");
        let place = place as usize;
        self.heap[place].at = at;
        self.settle(place, moved);
    }

    /// When the timer at this place is due; never, if there is no such place.
    pub(super) fn at(&self, place: u32) -> Tick {
        self.heap.get(place as usize).map_or(Tick::NEVER, |armed| armed.at)
    }

    /// The first timer, if it is due.
    pub(super) fn due(&self, now: Tick) -> Option<Timer> {
        self.heap.first().filter(|first| first.at <= now).map(|first| first.timer)
    }

    /// When the first timer is due; never, if there is none.
    #[inline]
    pub(super) fn first(&self) -> Tick {
        self.at(0)
    }

    /// Whether the reaper thinks of the first timer as later than it is, or of a timer that there is not.
    #[inline]
    pub(super) fn must_tell(&self) -> bool {
        let first = self.first();
        first < self.told || first == Tick::NEVER && self.told < Tick::NEVER
    }

    /// Whether it thinks that the first timer is earlier than it is: it then looks in vain, once.
    pub(super) fn is_told_too_early(&self) -> bool {
        self.told < self.first()
    }

    /// Notes that the reaper is told of the first timer, which is due at the answer.
    #[inline]
    pub(super) fn tell(&mut self) -> Tick {
        self.told = self.first();
        self.told
    }

    /// What the reaper has been told.
    pub(super) fn told(&self) -> Tick {
        self.told
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Every armed timer and when it is due, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Tick, Timer)> {
        self.heap.iter().map(|armed| (armed.at, armed.timer))
    }

    /// Whether no timer is due before the one above it.
    pub(super) fn are_in_order(&self) -> bool {
        (1..self.heap.len()).all(|place| self.heap[above(place)].at <= self.heap[place].at)
    }
}

/// The moves.
impl Timers {
    /// Brings the timer at this place to where it belongs, whatever has become of it.
    fn settle(&mut self, place: usize, moved: impl FnMut(Timer, u32)) {
        if place > 0 && self.heap[place].at < self.heap[above(place)].at {
            self.rise(place, moved);
        } else {
            self.sink(place, moved);
        }
    }

    #[inline]
    fn rise(&mut self, mut place: usize, mut moved: impl FnMut(Timer, u32)) {
        let rising = self.heap[place];
        while place > 0 {
            let upper = self.heap[above(place)];
            if upper.at <= rising.at {
                break;
            }
            self.put(place, upper, &mut moved);
            place = above(place);
        }
        self.put(place, rising, &mut moved);
    }

    fn sink(&mut self, mut place: usize, mut moved: impl FnMut(Timer, u32)) {
        let sinking = self.heap[place];
        while let Some((first, lower)) = self.first_below(place) {
            if sinking.at <= lower.at {
                break;
            }
            self.put(place, lower, &mut moved);
            place = first;
        }
        self.put(place, sinking, &mut moved);
    }

    /// Of those right below a place, the one that is due first, and its place.
    #[inline]
    fn first_below(&self, place: usize) -> Option<(usize, Armed)> {
        let begin = place * BELOW + 1;
        let end = self.heap.len().min(begin + BELOW);
        let below = self.heap.get(begin..end)?;
        let first = below.iter().enumerate().min_by_key(|(_, armed)| armed.at)?;
        Some((begin + first.0, *first.1))
    }

    #[inline]
    fn put(&mut self, place: usize, armed: Armed, moved: &mut impl FnMut(Timer, u32)) {
        self.heap[place] = armed;
        moved(armed.timer, place as u32);
    }

    /// Less than a third of the memory is used; half of what is left will be. So it is not given back and
    /// asked for again by a few timers that come and go, and a timer takes less than 48 bytes of it, however
    /// many there have been.
    #[cold]
    fn give_memory_back(&mut self) {
        self.heap.shrink_to(KEEP.max(2 * self.heap.len()));
    }
}

/// The place above another one, which is not the top.
#[inline]
fn above(place: usize) -> usize {
    (place - 1) / BELOW
}
