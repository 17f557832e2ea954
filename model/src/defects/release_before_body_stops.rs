//! A timer releases the lock while the body still runs.

use lockspace_spec::{Action, Env, Lease, Op, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "release-before-body-stops",
    breaks: "S1",
    fault: "When the limit on holding ends, a timer releases the lock. It does not stop the body.",
    lesson: "The usual way to add a time limit to a critical section: race the callback against a \
             timer, and release when the timer wins. The callback does not know, runs on, and the \
             next one enters. Here a section's body is stopped first, and a guard's holder is told \
             that the hold is lost, with a fencing token that keeps its late writes out.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    match *action {
        Action::Env(Env::LeaseElapsed { token }) => match state.holds.get(&token) {
            Some(hold) if hold.lease == Lease::Bounded => {
                let request = hold.request;
                apply(state, &Op::Release { request, token }.into())
            }
            _ => apply(state, action),
        },
        _ => apply(state, action),
    }
}
