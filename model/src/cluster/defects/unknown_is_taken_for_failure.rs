//! What may have been done counts as not done.

use lockspace::store::Reply;
use lockspace::store::member::Answer;

use super::{Calls, Cluster, Defect, Design, STILL, one_late, refuted};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "unknown-is-taken-for-failure",
    breaks: "S5",
    fault: "A call to acquire a name times out, and counts as failed: the process forgets it.",
    lesson: "The usual way: the error goes up to the caller, who gives up or tries again. But the store had \
             done it. The name is held by a process that does not know, and stays so for as long as \
             that lives (Redisson and Jepsen's etcd client have met it). Here the process keeps the \
             name in mind until it has seen that nothing of it is left in the row.",
    does: refuted(
        Cluster { network: one_late(Calls::Names), ..STILL },
        Design {
            take: |member, _, answer| {
                if let Answer::Name(name, Reply::Unknown) = &answer {
                    member.names.remove(name);
                    member.waiting.remove(name);
                }
                member.answered(answer, NOW);
            },
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
