//! The latest waiter is granted first.

use lockspace_spec::{Action, Op, Outcomes, State, apply};

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "barging",
    breaks: "S3",
    fault: "Whoever came last is granted first.",
    lesson: "A stack of waiters, or a woken waiter that races with newcomers for the lock: under load \
             the oldest request waits for ever. Here the lock is handed to the head of the queue.",
    does: Does::Step(design),
    clients: 3,
};

/// Turning the queues round for the time of the step makes the last waiter the next holder.
fn design(state: &mut State, action: &Action) -> Outcomes {
    let reverse = |state: &mut State| {
        for queue in state.entries.values_mut() {
            queue.make_contiguous().reverse();
        }
    };
    let ends_a_hold = !matches!(action, Action::Op(Op::Acquire { .. }));
    if ends_a_hold {
        reverse(state);
    }
    let told = apply(state, action);
    if ends_a_hold {
        reverse(state);
    }
    told
}
