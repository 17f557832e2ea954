//! The plain ways beside the general ones: two engines are asked the same, and one of them knows no plain ways.
//! Nobody can tell which.

use std::fmt::Debug;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::clock::Tick;
use crate::engine::{Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, WaitKey};

use super::plain::{Count, setup};

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug)]
enum Move {
    /// Lengths in hours; zero is none.
    Acquire {
        name: usize,
        wait: u64,
        lease: u64,
        labelled: bool,
    },
    Look(usize),
    Cancel(usize),
    Release(usize),
    Watch(usize),
    Force(usize),
    /// All that is due within so many hours and a half of the beginning has come due.
    Elapse(u32),
    Shutdown,
}

/// More than there are places beside the lock, and few enough to meet.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any = || 0..100_usize;
    // Most are plain.
    let hours = || prop_oneof![5 => Just(0), 1 => 1..4_u64];
    let acquire = (0..NAMES.len(), hours(), hours(), prop::bool::weighted(0.05));
    let acquire = acquire.prop_map(|(name, wait, lease, labelled)| {
        // Of the first two names nearly all that happens.
        Move::Acquire { name: name.saturating_sub(4), wait, lease, labelled }
    });
    let elsewhere = (2..NAMES.len()).prop_map(|name| Move::Acquire {
        name,
        wait: 0,
        lease: 0,
        labelled: false,
    });
    let one = prop_oneof![
        40 => acquire,
        10 => elsewhere,
        20 => any().prop_map(Move::Look),
        15 => any().prop_map(Move::Cancel),
        30 => any().prop_map(Move::Release),
        2 => any().prop_map(Move::Watch),
        2 => (0..NAMES.len()).prop_map(Move::Force),
        4 => (0..4_u32).prop_map(Move::Elapse),
        1 => Just(Move::Shutdown),
    ];
    vec(one, 0..120)
}

/// An engine, and how often whoever asked there was woken.
struct Side {
    engine: Engine,
    knows_plain_ways: bool,
    counts: Vec<Arc<Count>>,
}

impl Side {
    fn new(knows_plain_ways: bool) -> Self {
        Self { engine: Engine::new(&setup()), knows_plain_ways, counts: Vec::new() }
    }

    /// Does something, and then all that it has left to do. Answers whether it wanted a reaper as well.
    fn act<R>(&self, action: impl FnOnce(&Engine, &mut Effects) -> R) -> (R, bool) {
        let mut effects = Effects::default();
        let answer = action(&self.engine, &mut effects);
        let wants_reaper = effects.must_start_reaper();
        effects.carry_out();
        (answer, wants_reaper)
    }

    fn acquire(&mut self, ask: &Ask<'_>, wait: Option<u64>) -> (Acquired, bool) {
        self.counts.push(Arc::default());
        let waker = &self.waker(self.counts.len() - 1);
        let ask = Ask { patience: Patience::Queue { waker, wait }, ..*ask };
        self.act(|engine, effects| {
            let asked = match self.knows_plain_ways {
                true => engine.acquire(&ask, effects),
                false => engine.door(ask.name).acquire(&ask, effects),
            };
            asked.expect("nobody says who asks")
        })
    }

    fn look(&self, asker: usize, key: WaitKey) -> (Poll<Acquired>, bool) {
        self.act(|engine, effects| {
            if let Some(hold) = engine.take_post(key) {
                return Poll::Ready(Acquired::Granted(hold));
            }
            engine.poll_wait(key, &self.waker(asker), effects).map(without_ages)
        })
    }

    fn cancel(&self, key: WaitKey) -> ((), bool) {
        self.act(|engine, effects| match self.knows_plain_ways {
            true => engine.cancel(key, effects),
            false => engine.exit_of_wait(key).cancel(key, effects),
        })
    }

    fn release(&self, hold: HoldKey) -> (Released, bool) {
        self.act(|engine, effects| match self.knows_plain_ways {
            true => engine.release(hold, effects),
            false => engine.exit_of_hold(hold).release(hold, effects),
        })
    }

    fn waker(&self, asker: usize) -> Waker {
        Waker::from(Arc::clone(&self.counts[asker]))
    }

    /// All that can be seen from outside, but for how long anything takes.
    fn look_around(&self) -> impl PartialEq + Debug + use<> {
        let names = self.engine.snapshot().names.into_iter();
        let names = names.map(|name| (name.name, name.holder.token, name.waiters.len()));
        let woken = self.counts.iter().map(|count| count.0.load(Ordering::Relaxed));
        let audit = self.engine.audit();
        assert_eq!(audit.faults, []);
        (names.collect::<Vec<_>>(), woken.collect::<Vec<_>>(), audit, self.engine.stats())
    }
}

/// The two engines are not asked in the same nanosecond.
fn without_ages(mut acquired: Acquired) -> Acquired {
    if let Acquired::TimedOut(told) = &mut acquired {
        told.standing.holder.iter_mut().for_each(|holder| holder.lease_left = None);
    }
    acquired
}

/// Both of them, and what has come of all that was asked.
struct Sides {
    both: [Side; 2],
    waits: Vec<(usize, WaitKey)>,
    holds: Vec<HoldKey>,
}

impl Sides {
    fn each<R: PartialEq + Debug>(&mut self, ask: impl Fn(&mut Side) -> R) -> R {
        let [plainly, otherwise] = self.both.each_mut().map(ask);
        assert_eq!(plainly, otherwise);
        plainly
    }

    fn came_to(&mut self, asker: usize, acquired: Acquired) {
        match acquired {
            Acquired::Granted(hold) => self.holds.push(hold),
            Acquired::Queued(key) => self.waits.push((asker, key)),
            Acquired::Refused(_) | Acquired::TimedOut(_) => {}
            Acquired::Failed(_) => unreachable!("there is no store"),
        }
    }

    fn make(&mut self, one: Move) {
        let nth = |which: usize, all: usize| (all > 0).then(|| which % all);
        match one {
            Move::Acquire { name, wait, lease, labelled } => {
                let hours = |hours: u64| NonZeroU64::new(hours * HOUR.as_nanos() as u64);
                let (wait, lease) = (hours(wait).map(NonZeroU64::get), hours(lease));
                let patience = Patience::No { waker: Waker::noop() };
                let label = labelled.then_some("labelled");
                let ask = Ask { name: NAMES[name], patience, lease, label, owner: None };
                let (acquired, _) = self.each(|side| side.acquire(&ask, wait));
                self.came_to(self.both[0].counts.len() - 1, acquired);
            }
            Move::Look(which) => {
                let Some(which) = nth(which, self.waits.len()) else { return };
                let (asker, key) = self.waits[which];
                if let (Poll::Ready(acquired), _) = self.each(|side| side.look(asker, key)) {
                    self.waits.remove(which);
                    self.came_to(asker, acquired);
                }
            }
            Move::Cancel(which) => {
                let Some(which) = nth(which, self.waits.len()) else { return };
                let (_, key) = self.waits.remove(which);
                self.each(|side| side.cancel(key));
            }
            Move::Release(which) => {
                let Some(which) = nth(which, self.holds.len()) else { return };
                let hold = self.holds.remove(which);
                self.each(|side| side.release(hold));
            }
            Move::Watch(which) => {
                let Some(which) = nth(which, self.holds.len()) else { return };
                let hold = self.holds[which];
                let _ = self.each(|side| {
                    let watch = |engine: &Engine, effects: &mut Effects| {
                        engine.poll_ended(hold, &mut None, Waker::noop(), effects)
                    };
                    side.act(watch)
                });
            }
            Move::Force(name) => {
                self.each(|side| {
                    side.act(|engine, effects| engine.force_release(NAMES[name], effects))
                });
            }
            Move::Elapse(hours) => {
                let now = Tick::at(hours * HOUR + HOUR / 2);
                self.each(
                    |side| while side.act(|engine, effects| engine.elapse_until(now, effects)).0 {},
                );
            }
            Move::Shutdown => {
                self.each(|side| side.act(|engine, effects| engine.shutdown(HOUR, effects)));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_plain_way_does_what_the_general_one_does(moves in moves()) {
        let both = [Side::new(true), Side::new(false)];
        let mut sides = Sides { both, waits: Vec::new(), holds: Vec::new() };
        for one in moves {
            sides.make(one);
            sides.each(|side| side.look_around());
        }
        while !sides.waits.is_empty() {
            sides.make(Move::Cancel(0));
        }
        while !sides.holds.is_empty() {
            sides.make(Move::Release(0));
        }
        sides.each(|side| side.look_around());
        let audit = sides.both[0].engine.audit();
        prop_assert_eq!((audit.held, audit.waiting, audit.lost, audit.watching), (0, 0, 0, 0));
    }
}
