//! A waiter polls, and goes on polling when its caller has left.

use lockspace_spec::Wait;

use super::{Defect, Does};
use crate::stepwise::{AfterDrop, Algorithm, Dropped, IfHeld};

pub(super) const DEFECT: Defect = Defect {
    name: "polling-outlives-its-caller",
    breaks: "S4",
    fault: "Whoever waits looks again and again in an interval, which is cleared only on success.",
    lesson: "`setInterval(() => { if (free(name)) { take(name); clearInterval(...) } }, 100)`. The \
             caller times out or is aborted, and was told so. The interval does not know. It looks on \
             without any limit, and one day it takes the lock for a caller that left long ago and \
             will never release it. (That pollers overtake each other, and look late or too often, \
             comes on top.) Here nobody polls: a waiter has a place in the queue, and whatever ends \
             its acquire takes it out in the same step.",
    does: Does::Steps(Algorithm { if_held, after_drop, ..Algorithm::CORRECT }),
    clients: 1,
};

fn if_held(wait: Wait) -> IfHeld {
    match wait {
        Wait::No => IfHeld::Refused,
        Wait::Bounded | Wait::Unbounded => IfHeld::LooksAgain,
    }
}

fn after_drop(dropped: Dropped) -> AfterDrop {
    match dropped {
        Dropped::UnderWay(Wait::Bounded | Wait::Unbounded) => AfterDrop::GoesOn,
        Dropped::UnderWay(Wait::No) | Dropped::Unseen => AfterDrop::TidiesUp,
    }
}
