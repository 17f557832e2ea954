//! Progress holds, and each way in which it can fail is noticed.

use lockspace_model::progress::{Graph, PROGRESS};
use lockspace_model::protocol::{Protocol, Symmetry};
use lockspace_model::world::Design;
use lockspace_spec::{Action, Env, Op, Outcomes, State, apply, step};

fn failures(design: Design) -> Vec<(&'static str, &'static str)> {
    let protocol = Protocol::new(3, 1, Symmetry::None).design(design);
    let stuck = Graph::of(protocol).stuck();
    stuck.iter().map(|stuck| (stuck.id, stuck.check)).collect()
}

/// The correct design, deaf to some actions where they would change something. What is stale is still
/// called stale, so deafness breaks no safety property.
macro_rules! deaf_to {
    ($($action:pat),*) => {{
        fn design(state: &mut State, action: &Action) -> Outcomes {
            let (after, told) = step(state, action);
            match action {
                $($action if after != *state => Outcomes::default(),)*
                _ => {
                    *state = after;
                    told
                }
            }
        }
        design
    }};
}

#[test]
fn whoever_waits_is_answered_and_what_must_end_ends() {
    assert_eq!(failures(apply), []);
}

#[test]
fn a_wait_timer_that_does_nothing_is_noticed() {
    let design = deaf_to!(Action::Env(Env::WaitElapsed { .. }));
    assert_eq!(failures(design), [("L1", "help"), ("L1", "no fair cycle")]);
}

#[test]
fn a_lease_timer_that_does_nothing_is_noticed() {
    let design = deaf_to!(Action::Env(Env::LeaseElapsed { .. }));
    assert_eq!(failures(design), [("L2", "help"), ("L2", "no fair cycle")]);
}

#[test]
fn a_grace_that_does_nothing_is_noticed() {
    let design = deaf_to!(Action::Env(Env::GraceElapsed));
    assert_eq!(failures(design), [("L4", "help"), ("L4", "no fair cycle")]);
}

#[test]
fn a_state_without_a_way_out_is_noticed() {
    let design = deaf_to!(
        Action::Env(_),
        Action::Op(
            Op::Release { .. } | Op::Cancel { .. } | Op::ForceRelease { .. } | Op::Shutdown { .. }
        )
    );
    assert!(failures(design).contains(&("quiescence", "a way out")));
}

#[test]
fn a_holder_that_cannot_release_keeps_everybody_waiting() {
    let design = deaf_to!(Action::Op(Op::Release { .. }));
    assert_eq!(failures(design), [("L3", "help"), ("L3", "no fair cycle")]);
}

#[test]
fn each_debt_has_an_id_of_its_own() {
    let ids: Vec<_> = PROGRESS.iter().map(|debt| debt.id).collect();
    assert_eq!(ids, ["L1", "L2", "L3", "L4"]);
}
