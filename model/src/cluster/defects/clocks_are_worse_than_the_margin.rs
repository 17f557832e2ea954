//! No fault of the design: the world is worse than it assumes.

use super::{Cluster, Defect, Design, Does, STILL};

pub(super) const DEFECT: Defect = Defect {
    name: "clocks-are-worse-than-the-margin",
    breaks: "S1",
    fault: "The protocol is as it should be, and a clock runs three times as fast as another one, \
            where the drift margin allows for half as fast again.",
    lesson: "A virtual machine that was suspended, a clock that is slewed hard, a process under a debugger \
             whose monotonic clock stands still. No lock over a network can exclude two holders without an \
             assumption about time. What is left then is the fencing token: with the same clocks, the \
             resource behind the lock never takes a write that is older than one which it has taken, \
             and never refuses whoever holds the name in the store (run `cluster-beyond-the-margin-2x1`).",
    does: Does::Messages(
        Cluster { clocks: [1, 3], design: Design::CORRECT, ..STILL },
        Cluster { clocks: [2, 3], ..STILL },
    ),
    clients: 2,
};
