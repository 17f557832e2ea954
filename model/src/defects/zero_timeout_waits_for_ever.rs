//! A wait timeout of zero is taken for none.

use lockspace_spec::Wait;

use super::{Defect, Does};
use crate::stepwise::{Algorithm, IfHeld};

pub(super) const DEFECT: Defect = Defect {
    name: "zero-timeout-waits-for-ever",
    breaks: "L1",
    fault: "A wait timeout of zero means that there is no limit.",
    lesson: "`if timeout > 0 { arm(timeout) }`: zero once meant \"no timeout\" in some configuration, \
             and whoever asks not to wait at all waits for ever. distributed-lock 0.2.0 does so on a \
             held lock. The same happens where a short timeout is rounded down to zero milliseconds. \
             Here \"not at all\" and \"as long as it takes\" are different words (`Wait::No`, \
             `Wait::Unbounded`), and zero is the first.",
    does: Does::Steps(Algorithm { if_held, ..Algorithm::CORRECT }),
    clients: 2,
};

fn if_held(wait: Wait) -> IfHeld {
    match wait {
        Wait::Bounded => IfHeld::Queued { timed: true },
        Wait::No | Wait::Unbounded => IfHeld::Queued { timed: false },
    }
}
