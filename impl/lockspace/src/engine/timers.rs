//! The armed timers of one shard, the first of them at hand.
//!
//! Timers of waits that are armed in the order in which they are due, as those of one length are, stand in
//! a [run](super::run), and so do those of leases. All others are a heap in which no timer is due before the
//! one above it. Whoever has a timer, a waiter or an entry, knows its place: so it is disarmed where it
//! stands, and nothing need be searched. When a timer moves, its owner is told.
//!
//! What this file must not do: know whose a timer is, tell anybody when it is due, or act upon it.
//! Telling and acting are for [`elapse`](super::elapse), and who waits for the time to come for
//! [`rounds`](super::rounds).

use super::entries::{KEEP, NONE};
use super::run::Run;
use crate::clock::Tick;

/// What a timer ends, and so whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The wait of the request in this slot.
    Wait(u32),
    /// The lease of the hold of this entry.
    Lease(u32),
}

/// A timer, and when it is due. Of two that are due at the same moment a wait comes first: whoever waits for
/// no longer than another one may hold waits in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Armed {
    pub(super) at: Tick,
    pub(super) timer: Timer,
}

/// How many timers stand right below one. They fill a line of the cache.
const BELOW: usize = 4;

/// A place in a run has this bit, the next one if the run is that of leases, and the number there. All other
/// places are in the heap.
const IN_A_RUN: u32 = 1 << 31;
const OF_LEASES: u32 = 1 << 30;

/// The armed timers of a shard.
#[derive(Debug)]
pub(super) struct Timers {
    waits: Run,
    leases: Run,
    heap: Vec<Armed>,
    /// When the first is due as far as the reaper has been told; `NEVER` exactly while there is none. The
    /// first may be due later than that, and never earlier (upholds L1, L2).
    told: Tick,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self { waits: Run::new(), leases: Run::new(), heap: Vec::new(), told: Tick::NEVER }
    }

    /// Arms a timer that is not armed. `moved` is told where it stands, and where others stand now.
    #[inline(always)]
    pub(super) fn arm(&mut self, at: Tick, timer: Timer, mut moved: impl FnMut(Timer, u32)) {
        debug_assert!(at < Tick::NEVER, "what never ends needs no timer");
        let armed = Armed { at, timer };
        let (run, of) = self.run_of(timer);
        if run.takes(armed) {
            moved(timer, IN_A_RUN | of | run.push(armed));
        } else {
            self.heap.push(armed);
            self.rise(self.heap.len() - 1, moved);
        }
    }

    /// Disarms the timer at this place.
    #[inline(always)]
    pub(super) fn disarm(&mut self, place: u32, mut moved: impl FnMut(Timer, u32)) {
        match place & (IN_A_RUN | OF_LEASES) {
            IN_A_RUN => {
                self.waits.remove(place, |timer, number| moved(timer, IN_A_RUN | number));
            }
            0 => self.take_out(place as usize, moved),
            of => self.leases.remove(place, |timer, number| moved(timer, of | number)),
        }
    }

    /// Lets the timer at this place be due at another time.
    pub(super) fn renew(&mut self, place: u32, at: Tick, mut moved: impl FnMut(Timer, u32)) {
        let armed = self.get(place).expect("what is renewed has been armed");
        self.disarm(place, &mut moved);
        self.arm(at, armed.timer, moved);
    }

    /// When the timer at this place is due; never, if there is no such place.
    pub(super) fn at(&self, place: u32) -> Tick {
        self.get(place).map_or(Tick::NEVER, |armed| armed.at)
    }

    fn get(&self, place: u32) -> Option<Armed> {
        match place & (IN_A_RUN | OF_LEASES) {
            _ if place == NONE => None,
            IN_A_RUN => self.waits.get(place),
            0 => self.heap.get(place as usize).copied(),
            _ => self.leases.get(place),
        }
    }

    /// The first timer, if it is due.
    pub(super) fn due(&self, now: Tick) -> Option<Timer> {
        let firsts = [self.waits.first(), self.leases.first(), self.heap.first().copied()];
        let first = firsts.into_iter().flatten().min()?;
        (first.at <= now).then_some(first.timer)
    }

    /// When the first timer is due; never, if there is none.
    #[inline]
    pub(super) fn first(&self) -> Tick {
        let at = |armed: Option<Armed>| armed.map_or(Tick::NEVER, |armed| armed.at);
        let of_runs = at(self.waits.first()).min(at(self.leases.first()));
        if self.heap.is_empty() { of_runs } else { of_runs.min(self.heap[0].at) }
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
        self.waits.len() + self.leases.len() + self.heap.len()
    }

    /// Every armed timer with its place, and when it is due.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Tick, Timer)> {
        let waits = self.waits.iter().map(|(number, armed)| (IN_A_RUN | number, armed));
        let of_leases = IN_A_RUN | OF_LEASES;
        let leases = self.leases.iter().map(move |(number, armed)| (of_leases | number, armed));
        let heap = (0..).zip(self.heap.iter().copied());
        waits.chain(leases).chain(heap).map(|(place, armed)| (place, armed.at, armed.timer))
    }

    /// Whether those in a run are due in the order of their places, and none in the heap before the one
    /// above it.
    pub(super) fn are_in_order(&self) -> bool {
        let in_order = |run: &Run| run.iter().is_sorted_by_key(|(_, armed)| armed);
        let heap_is = !(1..self.heap.len()).any(|place| self.is_early(place));
        in_order(&self.waits) && in_order(&self.leases) && heap_is
    }
}

#[cfg(test)]
impl Timers {
    /// Has the timer at this place due at another time, and leaves it there: for the audit to find.
    pub(super) fn misplace(&mut self, place: u32, at: Tick) {
        match place & (IN_A_RUN | OF_LEASES) {
            IN_A_RUN => self.waits.misplace(place, at),
            0 => self.heap[place as usize].at = at,
            _ => self.leases.misplace(place, at),
        }
    }
}

/// The moves.
impl Timers {
    /// The run of timers of this kind, and the bit of its places.
    #[inline(always)]
    fn run_of(&mut self, timer: Timer) -> (&mut Run, u32) {
        match timer {
            Timer::Wait(_) => (&mut self.waits, 0),
            Timer::Lease(_) => (&mut self.leases, OF_LEASES),
        }
    }

    /// Takes the timer at this place out of the heap.
    fn take_out(&mut self, place: usize, moved: impl FnMut(Timer, u32)) {
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

    /// Brings the timer at this place to where it belongs, wherever that is.
    fn settle(&mut self, place: usize, moved: impl FnMut(Timer, u32)) {
        if self.is_early(place) {
            self.rise(place, moved);
        } else {
            self.sink(place, moved);
        }
    }

    /// Whether the timer at this place is due before the one above it.
    #[inline(always)]
    fn is_early(&self, place: usize) -> bool {
        place > 0 && self.heap[place] < self.heap[above(place)]
    }

    fn rise(&mut self, mut place: usize, mut moved: impl FnMut(Timer, u32)) {
        let rising = self.heap[place];
        while place > 0 {
            let upper = self.heap[above(place)];
            if upper <= rising {
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
            if sinking <= lower {
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
        let first = below.iter().enumerate().min_by_key(|(_, armed)| **armed)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Armed, BELOW, IN_A_RUN, KEEP, NONE, OF_LEASES, Run, Tick, Timer, Timers};
    use crate::engine::run::NUMBERS;

    fn tick(at: u64) -> Tick {
        Tick::at(Duration::from_nanos(at))
    }

    /// Timers whose owners know their places, and beside them when each is due.
    struct Owned {
        timers: Timers,
        places: BTreeMap<Timer, u32>,
        due: BTreeMap<Timer, Tick>,
    }

    impl Owned {
        fn new() -> Self {
            Self { timers: Timers::new(), places: BTreeMap::new(), due: BTreeMap::new() }
        }

        fn arm(&mut self, timer: Timer, at: u64) {
            let places = &mut self.places;
            self.timers.arm(tick(at), timer, |timer, place| _ = places.insert(timer, place));
            self.due.insert(timer, tick(at));
        }

        fn disarm(&mut self, timer: Timer) {
            self.due.remove(&timer);
            let place = self.places.remove(&timer).expect("it is armed");
            let places = &mut self.places;
            self.timers.disarm(place, |timer, place| _ = places.insert(timer, place));
        }

        fn renew(&mut self, timer: Timer, at: u64) {
            self.due.insert(timer, tick(at));
            let place = self.places[&timer];
            let places = &mut self.places;
            self.timers.renew(place, tick(at), |timer, place| _ = places.insert(timer, place));
        }

        fn check(&self) {
            let armed: BTreeMap<Timer, Tick> =
                self.timers.iter().map(|(_, at, timer)| (timer, at)).collect();
            assert_eq!(armed, self.due);
            assert_eq!(self.timers.len(), self.due.len(), "none is there twice");
            let there: BTreeMap<Timer, u32> =
                self.timers.iter().map(|(place, _, timer)| (timer, place)).collect();
            assert_eq!(there, self.places, "each owner knows where its timer is");
            assert!(self.timers.are_in_order());
            assert_eq!(
                self.timers.first(),
                self.due.values().min().copied().unwrap_or(Tick::NEVER)
            );
            for (timer, place) in &self.places {
                assert_eq!(self.timers.at(*place), self.due[timer]);
            }
            let (taken, room) = (self.timers.heap.len(), self.timers.heap.capacity());
            assert!(room <= KEEP || room <= 3 * taken + 2, "{room} places for {taken} timers");
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        Arm(u64),
        Disarm(usize),
        Renew(usize, u64),
        /// Acts upon all that is due by then.
        Elapse(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let at = || 0..200_u64;
        let any_of_them = || 0..usize::MAX;
        let one = prop_oneof![
            6 => at().prop_map(Move::Arm),
            3 => any_of_them().prop_map(Move::Disarm),
            2 => (any_of_them(), at()).prop_map(|(which, at)| Move::Renew(which, at)),
            1 => (0..100_u64).prop_map(Move::Elapse),
        ];
        vec(one, 0..400)
    }

    proptest! {
        #[test]
        fn timers_are_those_that_were_armed_whatever_is_done_with_them(moves in moves()) {
            let mut owned = Owned::new();
            for (n, one) in moves.into_iter().enumerate() {
                let nth = |which: usize| {
                    let timers: Vec<Timer> = owned.due.keys().copied().collect();
                    (!timers.is_empty()).then(|| timers[which % timers.len()])
                };
                match one {
                    Move::Arm(at) if n % 2 == 0 => owned.arm(Timer::Wait(n as u32), at),
                    Move::Arm(at) => owned.arm(Timer::Lease(n as u32), at),
                    Move::Disarm(which) => nth(which).into_iter().for_each(|timer| owned.disarm(timer)),
                    Move::Renew(which, at) => {
                        nth(which).into_iter().for_each(|timer| owned.renew(timer, at));
                    }
                    Move::Elapse(now) => {
                        while let Some(due) = owned.timers.due(tick(now)) {
                            let first = owned.due.iter().map(|(timer, at)| (*at, *timer)).min();
                            prop_assert_eq!(first, Some((owned.due[&due], due)));
                            prop_assert!(owned.due[&due] <= tick(now));
                            owned.disarm(due);
                        }
                        prop_assert!(owned.due.values().all(|at| *at > tick(now)));
                    }
                }
                owned.check();
            }
        }
    }

    #[test]
    fn timers_of_one_length_stay_where_they_are_put() {
        let mut owned = Owned::new();
        for n in 0..1_000 {
            owned.arm(Timer::Wait(n), n.into());
            owned.arm(Timer::Lease(n), u64::from(n) + 30);
        }
        let places = owned.places.clone();
        for n in 0..500 {
            owned.disarm(Timer::Wait(n));
            owned.renew(Timer::Lease(n), u64::from(n) + 1_030);
        }
        for (timer, place) in &owned.places {
            assert!(places[timer] == *place || *timer < Timer::Lease(500), "{timer:?} has moved");
        }
        assert_eq!(owned.timers.heap.len(), 0);
        owned.check();
    }

    /// Those that are armed from now on stand in the heap.
    fn after_one_that_is_due_late() -> Owned {
        let mut owned = Owned::new();
        owned.arm(Timer::Lease(u32::MAX), 1_000_000);
        owned
    }

    #[test]
    fn memory_goes_back_as_timers_go_and_a_little_is_kept() {
        let mut owned = after_one_that_is_due_late();
        (0..1_000).for_each(|n| owned.arm(Timer::Lease(n), u64::from(n * 7 % 1_000)));
        let mut given_back = 0;
        for n in 0..1_000 {
            let before = owned.timers.heap.capacity();
            owned.disarm(Timer::Lease(n));
            let gives = owned.timers.heap.capacity() < before;
            assert_eq!(gives, before > KEEP && owned.timers.heap.len() < before / 3);
            given_back += usize::from(gives);
            owned.check();
        }
        assert!((1..10).contains(&given_back), "{given_back} times");
        assert_eq!(owned.timers.heap.capacity(), KEEP);
    }

    #[test]
    fn a_few_timers_more_or_less_move_no_memory() {
        let mut owned = after_one_that_is_due_late();
        (0..100 * KEEP as u32).for_each(|n| owned.arm(Timer::Lease(n), n.into()));
        let mut n = 0;
        let mut room = owned.timers.heap.capacity();
        while owned.timers.heap.capacity() == room {
            owned.disarm(Timer::Lease(n));
            n += 1;
        }
        room = owned.timers.heap.capacity();
        for _ in 0..1_000 {
            (0..20).for_each(|more| owned.arm(Timer::Lease(10_000 + more), 1));
            (0..20).for_each(|more| owned.disarm(Timer::Lease(10_000 + more)));
            assert_eq!(owned.timers.heap.capacity(), room);
        }
    }

    #[test]
    fn what_has_no_timer_has_none_whatever_the_numbers_are() {
        let owned = after_one_that_is_due_late();
        assert_eq!(owned.timers.at(NONE), Tick::NEVER);
        assert_eq!((IN_A_RUN | OF_LEASES | (NUMBERS - 1)).max(NUMBERS), 0xDFFF_FFFF);
    }

    #[test]
    fn reaper_is_told_of_what_is_earlier_and_of_the_end_and_of_nothing_else() {
        let mut owned = Owned::new();
        assert!(!owned.timers.must_tell());
        owned.arm(Timer::Wait(1), 5);
        assert!(owned.timers.must_tell(), "the first");
        assert_eq!(owned.timers.tell(), tick(5));
        owned.arm(Timer::Wait(2), 7);
        assert!(!owned.timers.must_tell(), "one that is later");
        owned.disarm(Timer::Wait(1));
        assert!(!owned.timers.must_tell() && owned.timers.is_told_too_early(), "another is left");
        owned.arm(Timer::Wait(3), 6);
        assert!(!owned.timers.must_tell(), "it comes by then");
        owned.renew(Timer::Wait(2), 4);
        assert!(owned.timers.must_tell(), "one that has become earlier");
        assert_eq!(owned.timers.tell(), tick(4));
        [2, 3].into_iter().for_each(|n| owned.disarm(Timer::Wait(n)));
        assert!(owned.timers.must_tell(), "none is left");
        assert_eq!((owned.timers.tell(), owned.timers.told()), (Tick::NEVER, Tick::NEVER));
        assert!(!owned.timers.must_tell());
    }

    #[test]
    fn timers_that_are_out_of_order_are_found_wherever_they_stand() {
        for of_heap in [false, true] {
            for timer in [Timer::Wait, Timer::Lease] {
                let mut owned = Owned::new();
                if of_heap {
                    owned.arm(timer(9), 1_000);
                }
                (0..2).for_each(|n| owned.arm(timer(n), 5 + u64::from(n)));
                assert!(owned.timers.are_in_order());
                owned.timers.misplace(owned.places[&timer(0)], tick(7));
                assert!(!owned.timers.are_in_order(), "of the heap: {of_heap}");
            }
        }
    }

    #[test]
    fn those_below_one_fill_a_line_of_the_cache() {
        assert_eq!(size_of::<Armed>() * BELOW, 64);
    }

    #[test]
    fn no_place_is_not_that_of_a_timer_whatever_its_number() {
        let mut timers = Timers { leases: Run::beginning_at(NUMBERS - 1), ..Timers::new() };
        let mut place = NONE;
        timers.arm(tick(5), Timer::Lease(0), |_, at| place = at);
        assert_eq!((timers.at(place), timers.at(NONE)), (tick(5), Tick::NEVER));
    }

    #[test]
    fn those_who_move_up_in_a_run_know_their_places() {
        let mut owned = Owned::new();
        let timers = |of: fn(u32) -> Timer| (0..100).map(of);
        for timer in timers(Timer::Wait).chain(timers(Timer::Lease)) {
            owned.arm(timer, 5);
        }
        for n in 1..99 {
            owned.disarm(Timer::Wait(n));
            owned.disarm(Timer::Lease(n));
            owned.check();
        }
    }
}
