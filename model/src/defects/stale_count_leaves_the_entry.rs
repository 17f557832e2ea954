//! Who removes the entry is decided by a count that was read too early.

use super::{Defect, Does};
use crate::stepwise::{Algorithm, Leaving};

pub(super) const DEFECT: Defect = Defect {
    name: "stale-count-leaves-the-entry",
    breaks: "S5",
    fault: "Whoever leaves an entry reads how many use it, and later removes it or not, by what it \
            has read.",
    lesson: "`if Arc::strong_count(&entry) == 2 { table.remove(name) }`, read while the reader still \
             counts itself. Two that leave at the same time each see the other and leave the work to \
             it: the entry stays, though nobody was cancelled. keyed-lock 0.2.3 does so now and then. \
             The same stale count can also say \"alone\" when it is no longer so; then the entry goes \
             under a newcomer. Counting and removing must be one step, in which the table lets nobody \
             in. Here nothing is counted: the entry goes with its last hold.",
    does: Does::Steps(Algorithm { removes, ..Algorithm::CORRECT }),
    clients: 2,
};

fn removes(leaving: Leaving) -> bool {
    leaving.alone.then
}
