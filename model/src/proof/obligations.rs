//! What the solvers are asked.
//!
//! An obligation is a goal that must be `unsat`: no step, however many requests and names there are,
//! is a counterexample. A witness is one that must be `sat`: without it, an obligation might hold
//! only because its case never happens, or because its claim is true of everything.

use super::cases::{Case, cases};
use super::claims::{CLAIMS, Claim, Says};
use super::controls::{Control, controls};
use super::finite::Universe;
use super::moves::Space;
use super::smt::{self, Domain};
use super::term::Term;
use super::vocabulary::{BEFORE, Reads};

/// Goals about one step, put to a solver together and answered one by one.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// What it is about.
    pub about: String,
    /// What each goal is.
    pub goals: Vec<String>,
    /// Whether the answer to each must be `sat`, or `unsat`.
    pub satisfiable: bool,
    /// All of it, as SMT-LIB text.
    pub text: String,
}

/// Every obligation: the claims of the initial state and of each case, and that the cases of an
/// action leave no state out and do not overlap.
#[must_use]
pub fn obligations() -> Vec<Inquiry> {
    let cases = cases();
    let kept = cases.iter().map(kept);
    let determined = cases.chunk_by(|left, right| left.asked == right.asked).map(determined);
    [initial()].into_iter().chain(kept).chain(determined).collect()
}

/// Every witness: that each case can happen, and that each faulty design breaks its claims.
#[must_use]
pub fn witnesses() -> Vec<Inquiry> {
    let happens = |case: &Case| find(case, vec![("can happen".to_owned(), true.into())]);
    let breaks = |control: &Control| {
        let broken = control.breaks().into_iter();
        find(&control.case, broken.map(|claim| (title(claim), !claim.after())).collect())
    };
    let (cases, controls) = (cases(), controls());
    cases.iter().map(happens).chain(controls.iter().map(breaks)).collect()
}

/// A claim in words.
#[must_use]
pub fn title(claim: &Claim) -> String {
    format!("{} {}", claim.id, claim.name)
}

/// The state before the step has all invariants.
#[must_use]
pub fn sound_before() -> Vec<Term> {
    CLAIMS.iter().filter_map(Claim::before).collect()
}

fn initial() -> Inquiry {
    let invariants = CLAIMS.iter().filter(|claim| matches!(claim.says, Says::Invariant(_)));
    let goals = invariants.map(|claim| (title(claim), !claim.after())).collect();
    refute("initial state".to_owned(), &Space::initial(), &[], goals)
}

fn kept(case: &Case) -> Inquiry {
    let premises = [sound_before(), vec![case.guard.clone()]].concat();
    let goals = CLAIMS.iter().map(|claim| (title(claim), !claim.after())).collect();
    refute(case.name.clone(), &case.after, &premises, goals)
}

/// The `cases` of one action: each state that has the invariants has one of them, and only one.
fn determined(cases: &[Case]) -> Inquiry {
    let asked = cases[0].asked;
    let premises = [sound_before(), vec![BEFORE.asked().is(&asked.into())]].concat();
    let none = Term::all(cases.iter().map(|case| !case.guard.clone()));
    let two = Term::any(cases.iter().enumerate().flat_map(|(index, left)| {
        let both = |right: &Case| left.guard.clone() & right.guard.clone();
        cases[index + 1..].iter().map(both)
    }));
    let goals = vec![("always has a case".to_owned(), none), ("never has two".to_owned(), two)];
    refute(format!("{asked:?}"), &Space::unchanged(), &premises, goals)
}

fn refute(about: String, after: &Space, premises: &[Term], goals: Vec<(String, Term)>) -> Inquiry {
    let (goals, formulas): (Vec<String>, Vec<Term>) = goals.into_iter().unzip();
    let text = smt::inquiry(Domain::Unbounded, after, premises, &formulas);
    Inquiry { about, goals, satisfiable: false, text }
}

/// In a world small enough to be searched, and large enough for three waiters.
fn find(case: &Case, goals: Vec<(String, Term)>) -> Inquiry {
    let universe = Universe::new(4, 2, 4);
    let premises = [sound_before(), vec![case.guard.clone()]].concat();
    let (goals, formulas): (Vec<String>, Vec<Term>) = goals.into_iter().unzip();
    let text = smt::inquiry(Domain::Finite(&universe), &case.after, &premises, &formulas);
    Inquiry { about: case.name.clone(), goals, satisfiable: true, text }
}
