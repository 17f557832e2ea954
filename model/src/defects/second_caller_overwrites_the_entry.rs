//! One table entry for each name, overwritten by the next caller.

use lockspace_spec::{Action, Op, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "second-caller-overwrites-the-entry",
    breaks: "S1",
    fault: "An acquire writes the name's entry without looking whether there is one.",
    lesson: "A table from names to locks in which each caller puts its own lock. The second caller \
             replaces the first one's entry and is granted a lock that nobody else knows of. Here an \
             entry is made only where there is none.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    if let Action::Op(Op::Acquire { name, .. }) = action {
        state.entries.remove(name);
    }
    apply(state, action)
}
