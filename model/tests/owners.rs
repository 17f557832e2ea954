//! Owners: what the wait-for graph shows, what it misses, and that its checks can fail.

use std::collections::{BTreeSet, HashSet};

use lockspace_model::breakable::breaking;
use lockspace_model::machine::{Ids, Machine, Next};
use lockspace_model::owners::Owners;
use lockspace_model::plain::Plain;
use lockspace_model::protocol::{Protocol, Symmetry};
use lockspace_model::world::World;
use lockspace_spec::owners::d1_no_deadlock;
use lockspace_spec::{Action, Op, Outcomes, OwnerId, RequestId, State, apply, step};

const REQUESTS: u16 = 2;

/// So many owners, with two requests each, and two names.
fn owners(count: u16) -> Owners<Protocol> {
    Owners::new(Protocol::new(count * REQUESTS, 2, Symmetry::None).sparse(), REQUESTS)
}

/// The same with real tokens, for people to read.
fn told(count: u16) -> Owners<Plain> {
    Owners::new(Plain::new(count * REQUESTS, 2, 4), REQUESTS)
}

/// Every state that `machine` comes to.
fn states<M: Machine<State = World>>(machine: &M) -> Vec<World> {
    let first = machine.pack(&machine.initial());
    let mut seen = HashSet::from([first.clone()]);
    let mut keys = vec![first];
    let (mut next, mut actions) = (0, Vec::new());
    while let Some(state) = keys.get(next).map(|key| machine.unpack(key)) {
        actions.clear();
        machine.actions(&state, &mut actions);
        for action in &actions {
            match machine.next(&state, &mut state.clone(), action, Ids::NONE) {
                Next::Sound { to, .. } if seen.insert(to.clone()) => keys.push(to),
                Next::Sound { .. } => {}
                Next::Broken(ids) => panic!("{action:?} breaks {ids:?} in {state:?}"),
            }
        }
        next += 1;
    }
    keys.iter().map(|key| machine.unpack(key)).collect()
}

/// Whether there is a cycle among owners, each of whom waits for the holder and for all who are before him
/// in the queue.
fn queues_close_a_cycle(owner_of: impl Fn(RequestId) -> OwnerId, space: &State) -> bool {
    let mut edges = BTreeSet::new();
    for (name, queue) in &space.entries {
        let holder = space.holder_of(*name).map(|(_, hold)| owner_of(hold.request));
        let mut before: Vec<OwnerId> = holder.into_iter().collect();
        for waiter in queue {
            let owner = owner_of(waiter.request);
            edges.extend(before.iter().map(|before| (owner, *before)));
            before.push(owner);
        }
    }
    // Warshall's closure.
    loop {
        let steps: Vec<_> = edges.iter().copied().collect();
        let before = edges.len();
        for (from, middle) in &steps {
            for (_, to) in steps.iter().filter(|(start, _)| start == middle) {
                edges.insert((*from, *to));
            }
        }
        if edges.len() == before {
            return edges.iter().any(|(from, to)| from == to);
        }
    }
}

#[test]
fn edges_to_those_ahead_in_a_queue_add_no_cycle() {
    let machine = owners(3);
    let owner_of = |request| machine.owner_of(request);
    let (mut acquires, mut cycles) = (0, 0);
    for state in states(&machine) {
        let mut actions = Vec::new();
        machine.actions(&state, &mut actions);
        actions.retain(|action| matches!(action, Action::Op(Op::Acquire { .. })));
        for acquire in actions {
            let (after, _) = step(&state.space, &acquire);
            let closed = queues_close_a_cycle(owner_of, &after);
            assert_eq!(closed, !d1_no_deadlock(&after, &owner_of), "{acquire:?} in {state:?}");
            acquires += 1;
            cycles += usize::from(closed);
        }
    }
    assert!(0 < cycles && cycles < acquires, "{cycles} cycles in {acquires} acquires");
}

/// The story that breaks something in `machine`, and what that is.
fn broken(machine: &Owners<Plain>) -> (Ids, String) {
    let story = machine.counterexample().expect("something breaks");
    (story.broken(), story.to_string())
}

/// Owners that wait for several names at once: what no look at an acquire can see.
#[test]
fn a_hand_over_closes_a_cycle_for_who_waits_for_two_names_at_once() {
    let machine = Owners { at_once: true, ..told(2) };
    let (broken, story) = broken(&machine);
    assert_eq!(broken, breaking("D1").union(breaking("D2")), "{story}");
    let last = "\
4. Ann releases token 1.
   - Ann is told: released.
   - Ben is told: granted, with token 2.

In the end:

- Ben holds red with token 2, and waits for red
";
    assert!(story.contains(last), "{story}");
}

#[test]
fn an_acquire_that_is_refused_in_vain_is_noticed() {
    let machine = Owners { detection: |_, _, _| true, ..told(2) };
    let (broken, story) = broken(&machine);
    assert_eq!(broken, breaking("D1"), "{story}");
    assert!(story.contains("is told: refused, it would close a cycle."), "{story}");
}

#[test]
fn releases_that_get_nobody_on_are_noticed() {
    /// A release does nothing.
    fn deaf(space: &mut State, action: &Action) -> Outcomes {
        match action {
            Action::Op(Op::Release { token, .. }) if space.holds.contains_key(token) => {
                Outcomes::default()
            }
            _ => apply(space, action),
        }
    }
    let mut machine = told(2);
    machine.base.design = deaf;
    let (broken, story) = broken(&machine);
    assert_eq!(broken, breaking("D2"), "{story}");
}
