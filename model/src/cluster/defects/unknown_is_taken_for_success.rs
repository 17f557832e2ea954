//! What may have been done counts as done.

use lockspace::store::member::{Answer, Call};
use lockspace::store::{Ask, Reply, Version};

use super::{Calls, Cluster, Defect, Design, STILL, one_late, refuted};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "unknown-is-taken-for-success",
    breaks: "S1",
    fault: "A call to acquire a name times out, and counts as done.",
    lesson: "Nobody writes this on purpose. It comes of a driver that sends a call again by itself and \
             takes the conflict with its own first attempt for a confirmation, or of an error that is \
             logged and forgotten. Here an outcome that is not known leads to a look at the row.",
    does: refuted(
        Cluster { network: one_late(Calls::Names), ..STILL },
        Design {
            take: |member, call, answer| {
                let joins = matches!(call, Call::Name(_, Ask::Swap { expected: None, .. }));
                let answer = match answer {
                    Answer::Name(name, Reply::Unknown) if joins => {
                        Answer::Name(name, Reply::Swapped(Version(1)))
                    }
                    answer => answer,
                };
                member.answered(answer, NOW);
            },
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
