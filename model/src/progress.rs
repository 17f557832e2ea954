//! Progress: that what is waited for comes (L1 to L4), checked on the whole graph of a protocol with
//! nothing exchangeable.
//!
//! Safety says that nothing bad happens, and a lockspace that does nothing at all is safe. What must
//! happen rests on assumptions about the world, stated here as *weak fairness*: an action of the
//! list that stays possible from some moment on without a break is taken at some time.
//!
//! | ID | owed | assumed fair |
//! |---|---|---|
//! | L1 | every bounded wait is answered | the end of its wait timeout |
//! | L2 | every leased hold ends | the end of its lease (so: nobody renews for ever) |
//! | L3 | every waiter is answered | the release by each holder |
//! | L4 | a shutdown closes | the end of the grace |
//!
//! Three checks, each by a different argument, on every state:
//!
//! 1. **Help.** Whoever is owed something has a rank (how many holds must end before it, or one),
//!    and an action from the fair list that lowers the rank or pays the debt; no action raises the
//!    rank; and while the rank stays, so does the helping action. So the action stays possible until
//!    it or something better is taken, by fairness it is taken, and ranks cannot fall for ever.
//! 2. **A way out.** From every state a quiescent state can be reached without a new acquire: found by
//!    going backwards from the quiescent states. So no state is a trap, whatever is assumed fair.
//! 3. **No fair cycle.** A behaviour in which somebody is owed something for ever stays, from some
//!    moment on, in a strongly connected component of the states in which it is owed. In each such
//!    component some fair action is possible in every state and taken by no edge inside it, so the
//!    behaviour is not fair. (A stutter is an edge, so a single state is a component too.) This
//!    argument knows nothing of ranks; it searches.
//!
//! Fairness and symmetry do not go together: which client waits is lost when clients are exchanged.
//! Hence no symmetry here.

use std::collections::HashMap;

use lockspace_spec::{Action, Env, FencingToken, Lease, Name, Op, Phase, RequestId};

use crate::components::components;
use crate::machine::{Ids, Machine, Next};
use crate::packing::token_of;
use crate::protocol::{Protocol, Symmetry};
use crate::world::World;

/// Something that is owed to a client, or to everybody.
#[derive(Clone, Copy, Debug)]
pub struct Debt {
    /// Its ID, by which code and documents cite it.
    pub id: &'static str,
    /// What is owed, in a sentence.
    pub sentence: &'static str,
    /// If it is owed to the client in this world: how many steps of help it needs at most, and the
    /// action that helps next.
    owed: fn(&World, RequestId) -> Option<(usize, Action)>,
    /// The actions assumed to be fair.
    fair: fn(&Protocol) -> Vec<Action>,
}

/// Every debt.
pub const PROGRESS: [Debt; 4] = [
    Debt {
        id: "L1",
        sentence: "every bounded wait is answered",
        owed: |world, request| {
            let timed = world.space.waiters().any(|w| w.request == request && w.timed);
            timed.then(|| (1, Env::WaitElapsed { request }.into()))
        },
        fair: |protocol| {
            clients(protocol).map(|request| Env::WaitElapsed { request }.into()).collect()
        },
    },
    Debt {
        id: "L2",
        sentence: "every leased hold ends",
        owed: |world, request| {
            let (token, hold) = world.space.hold_of(request)?;
            (hold.lease == Lease::Bounded).then(|| (1, Env::LeaseElapsed { token }.into()))
        },
        fair: |protocol| tokens(protocol).map(|token| Env::LeaseElapsed { token }.into()).collect(),
    },
    Debt {
        id: "L3",
        sentence: "if every holder ends, every waiter is answered",
        owed: |world, request| {
            let (name, ahead) = world.space.place_of(request)?;
            let (token, hold) = world.space.holder_of(name)?;
            let request = hold.request;
            Some((ahead + 1, Op::Release { request, token }.into()))
        },
        fair: |protocol| {
            let release =
                |request| tokens(protocol).map(move |token| Op::Release { request, token }.into());
            clients(protocol).flat_map(release).collect()
        },
    },
    Debt {
        id: "L4",
        sentence: "a shutdown closes",
        owed: |world, _| {
            let draining = world.space.phase == Phase::Draining;
            draining.then(|| (1, Env::GraceElapsed.into()))
        },
        fair: |_| vec![Env::GraceElapsed.into()],
    },
];

fn clients(protocol: &Protocol) -> impl Iterator<Item = RequestId> + Clone + use<> {
    (0..protocol.clients).map(RequestId)
}

fn tokens(protocol: &Protocol) -> impl Iterator<Item = FencingToken> + use<> {
    (0..protocol.names).map(|name| token_of(Name(name)))
}

/// Every reachable state of a protocol and every transition between them.
#[derive(Debug)]
pub struct Graph {
    protocol: Protocol,
    states: Vec<World>,
    edges: Vec<Vec<(Action, usize)>>,
}

/// Why progress is not made: the ID of the debt, or `quiescence`, and where it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The ID of the debt, or `quiescence`.
    pub id: &'static str,
    /// Which of the three checks failed.
    pub check: &'static str,
    /// What was found.
    pub why: String,
}

impl Graph {
    /// The whole graph of `protocol`.
    ///
    /// # Panics
    /// If something is exchangeable in `protocol`, or if a safety property does not hold: progress
    /// of a broken protocol means nothing.
    #[must_use]
    pub fn of(protocol: Protocol) -> Self {
        assert_eq!(protocol.symmetry, Symmetry::None, "progress needs to know who is who");
        let first = protocol.initial();
        let mut places = HashMap::from([(protocol.pack(&first), 0)]);
        let mut graph = Self { protocol, states: vec![first], edges: Vec::new() };
        let mut actions = Vec::new();
        while let Some(state) = graph.states.get(graph.edges.len()) {
            actions.clear();
            protocol.actions(state, &mut actions);
            let (state, mut scratch) = (state.clone(), state.clone());
            let mut edges = Vec::with_capacity(actions.len());
            for action in &actions {
                let Next::Sound { to, .. } = protocol.next(&state, &mut scratch, action, Ids::NONE)
                else {
                    panic!("{action:?} breaks a safety property in {state:?}");
                };
                let place = *places.entry(to).or_insert_with(|| {
                    graph.states.push(protocol.unpack(&to));
                    graph.states.len() - 1
                });
                edges.push((*action, place));
            }
            graph.edges.push(edges);
        }
        graph
    }

    /// The number of states.
    #[must_use]
    pub const fn states(&self) -> usize {
        self.states.len()
    }

    /// The number of transitions.
    #[must_use]
    pub fn transitions(&self) -> usize {
        self.edges.iter().map(Vec::len).sum()
    }

    /// Everything that stands in the way of progress: nothing, if all is well.
    #[must_use]
    pub fn stuck(&self) -> Vec<Stuck> {
        let mut stuck: Vec<_> = self.no_way_out().into_iter().collect();
        for debt in &PROGRESS {
            let mut owed_to = clients(&self.protocol);
            stuck.extend(owed_to.clone().find_map(|client| self.no_help(debt, client)));
            stuck.extend(owed_to.find_map(|client| self.fair_cycle(debt, client)));
        }
        stuck
    }

    /// Where `action` leads from `state`, if it changes anything there: that is what it means here
    /// that an action is possible.
    fn changes(&self, state: usize, action: &Action) -> Option<usize> {
        let edges = &self.edges[state];
        let edge = edges.iter().find(|(taken, to)| taken == action && *to != state);
        edge.map(|(_, to)| *to)
    }

    /// Check 1.
    fn no_help(&self, debt: &Debt, client: RequestId) -> Option<Stuck> {
        let stuck = |place: usize, what: &str| Stuck {
            id: debt.id,
            check: "help",
            why: format!("{client:?}: {what} in {:?}", self.states[place]),
        };
        (0..self.states.len()).find_map(|place| {
            let (rank, help) = (debt.owed)(&self.states[place], client)?;
            let after = |to: usize| (debt.owed)(&self.states[to], client);
            let helped = self.changes(place, &help);
            if helped.is_none_or(|to| after(to).is_some_and(|(then, _)| then >= rank)) {
                return Some(stuck(place, "nothing helps"));
            }
            let worse = |(_, to): &(Action, usize)| {
                after(*to).is_some_and(|(then, other)| then > rank || then == rank && other != help)
            };
            self.edges[place].iter().any(worse).then(|| stuck(place, "it can get worse"))
        })
    }

    /// Check 2.
    fn no_way_out(&self) -> Option<Stuck> {
        let mut back = vec![Vec::new(); self.states.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for (action, to) in edges {
                if !matches!(action, Action::Op(Op::Acquire { .. })) {
                    back[*to].push(from);
                }
            }
        }
        let quiescent = |place: &usize| self.states[*place].space.is_quiescent();
        let mut open: Vec<usize> = (0..self.states.len()).filter(quiescent).collect();
        let mut out = vec![false; self.states.len()];
        for place in &open {
            out[*place] = true;
        }
        while let Some(place) = open.pop() {
            for from in &back[place] {
                if !core::mem::replace(&mut out[*from], true) {
                    open.push(*from);
                }
            }
        }
        let trap = out.iter().position(|out| !out)?;
        Some(Stuck {
            id: "quiescence",
            check: "a way out",
            why: format!("there is none from {:?}", self.states[trap]),
        })
    }

    /// Check 3.
    fn fair_cycle(&self, debt: &Debt, client: RequestId) -> Option<Stuck> {
        let owed: Vec<bool> =
            self.states.iter().map(|world| (debt.owed)(world, client).is_some()).collect();
        let within = |place: usize| {
            let edges = self.edges[place].iter().map(|(_, to)| *to);
            edges.filter(|to| owed[*to]).collect()
        };
        let starts = (0..self.states.len()).filter(|place| owed[*place]);
        let fair = (debt.fair)(&self.protocol);
        components(self.states.len(), starts, within)
            .into_iter()
            .find(|component| fair.iter().all(|action| self.is_fair_to(component, action)))
            .map(|component| Stuck {
                id: debt.id,
                check: "no fair cycle",
                why: format!(
                    "{client:?} may be owed it for ever among {} states such as {:?}",
                    component.len(),
                    self.states[component[0]]
                ),
            })
    }

    /// Whether a behaviour that stays in `component`, visiting all of it again and again, may be fair
    /// to `action`: it is impossible somewhere, or taken.
    fn is_fair_to(&self, component: &[usize], action: &Action) -> bool {
        component.iter().any(|place| match self.changes(*place, action) {
            None => true,
            Some(to) => component.contains(&to),
        })
    }
}
