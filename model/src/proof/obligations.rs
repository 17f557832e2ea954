//! What the solvers are asked.
//!
//! An obligation is a question whose answer must be `unsat`: no state, however many requests and
//! names it has, is a counterexample. A witness is one whose answer must be `sat`: without it, an
//! obligation might hold because the case can never happen.

use super::cases::{Case, cases};
use super::claims::{CLAIMS, Claim, Says};
use super::controls::{Control, controls};
use super::finite::Universe;
use super::moves::Space;
use super::smt::{Domain, question};
use super::term::Term;
use super::vocabulary::{BEFORE, Reads};

/// A question for a solver.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it is about.
    pub name: String,
    /// The question, as SMT-LIB text.
    pub text: String,
    /// Whether the answer must be `sat`.
    pub satisfiable: bool,
}

/// Every obligation: the claims of the initial state and of every case, and that the cases of an
/// action leave nothing out and do not overlap.
#[must_use]
pub fn obligations() -> Vec<Question> {
    let cases = cases();
    let initial = CLAIMS.iter().filter(|claim| matches!(claim.says, Says::Invariant(_))).map(|claim| {
        refute(format!("initial state: {}", title(claim)), &Space::initial(), &[!claim.after()])
    });
    let kept = cases.iter().flat_map(|case| CLAIMS.iter().map(|claim| kept(case, claim)));
    initial.chain(kept).chain(determinism(&cases)).collect()
}

/// Every witness: that each case can happen, that each claim can be false, and that each faulty
/// design is refuted.
#[must_use]
pub fn witnesses() -> Vec<Question> {
    let happens = |case: &Case| {
        let formulas = with_invariants([case.guard.clone()]);
        find(format!("{} can happen", case.name), &case.after, &formulas)
    };
    let refutation = |control: &Control| {
        let broken = control.claim();
        let formulas = with_invariants([control.case.guard.clone(), !broken.after()]);
        find(format!("{} breaks {}", control.name, title(broken)), &control.case.after, &formulas)
    };
    let happens = cases().iter().map(happens).collect::<Vec<_>>();
    happens.into_iter().chain(controls().iter().map(refutation)).collect()
}

/// A claim in words.
#[must_use]
pub fn title(claim: &Claim) -> String {
    format!("{} {}", claim.id, claim.name)
}

/// `formulas` of a step from a state with all invariants.
fn with_invariants(formulas: impl IntoIterator<Item = Term>) -> Vec<Term> {
    CLAIMS.iter().filter_map(Claim::before).chain(formulas).collect()
}

fn kept(case: &Case, claim: &Claim) -> Question {
    let name = format!("{}: {}", case.name, title(claim));
    refute(name, &case.after, &with_invariants([case.guard.clone(), !claim.after()]))
}

/// Each action has a case in every state that has the invariants, and never two.
fn determinism(cases: &[Case]) -> Vec<Question> {
    let mut questions = Vec::new();
    for cases in cases.chunk_by(|left, right| left.asked == right.asked) {
        let asked = cases[0].asked;
        let guards = || cases.iter().map(|case| case.guard.clone());
        let mut none = with_invariants(guards().map(|guard| !guard));
        none.push(BEFORE.asked().is(&asked.into()));
        questions.push(refute(format!("{asked:?}: has a case"), &Space::unchanged(), &none));
        let pairs = cases.iter().enumerate().flat_map(|(index, left)| {
            let pair = |right: &Case| left.guard.clone() & right.guard.clone();
            cases[index + 1..].iter().map(pair).collect::<Vec<_>>()
        });
        let two = with_invariants([Term::any(pairs)]);
        questions.push(refute(format!("{asked:?}: has one case"), &Space::unchanged(), &two));
    }
    questions
}

fn refute(name: String, after: &Space, formulas: &[Term]) -> Question {
    let text = question(Domain::Unbounded, after, formulas);
    Question { name, text, satisfiable: false }
}

fn find(name: String, after: &Space, formulas: &[Term]) -> Question {
    let universe = Universe::new(3, 2, 4);
    let text = question(Domain::Finite(&universe), after, formulas);
    Question { name, text, satisfiable: true }
}
