//! The number comes first, the row later.

use lockspace::store::Version;
use lockspace::store::member::Call;

use super::{Calls, Cluster, Defect, Design, STILL, one_late, refuted};
use crate::cluster::world::Stored;

pub(super) const DEFECT: Defect = Defect {
    name: "token-is-drawn-before-the-write",
    breaks: "S2",
    fault: "The version of a swap is drawn from a sequence when the swap arrives, and the row is written \
            when it is this swap's turn.",
    lesson: "`INSERT ... VALUES (nextval('tokens')) ON CONFLICT ...` draws its number before it waits for \
             the row: whoever waited longest writes the oldest number over a newer one. The resource \
             behind the lock then refuses the rightful holder. Here the contract of a store asks that \
             versions grow in the order in which swaps take effect.",
    does: refuted(
        Cluster { network: one_late(Calls::Names), ..STILL },
        Design {
            send: |store, flight| {
                if matches!(flight.call, Call::Name(..)) && flight.is_swap() {
                    store.last = Version(store.last.0 + 1);
                    flight.drawn = Some(store.last);
                }
            },
            serve: |store, by, flight, told| {
                let Some(drawn) = flight.drawn else {
                    return Stored::serve(store, by, &flight.call, told);
                };
                let last = std::mem::replace(&mut store.last, Version(drawn.0 - 1));
                let answer = Stored::serve(store, by, &flight.call, told);
                store.last = last;
                answer
            },
            is_sound: false,
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
