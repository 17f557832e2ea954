//! A release frees the name, whoever holds it.

use lockspace::store::Ask;
use lockspace::store::member::Call;

use super::{Calls, Cluster, Defect, Design, STILL, one_late, refuted};
use crate::cluster::world::{Stored, index_of};

pub(super) const DEFECT: Defect = Defect {
    name: "release-by-name",
    breaks: "S8",
    fault: "A release removes the row of the name, whatever stands in it by then.",
    lesson: "`DEL lock` in Redis, `DELETE FROM locks WHERE name = ?` in a database: the release comes late, \
             and ends what somebody else holds or waits for by now. Here a release names the version \
             that it knows, and a row that has another one stays as it is.",
    does: refuted(
        Cluster { network: one_late(Calls::Names), ..STILL },
        Design {
            serve: |store, by, flight, told| {
                let mut call = flight.call.clone();
                if let Call::Name(name, Ask::Swap { expected: Some(expected), new: None }) =
                    &mut call
                    && let Some((version, _)) = &store.names[index_of(name)]
                {
                    *expected = *version;
                }
                Stored::serve(store, by, &call, told)
            },
            is_sound: false,
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
