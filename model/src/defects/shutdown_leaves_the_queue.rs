//! A shutdown that forgets those who wait.

use lockspace_spec::{Action, Grace, Op, Outcomes, Phase, State, Timer, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "shutdown-leaves-the-queue",
    breaks: "S9",
    fault: "A shutdown refuses newcomers and leaves those who already wait in the queue.",
    lesson: "The drain then hands the lock from waiter to waiter, and ends when the last of them has \
             had its turn instead of when the holders have. Here shutdown answers every waiter at once.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    let graceful = Action::from(Op::Shutdown { grace: Grace::Bounded });
    if *action == graceful && state.phase == Phase::Open && !state.holds.is_empty() {
        state.phase = Phase::Draining;
        state.timers.insert(Timer::Grace);
        return Outcomes::default();
    }
    apply(state, action)
}
