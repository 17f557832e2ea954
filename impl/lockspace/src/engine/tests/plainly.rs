//! The plain ways beside the general ones: where each is taken, and that nobody can tell which was. Two
//! engines are asked the same, and one of them knows no plain ways.

use std::fmt::Debug;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::clock::Tick;
use crate::engine::common::Stage;
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
        // Most want the first name.
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
        let mut names = self.engine.snapshot().names;
        for name in &mut names {
            name.holder.lease_left = name.holder.lease_left.map(|_| HOUR);
            name.waiters
                .iter_mut()
                .for_each(|waiter| waiter.wait_left = waiter.wait_left.map(|_| HOUR));
        }
        // How often each was woken, and in how many places its waker is.
        let woken =
            |count: &Arc<Count>| (count.0.load(Ordering::Relaxed), Arc::strong_count(count));
        let woken: Vec<_> = self.counts.iter().map(woken).collect();
        let audit = self.engine.audit();
        assert_eq!(audit.faults, []);
        (names, woken, audit, self.engine.stats())
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
                    side.counts.push(Arc::default());
                    let waker = side.waker(side.counts.len() - 1);
                    side.act(|engine, effects| engine.poll_ended(hold, &mut None, &waker, effects))
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

/// An engine, and what is done with it until somebody leaves.
struct Scene(Engine);

impl Scene {
    fn new() -> Self {
        Self(Engine::new(&setup()))
    }

    fn take(&self, name: &str) -> HoldKey {
        self.0.door(name).take_free(name).expect("it is free")
    }

    fn ask(&self, ask: Ask<'_>) -> Acquired {
        let asked = self.0.door(ask.name).acquire(&ask, &mut Effects::default());
        asked.expect("nobody says who asks")
    }

    fn queue(&self, ask: Ask<'_>) -> WaitKey {
        match self.ask(ask) {
            Acquired::Queued(key) => key,
            other => unreachable!("the name is held: {other:?}"),
        }
    }

    /// Releases a hold, and answers whether that was plain.
    fn gives_back(&self, hold: HoldKey) -> bool {
        let given = self.0.exit_of_hold(hold).give_back(hold);
        given.map_err(|exit| exit.release(hold, &mut Effects::default())).is_ok()
    }

    /// The same of a request that leaves.
    fn leaves(&self, key: WaitKey) -> bool {
        let left = self.0.exit_of_wait(key).leave(key);
        left.map_err(|exit| exit.cancel(key, &mut Effects::default())).is_ok()
    }
}

fn wants(name: &str) -> Ask<'_> {
    let patience = Patience::Queue { waker: Waker::noop(), wait: None };
    Ask { name, patience, lease: None, label: None, owner: None }
}

fn wants_within_an_hour(name: &str) -> Ask<'_> {
    let wait = Some(HOUR.as_nanos() as u64);
    Ask { patience: Patience::Queue { waker: Waker::noop(), wait }, ..wants(name) }
}

fn wants_labelled(name: &str) -> Ask<'_> {
    Ask { label: Some("labelled"), ..wants(name) }
}

fn wants_for_an_hour(name: &str) -> Ask<'_> {
    Ask { lease: NonZeroU64::new(HOUR.as_nanos() as u64), ..wants(name) }
}

/// Each is what has happened before a hold of "a" is released, and whether that is plain.
#[test]
fn a_release_is_plain_exactly_where_nothing_hangs_upon_it() {
    let check = |before: &str, plain: bool, happens: &dyn Fn(&Scene)| {
        let scene = Scene::new();
        let hold = scene.take("a");
        happens(&scene);
        assert_eq!(scene.gives_back(hold), plain, "{before}");
        assert_eq!(scene.0.audit().faults, [], "{before}");
    };
    let queue = |scene: &Scene, ask| _ = scene.queue(ask);
    let others = |scene: &Scene| ["b", "c", "d", "e"].map(|name| scene.take(name));
    check("nothing", true, &|_| ());
    check("somebody waits", true, &|scene| queue(scene, wants("a")));
    check("somebody wants a lease", false, &|scene| queue(scene, wants_for_an_hour("a")));
    check("another's wait is noted", false, &|scene| {
        queue(scene, wants("a"));
        queue(scene, wants_labelled("a"));
    });
    check("another's wait is noted, of another name", true, &|scene| {
        scene.take("b");
        queue(scene, wants_labelled("b"));
    });
    check("another's hold is noted", false, &|scene| _ = scene.ask(wants_labelled("b")));
    check("somebody watches", false, &|scene| {
        let hold = scene.0.holder_of("a").expect("it is held");
        let _ = scene.0.poll_ended(hold, &mut None, Waker::noop(), &mut Effects::default());
    });
    check("the last timer goes", false, &|scene| queue(scene, wants_within_an_hour("a")));
    check("one of two timers goes", true, &|scene| {
        queue(scene, wants_within_an_hour("a"));
        queue(scene, wants_within_an_hour("a"));
    });
    check("one of two timers goes, and there is no reaper", false, &|scene| {
        queue(scene, wants_within_an_hour("a"));
        queue(scene, wants_within_an_hour("a"));
        scene.0.no_reaper();
    });
    check("nobody has seen two other grants", false, &|scene| {
        for name in ["b", "c"] {
            let hold = scene.take(name);
            queue(scene, wants(name));
            assert!(scene.gives_back(hold));
        }
        queue(scene, wants("a"));
    });
    check("it was forced", false, &|scene| {
        scene.0.force_release("a", &mut Effects::default());
    });
    check("a shutdown has begun", false, &|scene| {
        _ = scene.0.enter(Stage::Draining, &mut Effects::default());
    });
    check("four others are held", true, &|scene| _ = others(scene));
    let scene = Scene::new();
    scene.take("a");
    let [.., fifth] = others(&scene);
    queue(&scene, wants("e"));
    assert!(scene.gives_back(fifth), "of a name that has no place beside the lock");
    let leased = Scene::new();
    let Acquired::Granted(hold) = leased.ask(wants_for_an_hour("a")) else { panic!("it is free") };
    assert!(!leased.gives_back(hold), "of a hold with a lease");
}

/// Each is what has happened after a request of "a" has queued, and whether its cancel is plain.
#[test]
fn a_cancel_is_plain_exactly_where_a_request_just_waits() {
    let check = |after: &str, plain: bool, ask: Ask<'_>, happens: &dyn Fn(&Scene, HoldKey)| {
        let scene = Scene::new();
        let hold = scene.take("a");
        let key = scene.queue(ask);
        happens(&scene, hold);
        assert_eq!(scene.leaves(key), plain, "{after}");
        assert_eq!(scene.0.audit().faults, [], "{after}");
    };
    check("nothing", true, wants("a"), &|_, _| ());
    check("it wants a lease", true, wants_for_an_hour("a"), &|_, _| ());
    check("it waits for an hour", false, wants_within_an_hour("a"), &|_, _| ());
    check("it is noted", false, wants_labelled("a"), &|_, _| ());
    check("another is noted", false, wants("a"), &|scene, _| _ = scene.queue(wants_labelled("a")));
    check("others wait", true, wants("a"), &|scene, _| _ = scene.queue(wants("a")));
    check("it was granted", false, wants("a"), &|scene, hold| _ = scene.gives_back(hold));
    check("it was granted, and has its slot", false, wants_for_an_hour("a"), &|scene, hold| {
        for name in ["b", "c"] {
            let hold = scene.take(name);
            scene.queue(wants(name));
            assert!(scene.gives_back(hold), "the board is full now");
        }
        let _ = scene.0.release(hold, &mut Effects::default());
    });
    check("a shutdown has begun", false, wants("a"), &|scene, _| {
        _ = scene.0.enter(Stage::Draining, &mut Effects::default());
    });
}
