//! The engine's algorithm refines the specification (which the manifest's runs check); here, that the
//! check would notice if it did not, and that the algorithm is the engine's.

use std::path::Path;

use lockspace_model::any::AnyMachine;
use lockspace_model::engine::{Engine, Fault, STANDS_FOR};
use lockspace_model::explorer::explore;
use lockspace_model::machine::Ids;
use lockspace_model::manifest::{Manifest, Run};
use lockspace_spec::SAFETY;

/// The engine of this run of the manifest.
fn of(run: &str) -> Engine {
    let manifest = Manifest::read();
    match manifest.run.iter().find(|other| other.name == run).map(Run::machine) {
        Some(AnyMachine::Engine(engine)) => engine,
        _ => panic!("{run} is no run of the engine"),
    }
}

#[test]
fn every_fault_of_an_engine_breaks_what_it_must() {
    // A step that is none of the specification breaks all that the specification says of steps.
    let no_step = Ids::first(SAFETY.len());
    let only = |id: &str| Ids::named(&SAFETY, &[id]);
    for fault in Fault::ALL {
        let machine = match fault {
            Fault::LastIsServedFirst => Engine { fault: Some(fault), ..of("engine-untimed-3x1") },
            _ => Engine { fault: Some(fault), ..of("engine-2x2-two-shards") },
        };
        let explored = explore(&machine, 2, Ids::NONE, |_| ());
        let (broken, depth) = match fault {
            Fault::AnswerWakesNobody => (only("S7"), 3),
            Fault::CancelDropsTheGrant | Fault::LastIsServedFirst => (no_step, 4),
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

/// Why there are runs with three: of two clients one holds, and the other is the first and the last.
#[test]
fn of_two_clients_nobody_sees_who_is_served_first() {
    let sound = of("engine-2x1");
    let faulty = Engine { fault: Some(Fault::LastIsServedFirst), ..sound };
    let [sound, faulty] = [sound, faulty].map(|machine| explore(&machine, 2, Ids::NONE, |_| ()));
    assert_eq!(sound, faulty);
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
