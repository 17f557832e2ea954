//! A waiter that timed out stays in the queue.

use lockspace_spec::{Action, Env, Outcome, Outcomes, Refusal, State, Timer, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "timed-out-waiter-stays-queued",
    breaks: "S4",
    fault: "A wait that times out is answered, but its place in the queue is not given up.",
    lesson: "The timeout rejects the caller's promise and nobody tells the queue. When the lock comes \
             free it is granted to a caller that left long ago, and which will never release it. Here \
             one step answers the request and unlinks it.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    match *action {
        Action::Env(Env::WaitElapsed { request }) if state.timers.remove(&Timer::Wait(request)) => {
            let mut told = Outcomes::default();
            told.tell(request, Outcome::Refused(Refusal::TimedOut));
            told
        }
        _ => apply(state, action),
    }
}
