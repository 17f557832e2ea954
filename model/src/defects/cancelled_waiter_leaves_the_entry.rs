//! Tidying up is the guard's affair, and a cancelled waiter never had a guard.

use super::{Defect, Does};
use crate::stepwise::{AfterDrop, Algorithm, Dropped};

pub(super) const DEFECT: Defect = Defect {
    name: "cancelled-waiter-leaves-the-entry",
    breaks: "S5",
    fault: "A waiter that is dropped after it was granted the name passes the grant on, and does not \
            tidy up.",
    lesson: "The guard's destructor removes the entry when nobody else uses it. The holder before did \
             not, since a waiter was there; the waiter's future is dropped before it ever made a \
             guard. The entry stays until the name is used again, and a name such as `order/4711` \
             never is. lockable 0.2.0, keyed-lock 0.2.3 and key-mutex 0.1.3 do so. Here there is no \
             free entry: the step that ends the last hold removes it, and dropping an unseen grant \
             ends a hold.",
    does: Does::Steps(Algorithm { after_drop, ..Algorithm::CORRECT }),
    clients: 2,
};

fn after_drop(dropped: Dropped) -> AfterDrop {
    match dropped {
        Dropped::Unseen => AfterDrop::IsForgotten,
        Dropped::UnderWay(_) => AfterDrop::TidiesUp,
    }
}
