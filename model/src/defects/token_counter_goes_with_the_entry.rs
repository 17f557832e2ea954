//! The token counter lives in the entry, and starts again when the entry goes.

use lockspace_spec::{Action, FencingToken, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "token-counter-goes-with-the-entry",
    breaks: "S2",
    fault: "The counter of fencing tokens is kept in the entry of the name, and is deleted with it.",
    lesson: "Cleaning up idle names must not forget how far their tokens had counted: a holder from \
             before the clean-up would have a greater token than its successors, and the resource \
             would let it in and keep them out. Here the counter belongs to the lockspace.",
    does: Does::Step(design),
    clients: 1,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    let told = apply(state, action);
    if state.entries.is_empty() {
        state.next_token = FencingToken::FIRST;
    }
    told
}
