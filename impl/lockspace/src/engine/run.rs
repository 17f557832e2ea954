//! Timers that were armed in the order in which they are due, as those of one length are: a run, to whose
//! end each of them is added and from whose beginning they go.
//!
//! A timer stays where it was put, under a number that grows: nobody is told of moves, and nothing is
//! sorted or searched. One that is disarmed in the middle leaves a gap. Gaps at either end go at once, and
//! when they are more than a third of the places all of them go, and those behind them move up.
//!
//! What this file must not do: take a timer that is due before the last one.

use std::collections::VecDeque;

use super::entries::KEEP;
use super::timers::{Armed, Timer};
#[cfg(test)]
use crate::clock::Tick;

/// Numbers begin anew after so many: so many timers would take 8 GiB of one shard.
pub(super) const NUMBERS: u32 = 1 << 29;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Run {
    /// `None` is a gap; neither the first nor the last one is.
    places: VecDeque<Option<Armed>>,
    /// The number of the first place.
    begin: u32,
    gaps: usize,
}

impl Run {
    pub(super) const fn new() -> Self {
        Self { places: VecDeque::new(), begin: 0, gaps: 0 }
    }

    /// Whether a timer may stand at the end.
    #[inline]
    pub(super) fn takes(&self, armed: Armed) -> bool {
        self.places.back().is_none_or(|last| *last <= Some(armed))
    }

    /// Adds a timer at the end, if the run [takes](Self::takes) it. Answers its number.
    #[inline]
    pub(super) fn push(&mut self, armed: Armed) -> u32 {
        debug_assert!(self.takes(armed), "a run is in order");
        let number = self.number(self.places.len());
        self.places.push_back(Some(armed));
        number
    }

    /// Takes out the timer with this number, as [`get`](Self::get) finds it. `moved` is told of those that
    /// have other numbers now.
    #[inline(always)]
    pub(super) fn remove(&mut self, number: u32, moved: impl FnMut(Timer, u32)) {
        let place = self.place(number);
        debug_assert!(self.get(number).is_some(), "what is disarmed has been armed");
        if place == 0 {
            self.places.pop_front();
            self.begin = self.number(1);
        } else {
            self.places[place] = None;
            self.gaps += 1;
        }
        if self.gaps > 0 {
            self.trim();
        }
        let (taken, room) = (self.places.len(), self.places.capacity());
        if room > KEEP && (3 * self.gaps > taken || 2 * taken < room) {
            self.move_up(moved);
        }
    }

    /// No gap stays at either end.
    fn trim(&mut self) {
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.begin = self.number(1);
            self.gaps -= 1;
        }
        while let Some(None) = self.places.back() {
            self.places.pop_back();
            self.gaps -= 1;
        }
    }

    /// The timer with this number, if there is one. Bits above those of a number are not looked at.
    pub(super) fn get(&self, number: u32) -> Option<Armed> {
        self.places.get(self.place(number)).copied().flatten()
    }

    /// The timer that is due first.
    #[inline]
    pub(super) fn first(&self) -> Option<Armed> {
        self.places.front().copied().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    /// Every timer with its number, from the first one on.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Armed)> {
        let timer = |(place, armed): (usize, &Option<Armed>)| Some((self.number(place), (*armed)?));
        self.places.iter().enumerate().filter_map(timer)
    }

    /// All gaps go, and memory of which less than half is used, but for a quarter more than is used. So few
    /// timers that come and go move nothing, and a timer takes at most 48 bytes, whatever has gone.
    #[cold]
    fn move_up(&mut self, mut moved: impl FnMut(Timer, u32)) {
        if self.gaps > 0 {
            self.places.retain(Option::is_some);
            self.gaps = 0;
            self.iter().for_each(|(number, armed)| moved(armed.timer, number));
        }
        let taken = self.places.len();
        if 2 * taken < self.places.capacity() {
            self.places.shrink_to(KEEP.max(taken + taken / 4));
        }
    }

    #[inline]
    fn number(&self, place: usize) -> u32 {
        (self.begin + place as u32) % NUMBERS
    }

    #[inline]
    fn place(&self, number: u32) -> usize {
        (number.wrapping_sub(self.begin) % NUMBERS) as usize
    }
}

#[cfg(test)]
impl Run {
    pub(super) fn beginning_at(begin: u32) -> Self {
        Self { begin, ..Self::new() }
    }

    /// Has a timer due at another time, and leaves it there: for the audit to find.
    pub(super) fn misplace(&mut self, number: u32, at: Tick) {
        let place = self.place(number);
        self.places[place].iter_mut().for_each(|armed| armed.at = at);
    }
}

#[cfg(test)]
mod tests {
    use super::{Armed, KEEP, NUMBERS, Run, Timer};
    use crate::clock::Tick;

    fn armed(at: u64) -> Armed {
        let at = Tick::at(std::time::Duration::from_nanos(at));
        Armed { at, timer: Timer::Wait(0) }
    }

    fn nobody_moves(_: Timer, _: u32) {
        panic!("nobody moves");
    }

    #[test]
    fn as_many_timers_as_there_are_numbers_would_take_8_gib() {
        assert_eq!(size_of::<Option<Armed>>() as u64 * u64::from(NUMBERS), 8 << 30);
    }

    #[test]
    fn numbers_begin_anew() {
        let mut run = Run::beginning_at(NUMBERS - 2);
        let numbers: Vec<u32> = (0..4).map(|at| run.push(armed(at))).collect();
        assert_eq!(numbers, [NUMBERS - 2, NUMBERS - 1, 0, 1]);
        for (number, at) in numbers.into_iter().zip(0..) {
            assert_eq!((run.get(number), run.first()), (Some(armed(at)), Some(armed(at))));
            run.remove(number, nobody_moves);
            assert_eq!(run.get(number), None);
        }
        assert_eq!((run.len(), run.begin), (0, 2));
    }

    #[test]
    fn a_run_is_in_order() {
        let mut run = Run::new();
        assert!(run.takes(armed(5)));
        let number = run.push(armed(5));
        assert!(!run.takes(armed(4)) && run.takes(armed(5)) && run.takes(armed(6)));
        run.remove(number, nobody_moves);
        assert!(run.takes(armed(4)), "it is empty");
    }

    #[test]
    fn an_armed_timer_takes_three_places_at_most_whatever_has_gone() {
        type Order = fn(u32) -> u32;
        let orders: [Order; 3] = [|n| n, |n| 9_999 - n, |n| n * 7_919 % 10_000];
        for order in orders {
            let mut run = Run::new();
            let mut numbers: Vec<u32> = (0..10_000).map(|at| run.push(armed(at))).collect();
            for gone in (0..10_000).map(order) {
                let at = |armed: Armed| armed.at.moment().as_nanos() as usize;
                let mut moved = Vec::new();
                run.remove(numbers[gone as usize], |_, number| moved.push(number));
                if !moved.is_empty() {
                    run.iter().for_each(|(number, armed)| numbers[at(armed)] = number);
                    assert_eq!(moved.len(), run.len(), "each is told once");
                }
                let room = run.places.capacity();
                assert!(room <= KEEP || room <= 3 * run.len() + 2, "{room} for {}", run.len());
            }
        }
    }

    /// A run of so many, due one after the other, whose numbers are those of their places.
    fn run_of(timers: u64) -> Run {
        let mut run = Run::new();
        assert!((0..timers).all(|at| run.push(armed(at)) == at as u32));
        run
    }

    #[test]
    fn gaps_go_when_they_are_more_than_a_third() {
        let mut run = run_of(60);
        (1..=20).for_each(|number| run.remove(number, nobody_moves));
        let mut moved = 0;
        run.remove(21, |_, _| moved += 1);
        assert_eq!((moved, run.len(), run.gaps), (39, 39, 0));
        assert_eq!(run.places.capacity(), 64, "more than half of it is used");
    }

    #[test]
    fn a_short_run_keeps_its_gaps() {
        let mut run = run_of(KEEP as u64);
        (1..30).for_each(|number| run.remove(number, nobody_moves));
        assert_eq!((run.places.capacity(), run.gaps), (KEEP, 29));
    }

    #[test]
    fn timers_that_go_in_order_move_nobody() {
        let mut run = run_of(100);
        (0..100).for_each(|number| run.remove(number, nobody_moves));
        assert_eq!((run.len(), run.places.capacity()), (0, KEEP));
    }

    #[test]
    fn memory_of_which_half_is_used_stays() {
        let mut run = run_of(49);
        (1..17).for_each(|number| run.remove(number, nobody_moves));
        run.remove(17, |_, _| {});
        assert_eq!((run.len(), run.gaps, run.places.capacity()), (32, 0, 64));
    }

    #[test]
    fn memory_goes_back_when_less_than_half_of_it_is_used() {
        let mut run = run_of(1_024);
        run.remove(1_000, nobody_moves);
        (0..512).for_each(|number| run.remove(number, nobody_moves));
        let mut moved = 0;
        run.remove(512, |_, _| moved += 1);
        assert_eq!((moved, run.len()), (510, 510));
        assert_eq!(run.places.capacity(), 510 + 510 / 4);
    }
}
