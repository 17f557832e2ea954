//! Trust counts from when the answer came.

use lockspace::store::session::Asking;

use super::{Calls, Cluster, Defect, Design, Events, STILL, one_late, refuted};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "trust-counts-from-the-answer",
    breaks: "S1",
    fault: "A session trusts itself for a time that it counts from when it heard that it was kept alive.",
    lesson: "The store had done it long before: the answer was slow, or the process stood still between \
             the call and its answer. Others have counted since then. Many lease clients add the ttl \
             to the time at which the call returned. Here trust counts from when the call was sent.",
    does: refuted(
        Cluster {
            clocks: [2, 2],
            network: one_late(Calls::Own),
            events: Events { sweeping: true, ..Events::NONE },
            ..STILL
        },
        Design {
            take: |member, _, answer| {
                if let Some(Asking::Write { sent }) = &mut member.session.asking {
                    *sent = NOW;
                }
                member.answered(answer, NOW);
            },
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
