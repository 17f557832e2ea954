//! A queue that takes everybody.

use lockspace_spec::{Action, Limits, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "limits-are-not-looked-at",
    breaks: "S10",
    fault: "Waiters are queued however many there are.",
    lesson: "One stuck holder, and the queue behind it grows until memory ends, each waiter with its \
             timer and its task. Here a newcomer to a full queue is told AtCapacity at once.",
    does: Does::Step(design),
    clients: 4,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    let limits = core::mem::replace(&mut state.limits, Limits::UNLIMITED);
    let told = apply(state, action);
    state.limits = limits;
    told
}
