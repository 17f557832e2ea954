//! Only the holder is watched.

use super::{Defect, Design, LINE_THAT_CRASHES, refuted, shown};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "dead-waiter-is-met-when-it-holds",
    breaks: "L2",
    fault: "Whoever waits watches the holder, and nobody watches those in between. When the holder is found \
            dead, the name goes to a waiter that died with it, and the counting begins again.",
    lesson: "Queues of waiters from which nobody takes the dead. Each of them costs those behind it \
             a ttl more (redisson/redisson#1353 and #2883: a fair lock waited about five seconds for \
             each), and where nobody watches a holder that was granted from the queue, the name is \
             lost. Here whoever waits watches all that stand before it, at the same time.",
    does: refuted(
        LINE_THAT_CRASHES,
        Design {
            take: |member, _, answer| {
                let holder = shown(&answer).map(|record| record.holder.session);
                member.answered(answer, NOW);
                if let Some(holder) = holder {
                    member.others.sessions.retain(|id, other| *id == holder || other.asking);
                }
            },
            ..Design::CORRECT
        },
    ),
    clients: 3,
};
