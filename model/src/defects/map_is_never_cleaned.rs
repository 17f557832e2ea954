//! The table of names keeps every name for ever.

use lockspace_spec::{Action, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "map-is-never-cleaned",
    breaks: "S5",
    fault: "A name's entry stays in the table when its last holder has gone.",
    lesson: "A global map from names to mutexes that only grows: with names such as `order/4711` it \
             grows with the traffic. Here the step that ends the last hold removes the entry.",
    does: Does::Step(design),
    clients: 1,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    let names: Vec<_> = state.entries.keys().copied().collect();
    let told = apply(state, action);
    for name in names {
        state.entries.entry(name).or_default();
    }
    told
}
