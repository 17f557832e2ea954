//! An entry that looks free is removed while a newcomer has it in hand.

use super::{Defect, Does};
use crate::stepwise::{Algorithm, Leaving};

pub(super) const DEFECT: Defect = Defect {
    name: "entry-goes-under-a-newcomer",
    breaks: "S1",
    fault: "An entry that nobody holds or waits for is removed, although somebody has found it and is \
            about to lock it.",
    lesson: "A table from names to `Arc<Mutex>`: one step clones the `Arc` out of the table, another \
             locks it. In between its mutex looks free, and cleaning up removes it from the table. \
             The next caller makes a second mutex for the same name, and both get in. key-lock 0.1.0 \
             was seen to do so, once in 17.7 million acquisitions. Here finding and taking an entry \
             are one step under the shard's lock.",
    does: Does::Steps(Algorithm { removes, ..Algorithm::CORRECT }),
    clients: 2,
};

fn removes(leaving: Leaving) -> bool {
    leaving.free
}
