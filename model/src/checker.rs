//! The first explorer: [stateright], and the only file that names it.
//!
//! What stateright cannot do decides how it is used here:
//!
//! - A property there judges a state, ours judge transitions. So a transition that breaks something
//!   leads to a [`Judged::Broken`] state, of which `always` is false.
//! - A search that was cut short passes its own assertions, so [`check`] cuts nothing and returns the
//!   counts, which the [manifest](crate::manifest) pins. `always` properties are never "discovered"
//!   while they hold, so no search ends for want of something to look for.
//! - `eventually` is blind to cycles and joins, and this protocol is a cycle. It is not used;
//!   [`progress`](crate::progress) does that work.
//! - Breadth-first search ignores symmetry there. Machines hand out canonical states, so none is
//!   needed.
//! - Its counterexamples are not the shortest. [`path`](crate::path) finds those.
//! - With one thread it is exactly breadth first, and only then is its depth exact: one thread it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use lockspace_spec::REACHABLE;
use stateright::{Checker, Model, Property};

use crate::breakable::BREAKABLE;
use crate::explorer::Explored;
use crate::machine::{Ids, Machine, Next};

/// A state, or the end of a transition that broke something.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Judged<State> {
    /// Every property held on the way here.
    Sound(State),
    /// These properties did not hold of the last transition.
    Broken(Ids),
}

/// Explores `machine` with stateright: every property that can be broken `always`, every goal in `wanted`
/// `sometimes`.
pub fn check<M>(machine: M, wanted: Ids) -> Explored
where
    M: Machine + Send + 'static,
{
    let checker = Checked::new(machine, wanted).checker().spawn_bfs().join();
    let discoveries = checker.discoveries();
    let found = |id: &str| discoveries.contains_key(id);
    let mut explored = Explored {
        states: checker.unique_state_count() as u64,
        // It counts the initial state as generated, and depth from one.
        transitions: checker.state_count() as u64 - 1,
        depth: checker.max_depth() as u32 - 1,
        ..Explored::default()
    };
    for index in (0..BREAKABLE.len()).filter(|index| found(BREAKABLE[*index].id)) {
        explored.broken.insert(index);
    }
    for index in wanted.iter().filter(|index| found(REACHABLE[*index].id)) {
        explored.shown.insert(index);
    }
    explored
}

/// Serves stateright's Explorer for `machine` at `address`, and does not return while it serves.
pub fn serve<M>(machine: M, wanted: Ids, address: SocketAddr)
where
    M: Machine + Send + 'static,
{
    Checked::new(machine, wanted).checker().serve(address);
}

/// A machine as a stateright model.
struct Checked<M> {
    machine: M,
    wanted: Ids,
    /// The goals already found, so that each is looked for only until then. Its order towards other
    /// memory does not matter: at worst a goal is found twice.
    found: AtomicU32,
}

impl<M: Machine> Checked<M> {
    const fn new(machine: M, wanted: Ids) -> Self {
        let found = AtomicU32::new(0);
        Self { machine, wanted, found }
    }

    /// Whether some transition out of `state` shows goal `INDEX`: a function of the state. Once it
    /// has been found the answer is of no further use, and is `false`.
    fn shows<const INDEX: usize>(&self, state: &Judged<M::State>) -> bool {
        let Judged::Sound(state) = state else {
            return false;
        };
        if self.found.load(Ordering::Relaxed) & 1 << INDEX != 0 {
            return false;
        }
        let mut goal = Ids::NONE;
        goal.insert(INDEX);
        let mut actions = Vec::new();
        self.machine.actions(state, &mut actions);
        let shown = actions.iter().any(|action| {
            let next = self.machine.next(state, &mut state.clone(), action, goal);
            matches!(next, Next::Sound { shown, .. } if shown.contains(INDEX))
        });
        if shown {
            self.found.fetch_or(1 << INDEX, Ordering::Relaxed);
        }
        shown
    }

    fn holds<const INDEX: usize>(&self, state: &Judged<M::State>) -> bool {
        !matches!(state, Judged::Broken(ids) if ids.contains(INDEX))
    }
}

type Condition<M> = fn(&Checked<M>, &Judged<<M as Machine>::State>) -> bool;

/// One function for each index: a property there is a plain function, which can capture no index.
macro_rules! each {
    ($function:ident: $($index:literal)*) => { [$(Self::$function::<$index>),*] };
}

impl<M: Machine> Checked<M> {
    const HOLDS: [Condition<M>; BREAKABLE.len()] =
        each!(holds: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    const SHOWS: [Condition<M>; REACHABLE.len()] =
        each!(shows: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25);
}

impl<M: Machine> Model for Checked<M> {
    type State = Judged<M::State>;
    type Action = M::Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![Judged::Sound(self.machine.initial())]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        if let Judged::Sound(state) = state {
            self.machine.actions(state, actions);
        }
    }

    fn next_state(&self, state: &Self::State, action: Self::Action) -> Option<Self::State> {
        let Judged::Sound(state) = state else {
            return None;
        };
        Some(match self.machine.next(state, &mut state.clone(), &action, Ids::NONE) {
            Next::Sound { to, .. } => Judged::Sound(self.machine.unpack(&to)),
            Next::Broken(ids) => Judged::Broken(ids),
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = BREAKABLE.iter().zip(Self::HOLDS);
        let always = always.map(|(property, holds)| Property::always(property.id, holds));
        let sometimes = self.wanted.iter();
        let sometimes =
            sometimes.map(|index| Property::sometimes(REACHABLE[index].id, Self::SHOWS[index]));
        always.chain(sometimes).collect()
    }
}
