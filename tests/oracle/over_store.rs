//! The same sequences on a lockspace over a store: it does what the specification of one process says.

use std::collections::BTreeSet;

use lockspace_spec::REACHABLE;
use lockspace_tests::{Judge, OverStore, timer_by_timer};

use crate::generated::the_same_plans_every_time;

#[test]
fn a_lockspace_over_a_store_does_what_the_specification_says() {
    // As in one process, no timer elapses too late, unless loom holds it back.
    let beyond_reach = BTreeSet::from(["R20", "R21"]);
    let all = REACHABLE.iter().map(|property| property.id);
    let wanted: BTreeSet<_> = all.filter(|id| !beyond_reach.contains(id)).collect();
    let mut met = BTreeSet::new();
    for plan in the_same_plans_every_time(400) {
        let mut judge = Judge::new(&plan.setup, OverStore::new(&plan.setup));
        let judged = plan.judge_by(&mut judge, timer_by_timer);
        judged.unwrap_or_else(|story| panic!("{story}\n\nwith {:?}", plan.setup));
        met.extend(judge.reached().iter().copied());
        let left = judge.into_subject().left_when_dropped();
        assert_eq!(left, (0, 0), "tasks and rows that outlived the last handle");
    }
    assert_eq!(met, wanted, "what is never met is never tested");
}
