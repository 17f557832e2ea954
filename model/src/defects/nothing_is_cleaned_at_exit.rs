//! The end of the service leaves everything as it is.

use lockspace_spec::{Action, Op, Outcome, Outcomes, Phase, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "nothing-is-cleaned-at-exit",
    breaks: "S9",
    fault: "The service closes without ending the holds that it gave.",
    lesson: "No handler for SIGINT or SIGTERM: whoever held a lock holds it in a service that is \
             gone. Here a shutdown ends every hold, and Closed means that nothing is left.",
    does: Does::Step(design),
    clients: 1,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    match action {
        Action::Op(Op::Shutdown { .. }) if state.phase == Phase::Open => {
            state.phase = Phase::Closed;
            let mut told = Outcomes::default();
            told.tell_operator(Outcome::Closed);
            told
        }
        _ => apply(state, action),
    }
}
