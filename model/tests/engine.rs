//! The engine's algorithm refines the specification (which the manifest's runs check); here, that the
//! check would notice if it did not, and that the algorithm is the engine's.

use std::path::Path;

use lockspace_model::engine::{Engine, Fault, STANDS_FOR};
use lockspace_model::explorer::explore;
use lockspace_model::machine::Ids;

#[test]
fn every_fault_of_an_engine_is_found() {
    for fault in Fault::ALL {
        let machine = Engine { clients: 2, names: 2, shards: 2, fault: Some(fault) };
        let explored = explore(&machine, 2, Ids::NONE, |_| ());
        assert!(!explored.broken.is_empty(), "{fault:?}");
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
