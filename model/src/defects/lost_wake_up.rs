//! A release frees the lock, and the waiter sleeps on.

use lockspace_spec::{Action, Op, Outcome, Outcomes, State, Timer, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "lost-wake-up",
    breaks: "S7",
    fault: "A release frees the name and leaves it to the waiters to notice.",
    lesson: "Check, then sleep, with the release in between: the notification finds nobody asleep \
             and the waiter then sleeps for ever beside a free lock. Here a release hands over: the \
             next waiter is the holder before anybody is woken, so nothing can be missed.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    if let Action::Op(Op::Release { request, token }) = *action
        && let Some(hold) = state.holds.get(&token)
        && state.entries.get(&hold.name).is_some_and(|queue| !queue.is_empty())
    {
        state.holds.remove(&token);
        state.timers.remove(&Timer::Lease(token));
        let mut told = Outcomes::default();
        told.tell(request, Outcome::Released);
        return told;
    }
    apply(state, action)
}
