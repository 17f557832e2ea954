//! The shortest path to a transition that somebody wants to see: a counterexample or a witness.
//!
//! One thread, breadth first, with parent pointers: slower and hungrier than the explorer, and
//! always the same path, which is among the shortest.

use std::collections::HashSet;

use crate::machine::{Ids, Machine, Next};

/// The actions of a shortest path whose last transition is `wanted`, or none if there is no such
/// path of at most `longest` actions. The goals in `looked_for` are shown to `wanted`.
pub fn shortest<M: Machine>(
    machine: &M,
    longest: usize,
    looked_for: Ids,
    wanted: impl Fn(&Next<M::Key>) -> bool,
) -> Option<Vec<M::Action>> {
    let first = machine.pack(&machine.initial());
    let mut reached: Vec<Reached<M>> = vec![Reached { key: first.clone(), from: None, length: 0 }];
    let mut seen = HashSet::from([first]);
    let mut actions = Vec::new();
    let mut next_up = 0;
    while let Some(here) = reached.get(next_up) {
        let (state, length) = (machine.unpack(&here.key), here.length);
        let mut scratch = state.clone();
        if length == longest {
            return None;
        }
        actions.clear();
        machine.actions(&state, &mut actions);
        for action in &actions {
            let next = machine.next(&state, &mut scratch, action, looked_for);
            if wanted(&next) {
                return Some(way_to(&reached, next_up, *action));
            }
            if let Next::Sound { to, .. } = next
                && seen.insert(to.clone())
            {
                reached.push(Reached {
                    key: to,
                    from: Some((next_up, *action)),
                    length: length + 1,
                });
            }
        }
        next_up += 1;
    }
    None
}

struct Reached<M: Machine> {
    key: M::Key,
    from: Option<(usize, M::Action)>,
    length: usize,
}

fn way_to<M: Machine>(reached: &[Reached<M>], mut place: usize, last: M::Action) -> Vec<M::Action> {
    let mut way = vec![last];
    while let Some((from, action)) = reached[place].from {
        way.push(action);
        place = from;
    }
    way.reverse();
    way
}
