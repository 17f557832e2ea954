//! A hold is a mark in a store, and nothing but its holder ends it.

use super::{Defect, Does};
use crate::stepwise::Algorithm;

pub(super) const DEFECT: Defect = Defect {
    name: "crashed-holder-blocks-for-ever",
    breaks: "L2",
    fault: "A granted name is marked as held, and only the release by its holder takes the mark away.",
    lesson: "A row that says `locked = true`. Nobody can count on the holder: a process that is \
             killed, or loses its connection, never releases, and somebody has to delete the row by \
             hand. That is why L2 counts on the end of the lease and on nothing else. Here a lease \
             that was asked for arms a timer in the step that grants. It is the store that must end \
             the hold, not the client.",
    does: Does::Steps(Algorithm { arms: |_| false, ..Algorithm::CORRECT }),
    clients: 1,
};
