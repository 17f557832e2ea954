//! What ties the formulas to the specification: both are evaluated on the same steps.
//!
//! A state of [`lockspace_spec`] has exactly one structure that [shows](super::showing) it. The
//! protocol as a formula must then be true of exactly the steps that [`lockspace_spec::step()`] takes:
//! of every edge of a bounded graph, and of no edge with a changed end. And a step, right or wrong,
//! that breaks a safety property of the specification must break a claim of the same ID.

use std::collections::BTreeSet;

use lockspace_spec::{
    Action, Env, FencingToken, Grace, Lease, Limits, Name, Op, Outcomes, RequestId, State, Timer,
    Transition, Wait,
};

use super::cases::cases;
use super::finite::{Step, Structure, Universe};
use super::moves::Space;
use super::showing;
use super::term::{Part, Term};
use super::vocabulary::{AFTER, SYMBOLS, same};

/// The whole protocol as one formula over a step: some case's guard is true, and the state after it
/// and what is told are as the case says.
#[must_use]
pub fn protocol() -> Term {
    Term::any(cases().into_iter().map(|case| {
        let decided = SYMBOLS.iter().filter(|s| matches!(s.part, Part::State | Part::Told));
        case.guard & Term::all(decided.map(|symbol| same(symbol, &case.after, &AFTER)))
    }))
}

/// The initial state as a formula over the state after a step.
#[must_use]
pub fn initial() -> Term {
    let state = SYMBOLS.iter().filter(|symbol| symbol.part == Part::State);
    Term::all(state.map(|symbol| same(symbol, &Space::initial(), &AFTER)))
}

/// A step in the specification's own terms, taken by it or made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The state in which it begins.
    pub before: State,
    /// What happens.
    pub action: Action,
    /// The state in which it ends.
    pub after: State,
    /// What is told.
    pub told: Outcomes,
}

impl Edge {
    /// Its two structures, if it can be shown. See [`showing::after`].
    #[must_use]
    pub fn show(&self, universe: &Universe) -> Option<(Structure, Structure)> {
        let before = showing::before(universe, &self.before, &self.action)?;
        let after = showing::after(universe, &self.after, &self.told)?;
        Some((before, after))
    }

    /// Whether `formula` is true of it, if it can be shown.
    #[must_use]
    pub fn satisfies(&self, universe: &Universe, formula: &Term) -> Option<bool> {
        let (before, after) = self.show(universe)?;
        Some(Step { universe, before: &before, after: &after }.satisfies(formula))
    }

    /// The same step for the specification's properties.
    #[must_use]
    pub const fn transition(&self) -> Transition<'_> {
        let Self { before, action, after, told: outcomes } = self;
        Transition { before, action, outcomes, after }
    }
}

/// Bounds within which everything is enumerated.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many requests there are.
    pub requests: u16,
    /// How many names.
    pub names: u16,
    /// The limits of the lockspace.
    pub limits: Limits,
}

impl Bounds {
    /// The universe that shows every state within the bounds, and every state one step on.
    #[must_use]
    pub fn universe(&self) -> Universe {
        // Two for each hold, then an ended one, the next, the one after it; and zero, never granted.
        Universe::new(self.requests.into(), self.names.into(), 2 * i64::from(self.names) + 4)
    }

    /// Every reachable state, its tokens renumbered. Breadth first.
    #[must_use]
    pub fn states(&self) -> Vec<State> {
        let mut states = vec![State::new(self.limits)];
        let mut seen: BTreeSet<State> = states.iter().cloned().collect();
        let mut next = 0;
        while let Some(state) = states.get(next).cloned() {
            next += 1;
            for action in self.actions(&state) {
                let after = renumbered(&lockspace_spec::step(&state, &action).0);
                if seen.insert(after.clone()) {
                    states.push(after);
                }
            }
        }
        states
    }

    /// Every edge: each action in each state.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let from = |before: &State| {
            let edge = |action: Action| {
                let (after, told) = lockspace_spec::step(before, &action);
                Edge { before: before.clone(), action, after, told }
            };
            self.actions(before).into_iter().map(edge).collect::<Vec<_>>()
        };
        self.states().iter().flat_map(from).collect()
    }

    /// Every action, whether or not anybody has reason to take it in `state`: with every token up to
    /// the next one, granted or not.
    #[must_use]
    pub fn actions(&self, state: &State) -> Vec<Action> {
        let tokens = || (0..=state.next_token.0).map(FencingToken);
        let mut actions: Vec<Action> = Vec::new();
        for request in (0..self.requests).map(RequestId) {
            actions.extend(self.acquires(request));
            actions.push(Op::Cancel { request }.into());
            actions.push(Env::WaitElapsed { request }.into());
            for token in tokens() {
                actions.push(Op::Release { request, token }.into());
                actions.push(Op::Renew { request, token }.into());
            }
        }
        actions.extend(tokens().map(|token| Action::from(Env::LeaseElapsed { token })));
        let names = (0..self.names).map(Name);
        actions.extend(names.map(|name| Action::from(Op::ForceRelease { name })));
        actions.push(Op::Shutdown { grace: Grace::No }.into());
        actions.push(Op::Shutdown { grace: Grace::Bounded }.into());
        actions.push(Env::GraceElapsed.into());
        actions
    }

    fn acquires(&self, request: RequestId) -> impl Iterator<Item = Action> + use<> {
        let names = (0..self.names).map(Name);
        names.flat_map(move |name| {
            [Wait::No, Wait::Bounded, Wait::Unbounded].into_iter().flat_map(move |wait| {
                [Lease::Unbounded, Lease::Bounded]
                    .map(|lease| Op::Acquire { request, name, wait, lease }.into())
            })
        })
    }
}

/// `state` with its tokens renumbered in order, a number that no hold has before each: so grants
/// that have ended are older, newer and in between. A step compares tokens only for equality, and
/// so commutes with this.
fn renumbered(state: &State) -> State {
    let mut next = FencingToken::FIRST.next();
    let mut after = state.clone();
    after.holds.clear();
    after.timers.retain(|timer| !matches!(timer, Timer::Lease(_)));
    for (token, hold) in &state.holds {
        after.holds.insert(next, *hold);
        if state.timers.contains(&Timer::Lease(*token)) {
            after.timers.insert(Timer::Lease(next));
        }
        next = next.next().next();
    }
    after.next_token = next;
    after
}
