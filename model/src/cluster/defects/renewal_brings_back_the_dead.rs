//! A keep-alive writes the row whether it is there or not.

use lockspace::store::Ask;
use lockspace::store::member::Call;

use super::{Calls, Cluster, Defect, Design, STILL, one_late, refuted};
use crate::cluster::world::Stored;

pub(super) const DEFECT: Defect = Defect {
    name: "renewal-brings-back-the-dead",
    breaks: "S8",
    fault: "A keep-alive that finds no row writes one.",
    lesson: "An upsert, or `SET key value PX ttl` without `XX`. The session was removed as dead, others have \
             been granted what it held; then a keep-alive that was on its way arrives, and the store \
             says again that it lives (redisson/redisson#7272 is of this kind, for a lock that had been \
             released). Here a keep-alive names the version that it renews.",
    does: refuted(
        Cluster { clocks: [2, 2], network: one_late(Calls::Own), ..STILL },
        Design {
            serve: |store, by, flight, told| {
                let mut call = flight.call.clone();
                if let Call::Own(Ask::Swap { expected, new: Some(_) }) = &mut call
                    && store.sessions[by].is_none()
                {
                    *expected = None;
                }
                Stored::serve(store, by, &call, told)
            },
            is_sound: false,
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
