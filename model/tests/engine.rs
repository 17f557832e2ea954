//! The engine's algorithm refines the specification (which the manifest's runs check); here, that the
//! check would notice if it did not, and that the algorithm is the engine's.

use std::path::Path;

use lockspace_model::engine::{Engine, Fault, STANDS_FOR};
use lockspace_model::explorer::explore;
use lockspace_model::machine::Ids;
use lockspace_spec::SAFETY;

#[test]
fn every_fault_of_an_engine_breaks_what_it_must() {
    // A step that is none of the specification breaks all that the specification says of steps.
    let no_step = Ids::first(SAFETY.len());
    let only = |id: &str| Ids::named(&SAFETY, &[id]);
    for fault in Fault::ALL {
        let machine = Engine { clients: 2, names: 2, shards: 2, fault: Some(fault) };
        let explored = explore(&machine, 2, Ids::NONE, |_| ());
        let (broken, depth) = match fault {
            Fault::AnswerWakesNobody => (only("S7"), 3),
            Fault::CancelDropsTheGrant => (no_step, 4),
            Fault::WaitTimerIsLeft | Fault::ReaperEndsBlindly => (only("S6"), 3),
            Fault::EarlierTimerIsNotTold => (only("S6"), 2),
            Fault::EarlierTimerWakesNobody => (only("S6"), 4),
            Fault::FewerTimersAreTakenForNone => (only("S6"), 3),
            Fault::StaleTimeIsLeft => (only("S6"), 5),
            Fault::AcquireDoesNotHeedShutdown => (no_step, 2),
            Fault::ReleaseDoesNotHeedShutdown => (no_step, 4),
        };
        assert_eq!((explored.broken, explored.depth), (broken, depth), "{fault:?}");
    }
}

#[test]
fn every_part_of_the_algorithm_stands_for_a_function_that_exists() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impl/lockspace/src");
    for (part, file, function) in STANDS_FOR {
        let source = std::fs::read_to_string(sources.join(file)).expect(file);
        let defined = source.contains(&format!("fn {function}("));
        assert!(defined, "{part} stands for {function} in {file}, which is gone");
    }
}
