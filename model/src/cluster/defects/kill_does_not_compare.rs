//! A dead session is removed whatever has become of it.

use lockspace::store::member::{Answer, Call};
use lockspace::store::{Ask, Reply, Version};

use super::{Cluster, Defect, Design, STILL, refuted};
use crate::cluster::world::{Stored, Swapped, What, slot_of};

pub(super) const DEFECT: Defect = Defect {
    name: "kill-does-not-compare",
    breaks: "S1",
    fault: "Whoever has seen a session stand still for its ttl removes its row, without a look at whether \
            it has changed since.",
    lesson: "`DELETE FROM sessions WHERE id = ?` after a check that was made a moment ago, or a janitor \
             that deletes what it has listed as expired. The session was kept alive in between. Here \
             the removal names the version that stood still, and comes to nothing if there is another.",
    does: refuted(
        Cluster { clocks: [2, 2], ..STILL },
        Design {
            serve: |store, by, flight, told| match &flight.call {
                Call::Other(id, Ask::Swap { new: None, .. }) => {
                    let of = slot_of(*id);
                    let was_there = store.sessions[of].take().is_some();
                    store.removed[of] |= was_there;
                    store.last = Version(store.last.0 + 1);
                    told.swaps
                        .push(Swapped { by: Some(by), what: What::Session(of, was_there, false) });
                    Answer::Other(*id, Reply::Swapped(store.last))
                }
                call => Stored::serve(store, by, call, told),
            },
            is_sound: false,
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
