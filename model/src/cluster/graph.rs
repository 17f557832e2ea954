//! That nothing is left: whatever has happened, a store can be emptied, and is, if those who live do what
//! they should.
//!
//! Two checks with different arguments, each made on every state:
//!
//! 1. **A way out.** From every state one can be reached in which the store is empty and nobody is there,
//!    and nobody need want a name for that: found by going backwards from that state. So nothing is
//!    left that only another user of the same name would take away. (A session may begin: if all have
//!    crashed, somebody has to come by. States in which nobody is left who trusts itself, and in which the
//!    bounds leave room for nobody else, are not asked.)
//! 2. **No fair cycle.** Suppose that from some moment on nobody crashes, comes or goes, wants a name, or
//!    loses a message, and somebody lives. A behaviour in which something is left for ever stays, in the
//!    end, in a strongly connected component of the states in which something is left. In each such
//!    component something that must be done at some time (a process looks, sweeps, or does what is due;
//!    a user is done; a message gets there; time passes) is possible in every state, and done by no
//!    transition inside it. So the behaviour is not fair.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use lockspace::store::session::Life;

use super::Cluster;
use super::world::{Action, NOW, Slot, World};
use crate::components::components;
use crate::machine::{Ids, Machine, Next};
use crate::progress::Stuck;

/// Every reachable state of a cluster and every transition between them.
#[derive(Debug)]
pub struct Graph {
    cluster: Cluster,
    keys: Vec<Box<[u8]>>,
    edges: Vec<Vec<(Action, usize)>>,
}

/// What kind of action, and whose: what fairness is about.
type Duty = (Discriminant<Action>, Option<Slot>);

impl Graph {
    /// The whole graph of `cluster`.
    ///
    /// # Panics
    /// If a safety property does not hold.
    #[must_use]
    pub fn of(cluster: Cluster) -> Self {
        let first = cluster.pack(&cluster.initial());
        let mut places = HashMap::from([(first.clone(), 0)]);
        let mut graph = Self { cluster, keys: vec![first], edges: Vec::new() };
        let mut actions = Vec::new();
        while let Some(key) = graph.keys.get(graph.edges.len()) {
            let state = cluster.unpack(key);
            let mut scratch = state.clone();
            actions.clear();
            cluster.actions(&state, &mut actions);
            let mut edges = Vec::with_capacity(actions.len());
            for action in &actions {
                let Next::Sound { to, .. } = cluster.next(&state, &mut scratch, action, Ids::NONE)
                else {
                    panic!("{action:?} breaks a property in {state:?}");
                };
                let place = *places.entry(to).or_insert_with_key(|to| {
                    graph.keys.push(to.clone());
                    graph.keys.len() - 1
                });
                edges.push((*action, place));
            }
            graph.edges.push(edges);
        }
        graph
    }

    /// What stands in the way of an empty store: nothing, if all is well.
    #[must_use]
    pub fn stuck(&self) -> Vec<Stuck> {
        self.no_way_out().into_iter().chain(self.fair_cycle()).collect()
    }

    fn state(&self, place: usize) -> World {
        self.cluster.unpack(&self.keys[place])
    }

    /// Check 1.
    fn no_way_out(&self) -> Option<Stuck> {
        let mut back = vec![Vec::new(); self.keys.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for (action, to) in edges {
                if !matches!(action, Action::Want(..) | Action::PassOn(..)) {
                    back[*to].push(from);
                }
            }
        }
        let mut open: Vec<_> =
            (0..self.keys.len()).filter(|place| self.state(*place).is_empty()).collect();
        let mut out = vec![false; self.keys.len()];
        for place in &open {
            out[*place] = true;
        }
        while let Some(place) = open.pop() {
            for from in &back[place] {
                if !std::mem::replace(&mut out[*from], true) {
                    open.push(*from);
                }
            }
        }
        let asked = |place: &usize| !out[*place] && self.somebody_may_act(&self.state(*place));
        let trap = (0..self.keys.len()).find(asked)?;
        let why = format!("there is none from {:?}", self.state(trap));
        Some(Stuck { id: "quiescence", check: "a way out", why })
    }

    fn somebody_may_act(&self, world: &World) -> bool {
        let trusts_itself = |slot| world.member(slot).is_some_and(|m| m.session.trusts_itself(NOW));
        let mut slots = 0..self.cluster.sessions;
        slots.any(|slot| trusts_itself(slot) || world.is_forgotten(slot))
    }

    /// Check 2.
    fn fair_cycle(&self) -> Option<Stuck> {
        let left: Vec<bool> = (0..self.keys.len())
            .map(|place| {
                let world = self.state(place);
                something_is_left(&world) && somebody_lives(&world)
            })
            .collect();
        let within = |place: usize| {
            let calm = self.edges[place].iter().filter(|(action, _)| is_calm(*action));
            calm.map(|(_, to)| *to).filter(|to| left[*to]).collect()
        };
        let starts = (0..self.keys.len()).filter(|place| left[*place]);
        let stuck = components(self.keys.len(), starts, within)
            .into_iter()
            .find(|component| self.is_fair(component))?;
        let why = format!(
            "something may be left for ever among {} states such as {:?}",
            stuck.len(),
            self.state(stuck[0])
        );
        Some(Stuck { id: "quiescence", check: "no fair cycle", why })
    }

    /// Whether a behaviour that stays in `component`, visiting all of it again and again, may be fair: each
    /// duty is impossible somewhere, or done.
    fn is_fair(&self, component: &[usize]) -> bool {
        let inside: std::collections::HashSet<_> = component.iter().collect();
        let duties = self.edges[component[0]].iter().filter(|(action, _)| is_calm(*action));
        let mut duties = duties.map(|(action, _)| duty(*action));
        duties.all(|wanted| {
            component.iter().any(|place| {
                let edges = self.edges[*place].iter().filter(|(action, _)| duty(*action) == wanted);
                let mut edges = edges.peekable();
                edges.peek().is_none() || edges.any(|(_, to)| inside.contains(to))
            })
        })
    }
}

/// Whether an action goes on when nothing new comes and nothing fails.
const fn is_calm(action: Action) -> bool {
    match action {
        Action::GiveUp(..)
        | Action::Look(..)
        | Action::Sweep(_)
        | Action::Wake(_)
        | Action::Serve(..)
        | Action::Deliver(..)
        | Action::Tick(_) => true,
        Action::Begin(_)
        | Action::Want(..)
        | Action::PassOn(..)
        | Action::Close(_)
        | Action::Crash(_)
        | Action::Fail(..)
        | Action::Force(_)
        | Action::Write(..) => false,
    }
}

fn duty(action: Action) -> Duty {
    let slot = match action {
        Action::GiveUp(slot, _)
        | Action::Look(slot, _)
        | Action::Sweep(slot)
        | Action::Wake(slot)
        | Action::Serve(slot, _)
        | Action::Deliver(slot, _) => Some(slot),
        _ => None,
    };
    (discriminant(&action), slot)
}

/// Whether the store has a row of a name, or of a session that is no more.
fn something_is_left(world: &World) -> bool {
    let sessions = world.store.sessions.iter().enumerate();
    let mut dead = sessions.filter(|(slot, _)| world.member(*slot).is_none());
    world.store.names.iter().any(Option::is_some) || dead.any(|(_, row)| row.is_some())
}

fn somebody_lives(world: &World) -> bool {
    let mut members = world.slots.iter().filter_map(|seat| seat.member.as_ref());
    members.any(|member| member.session.life == Life::Alive)
}
