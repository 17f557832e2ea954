//! The resource behind the lock takes every write.

use super::{Defect, Does};
use crate::stepwise::Algorithm;

pub(super) const DEFECT: Defect = Defect {
    name: "stale-holder-writes",
    breaks: "S2",
    fault: "The resource that the lock protects takes every write, whatever its token.",
    lesson: "A holder is paused (by its garbage collector, a suspended machine, a slow network) for \
             longer than its lease. Somebody else is granted the name and writes; then the first one \
             wakes and writes over it. No lock can prevent that, since the write does not pass \
             through the lock. Martin Kleppmann describes it, and etcd has a demonstration of it \
             (`contrib/lock`). The lock can only number its grants. A resource that remembers the \
             greatest number and refuses smaller ones closes the gap: `UPDATE ... WHERE token <= ?`. \
             S2 is judged here by the resource: the tokens of what it takes never go back.",
    does: Does::Steps(Algorithm { admits: |_, _| true, ..Algorithm::CORRECT }),
    clients: 2,
};
