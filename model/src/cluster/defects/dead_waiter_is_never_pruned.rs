//! Only whoever is next in line watches.

use lockspace::store::record::Record;

use super::{Defect, Design, LINE_THAT_CRASHES, refuted, shown};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "dead-waiter-is-never-pruned",
    breaks: "L2",
    fault: "Whoever is next in line watches the holder, and nobody watches whoever is next in line. When \
            that one dies, its entry stays for ever: those behind it never get to be next, so nobody finds \
            the holder dead either.",
    lesson: "A queue whose entries have no expiry, beside a key that has one; the first in the queue polls \
             the key, and the others wait to be the first (redisson/redisson#3178: threads that were in the \
             queue of a fair lock when they were shut down block whoever comes after them, for a long time). \
             Here whoever waits watches all that stand before it, and leaves out the dead wherever they \
             stand.",
    does: refuted(
        LINE_THAT_CRASHES,
        Design {
            take: |member, _, answer| {
                let sessions = |record: &Record| record.line().map(|claim| claim.session).collect();
                let line: Option<Vec<_>> = shown(&answer).map(sessions);
                member.answered(answer, NOW);
                if let Some(line) = line {
                    let watched = |id| line[0] == id && line.get(1) == Some(&member.id);
                    member.others.sessions.retain(|id, other| watched(*id) || other.asking);
                }
            },
            ..Design::CORRECT
        },
    ),
    clients: 3,
};
