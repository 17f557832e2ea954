//! An acquire reads that the name is free, and later writes that it is taken.

use super::{Defect, Does};
use crate::stepwise::{Algorithm, Seen};

pub(super) const DEFECT: Defect = Defect {
    name: "acquire-reads-then-writes",
    breaks: "S1",
    fault: "An acquire reads that the name is free and then writes itself down as the holder, \
            whatever happened in between.",
    lesson: "`SELECT` the lock, see that nobody has it, `UPDATE` it: two callers both read before \
             either writes, and both win. It needs no bad luck, only two servers. The reading and the \
             writing must be one step: an update that names what it expects (`... WHERE holder IS \
             NULL`), a unique key, a compare-and-swap. In one process it is one section under the \
             lock of the shard.",
    does: Does::Steps(Algorithm { takes, ..Algorithm::CORRECT }),
    clients: 2,
};

fn takes(free: Seen) -> bool {
    free.then
}
