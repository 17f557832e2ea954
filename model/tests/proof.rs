//! The proof for any size: the formula is the specification, the solvers prove it, and both would
//! notice if it were wrong. See `docs/proof.md`.
//!
//! The solvers are programs that may be absent. What then did not run is said on standard error;
//! with `LOCKSPACE_REQUIRE_SOLVERS=1` it is a failure.

use std::collections::BTreeSet;
use std::io::Write;

use lockspace_model::defects::{DEFECTS, Defect, Does};
use lockspace_model::proof::cases::cases;
use lockspace_model::proof::claims::{CLAIMS, Claim, Says};
use lockspace_model::proof::controls::{Control, controls};
use lockspace_model::proof::finite::{Step, Universe, take};
use lockspace_model::proof::nonedges::{changed, elsewhere};
use lockspace_model::proof::obligations::{Inquiry, obligations, title, witnesses};
use lockspace_model::proof::several_steps::{SEVERAL_STEPS, Seen};
use lockspace_model::proof::solver::{SOLVERS, Solver};
use lockspace_model::proof::term::Term;
use lockspace_model::proof::tie::{Bounds, Edge, initial, protocol};
use lockspace_spec::{Limits, Name, Op, SAFETY, State};

const UNLIMITED: Bounds = Bounds { requests: 3, names: 2, limits: Limits::UNLIMITED };

/// Where every limit is met.
const LIMITED: Bounds =
    Bounds { requests: 3, names: 2, limits: Limits { names: 1, waiters_per_name: 1 } };

/// Where three wait for one name.
const LONG_QUEUE: Bounds = Bounds { requests: 4, names: 1, limits: Limits::UNLIMITED };

/// Of the many changes of an edge every eleventh is looked at, beginning elsewhere for each edge.
const SAMPLE: usize = 11;

#[test]
fn every_edge_of_the_specification_is_a_step_of_the_formula() {
    let protocol = protocol();
    let counted = [UNLIMITED, LIMITED, LONG_QUEUE].map(|bounds| {
        let (universe, edges) = (bounds.universe(), bounds.edges());
        for edge in &edges {
            assert_eq!(edge.satisfies(&universe, &protocol), Some(true), "{edge:?}");
        }
        (bounds.states().len(), edges.len())
    });
    report(format_args!("states and edges that agree: {counted:?}"));
    assert_eq!(counted, [(987, 87_605), (123, 10_037), (3_955, 320_292)]);
}

#[test]
fn no_changed_edge_is_a_step_of_the_formula() {
    let protocol = protocol();
    let counted = [UNLIMITED, LIMITED].map(|bounds| {
        let (universe, states) = (bounds.universe(), bounds.states());
        let (mut shown, mut unshown) = (0, 0);
        for (index, edge) in bounds.edges().iter().enumerate() {
            let others = states.iter().cycle().skip(index * 7 % states.len()).take(2);
            for other in sampled(&bounds, index, edge).chain(elsewhere(edge, others)) {
                match other.satisfies(&universe, &protocol) {
                    Some(step) => {
                        shown += 1;
                        assert!(!step, "{other:?} is said to be a step, beside {edge:?}");
                    }
                    None => unshown += 1,
                }
            }
        }
        (shown, unshown)
    });
    report(format_args!("non-edges that agree, and that cannot be written: {counted:?}"));
    assert_eq!(counted, [(470_881, 138_059), (53_603, 8_223)]);
}

#[test]
fn the_formula_begins_where_the_specification_begins() {
    let universe = UNLIMITED.universe();
    let nothing = Op::ForceRelease { name: Name(0) }.into();
    let begins = |after: &State| {
        let edge = Edge {
            before: after.clone(),
            action: nothing,
            after: after.clone(),
            told: lockspace_spec::Outcomes::default(),
        };
        edge.satisfies(&universe, &initial()) == Some(true)
    };
    let states = UNLIMITED.states();
    assert_eq!(states.iter().filter(|state| begins(state)).count(), 1);
    assert!(begins(&State::new(Limits::UNLIMITED)));
}

#[test]
fn every_claim_holds_on_every_edge() {
    for bounds in [UNLIMITED, LIMITED] {
        let universe = bounds.universe();
        let claims: Vec<(&Claim, Term)> = claims();
        for edge in bounds.edges() {
            let (before, after) =
                edge.show(&universe).expect("the specification's steps are shown");
            let step = Step { universe: &universe, before: &before, after: &after };
            for (claim, formula) in &claims {
                assert!(step.satisfies(formula), "{} fails on {edge:?}", title(claim));
            }
        }
    }
}

#[test]
fn a_step_that_breaks_a_property_breaks_a_claim_of_the_same_id() {
    let claims = claims();
    let counted = [UNLIMITED, LIMITED].map(|bounds| {
        let universe = bounds.universe();
        let mut counted = [0; SAFETY.len()];
        for (index, edge) in bounds.edges().iter().enumerate() {
            for wrong in sampled(&bounds, index, edge) {
                let Some((before, after)) = wrong.show(&universe) else { continue };
                let step = Step { universe: &universe, before: &before, after: &after };
                for property in broken_properties(&wrong) {
                    let mut of_id =
                        claims.iter().filter(|(claim, _)| claim.id == SAFETY[property].id);
                    let broken = of_id.any(|(_, formula)| !step.satisfies(formula));
                    assert!(broken, "{} says less on {wrong:?}", SAFETY[property].id);
                    counted[property] += 1;
                }
            }
        }
        counted
    });
    report(format_args!("steps that break S1 to S10, each by a claim: {counted:?}"));
    let expected = [
        [11_488, 8_987, 22_262, 70_606, 32_296, 123_006, 13_174, 135_292, 19_239, 19_255],
        [1_093, 1_032, 1_990, 11_211, 4_215, 11_408, 1_328, 14_849, 2_401, 3_408],
    ];
    assert_eq!(counted, expected);
}

#[test]
fn every_case_happens() {
    let mut missing = cases();
    for bounds in [UNLIMITED, LIMITED] {
        let universe = bounds.universe();
        for edge in bounds.edges() {
            missing.retain(|case| edge.satisfies(&universe, &case.guard) != Some(true));
        }
    }
    assert!(missing.is_empty(), "never happens: {missing:?}");
}

#[test]
fn every_faulty_design_breaks_its_claims_and_every_claim_is_broken() {
    let claims = claims();
    let controls = controls();
    let promised: BTreeSet<String> = controls.iter().flat_map(promises).collect();
    assert_eq!(promised, CLAIMS.iter().map(title).collect());
    let mut unbroken: Vec<(&Control, Vec<String>)> =
        controls.iter().map(|control| (control, promises(control).collect())).collect();
    for bounds in [LIMITED, UNLIMITED, LONG_QUEUE] {
        let universe = bounds.universe();
        for edge in bounds.edges() {
            for (control, missing) in &mut unbroken {
                let broken = broken_by(control, &claims, &universe, &edge);
                missing.retain(|claim| !broken.contains(claim));
            }
            unbroken.retain(|(_, missing)| !missing.is_empty());
        }
    }
    assert!(unbroken.is_empty(), "do not break what they must: {unbroken:?}");
}

#[test]
fn every_defect_of_the_model_is_among_the_faulty_designs() {
    let names: BTreeSet<&str> = controls().iter().map(|control| control.name).collect();
    for Defect { name, does, .. } in &DEFECTS {
        if let Does::Messages(..) = does {
            // Over a store there are other actions than the protocol's.
            assert!(!names.contains(name), "{name} is a control");
            continue;
        }
        match SEVERAL_STEPS.iter().find(|(defect, _)| defect == name) {
            None => assert!(names.contains(name), "{name} is not"),
            Some((_, seen)) => {
                assert!(!matches!(does, Does::Step(_)), "{name} is one step");
                assert!(!names.contains(name), "{name} is a control");
                if let Seen::As(other) = seen {
                    assert!(names.contains(other), "{name} is not, as {other}");
                }
            }
        }
    }
    let known = |name: &str| DEFECTS.iter().any(|defect| defect.name == name);
    assert!(SEVERAL_STEPS.iter().all(|(name, _)| known(name)));
}

#[test]
fn the_document_says_which_defects_the_proof_does_not_know() {
    let page = document();
    for (name, seen) in SEVERAL_STEPS {
        let seen = match seen {
            Seen::As(control) => format!("as `{control}`, the step at which it goes wrong"),
            Seen::Not(why) => format!("not: {why}"),
        };
        let row = format!("\n| {name} | {seen} |\n");
        assert!(page.contains(&row), "docs/proof.md must have the row{row}");
    }
    let number =
        ["none", "one", "two", "three", "four", "five", "six", "seven"][SEVERAL_STEPS.len()];
    let link = format!("but for [{number}](#defects-of-several-steps)");
    assert!(page.contains(&link), "docs/proof.md must say {link}");
}

#[test]
fn the_document_lists_every_claim_and_what_breaks_it() {
    let row = |claim: &Claim| {
        let breaks = |control: &Control| promises(control).any(|broken| broken == title(claim));
        let designs = controls().into_iter().filter(breaks);
        let names: Vec<&str> = designs.map(|control| control.name).collect();
        let kind = match claim.says {
            Says::Invariant(_) => "invariant",
            Says::Promise(_) => "promise",
        };
        format!("| {} | {kind} | {} | {} |\n", claim.id, claim.name, names.join(", "))
    };
    let head = "| ID | Kind | Claim | Broken by |\n|---|---|---|---|\n";
    let table = CLAIMS.iter().fold(head.to_owned(), |table, claim| table + &row(claim));
    assert!(document().ends_with(&table), "docs/proof.md must end in\n{table}");
}

#[test]
fn the_solvers_prove_every_obligation() {
    each_solver("obligations", &obligations(), 1409);
}

#[test]
fn the_solvers_find_every_witness() {
    each_solver("witnesses", &witnesses(), 77);
}

#[test]
fn a_solver_that_errs_or_stays_silent_is_not_believed() {
    let inquiry = |text: &str| Inquiry {
        about: "a test".to_owned(),
        goals: vec!["a goal".to_owned()],
        satisfiable: false,
        text: format!("(set-logic ALL)\n{text}\n"),
    };
    for (solver, _) in installed() {
        let failures = |text| solver.failures(&[inquiry(text)]);
        assert_eq!(failures("(assert false)\n(check-sat)"), [""; 0]);
        assert_eq!(failures("(check-sat)"), ["a test: a goal: sat"]);
        assert_eq!(failures(""), ["a test: a goal: nothing"]);
        assert!(!failures("(assert unheard-of)\n(assert false)\n(check-sat)").is_empty());
        assert!(!failures("(assert false)\n(check-sat)\n(check-sat)").is_empty());
    }
}

fn document() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/proof.md");
    std::fs::read_to_string(page).expect("the document is there")
}

fn claims() -> Vec<(&'static Claim, Term)> {
    CLAIMS.iter().map(|claim| (claim, claim.after())).collect()
}

fn promises(control: &Control) -> impl Iterator<Item = String> {
    control.breaks().into_iter().map(title)
}

fn sampled(bounds: &Bounds, index: usize, edge: &Edge) -> impl Iterator<Item = Edge> {
    changed(bounds, edge, index, SAMPLE).into_iter()
}

/// The safety properties that do not hold of `edge`, as the specification judges.
fn broken_properties(edge: &Edge) -> impl Iterator<Item = usize> {
    (0..SAFETY.len()).filter(|index| !(SAFETY[*index].holds)(&edge.transition()))
}

/// The claims that `control` breaks if it acts where `edge` begins.
fn broken_by(
    control: &Control,
    claims: &[(&Claim, Term)],
    universe: &Universe,
    edge: &Edge,
) -> Vec<String> {
    let (before, after) = edge.show(universe).expect("the specification's steps are shown");
    let acts = Step { universe, before: &before, after: &after }.satisfies(&control.case.guard);
    if !acts {
        return Vec::new();
    }
    let after = take(universe, &before, &control.case.after);
    let step = Step { universe, before: &before, after: &after };
    let broken = claims.iter().filter(|(_, formula)| !step.satisfies(formula));
    broken.map(|(claim, _)| title(claim)).collect()
}

fn each_solver(what: &str, inquiries: &[Inquiry], expected: usize) {
    let goals: usize = inquiries.iter().map(|inquiry| inquiry.goals.len()).sum();
    assert_eq!(goals, expected, "the number of {what} has changed");
    for (solver, version) in installed() {
        let failures = solver.failures(inquiries);
        assert!(failures.is_empty(), "{version}: {failures:#?}");
        report(format_args!("{goals} {what} answered as they must be by {version}"));
    }
}

/// The solvers that are installed, with their versions. The others are reported, or fail the test where
/// they are required.
fn installed() -> Vec<(Solver, String)> {
    let required = std::env::var("LOCKSPACE_REQUIRE_SOLVERS").is_ok_and(|value| value == "1");
    let mut installed = Vec::new();
    for solver in SOLVERS {
        match solver.version() {
            Some(version) => installed.push((solver, version)),
            None if required => panic!("{} is required and absent", solver.name),
            None => report(format_args!("SKIPPED ({} absent)", solver.name)),
        }
    }
    installed
}

/// Says it past the test harness, which keeps what passing tests print to itself.
fn report(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "proof: {line}").expect("standard error takes a line");
}
