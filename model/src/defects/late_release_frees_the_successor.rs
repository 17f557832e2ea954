//! A release names the lock, not the grant.

use lockspace_spec::{Action, Op, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "late-release-frees-the-successor",
    breaks: "S8",
    fault: "A release frees whoever holds the name now.",
    lesson: "`DELETE lock WHERE name = ?`: a holder whose lease has ended releases late, and deletes \
             its successor's lock. Here a release names the token of the grant that it means; any \
             other is told NotHeld and changes nothing.",
    does: Does::Step(design),
    clients: 2,
};

/// There is one name in this model, so the current hold is the one that a release by name frees.
fn design(state: &mut State, action: &Action) -> Outcomes {
    if let Action::Op(Op::Release { .. }) = action
        && let Some((&token, hold)) = state.holds.first_key_value()
    {
        let request = hold.request;
        return apply(state, &Op::Release { request, token }.into());
    }
    apply(state, action)
}
