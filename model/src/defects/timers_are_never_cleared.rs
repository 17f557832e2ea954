//! Timers are armed and their handles forgotten.

use lockspace_spec::{Action, Env, Outcomes, State, Timer, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "timers-are-never-cleared",
    breaks: "S6",
    fault: "A timer that is no longer needed stays armed until it elapses.",
    lesson: "`setTimeout` whose handle nobody keeps: every quick acquire leaves a timer behind for \
             the length of its timeout, and it fires into whatever has the name by then. Here the \
             step that ends a wait or a hold disarms its timer.",
    does: Does::Step(design),
    clients: 1,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    let mut armed = state.timers.clone();
    match *action {
        Action::Env(Env::WaitElapsed { request }) => armed.remove(&Timer::Wait(request)),
        Action::Env(Env::LeaseElapsed { token }) => armed.remove(&Timer::Lease(token)),
        Action::Env(Env::GraceElapsed) => armed.remove(&Timer::Grace),
        Action::Op(_) => false,
    };
    let told = apply(state, action);
    state.timers.extend(armed);
    told
}
