//! A grant that its caller never saw is not passed on.

use lockspace_spec::{Action, Op, Outcome, Outcomes, State, Timer, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "cancelled-grant-is-lost",
    breaks: "S7",
    fault: "A caller that is dropped between its grant and its next poll takes the grant with it.",
    lesson: "The wake-up was meant for a future that no longer exists. The lock was already its own, \
             nobody else is woken, and the name is dead. Here dropping an acquire that has been \
             granted releases, which grants the next waiter in the same step.",
    does: Does::Step(design),
    clients: 2,
};

fn design(state: &mut State, action: &Action) -> Outcomes {
    if let Action::Op(Op::Cancel { request }) = *action
        && let Some((token, hold)) = state.hold_of(request)
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
