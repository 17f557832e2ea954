//! Expiry is read off the wall.

use std::time::Duration;

use lockspace::store::member::Answer;

use super::{Defect, Design, STILL, refuted};
use crate::cluster::world::NOW;

pub(super) const DEFECT: Defect = Defect {
    name: "expiry-by-wall-clock",
    breaks: "S1",
    fault: "A session's row says until what time it lives, by the clock of its writer, and whoever reads \
            it compares that with a clock of its own. The reader's clock is ahead by the ttl.",
    lesson: "Lock tables with an `expires_at` column are made like this, and so is whatever compares \
             `now()` of one machine with a time that another one wrote. ShedLock's documentation asks \
             for synchronized clocks; one step of a clock expires every lock. Here a reader compares \
             its own clock with itself: how long has it seen the same version?",
    does: refuted(
        STILL,
        Design {
            take: |member, _, answer| {
                let ahead = Duration::from_millis(6);
                let read = matches!(answer, Answer::Other(..));
                member.answered(answer, NOW);
                for other in member.others.sessions.values_mut().filter(|_| read) {
                    if let Some(seen) = &mut other.seen {
                        seen.since = NOW - ahead;
                    }
                }
            },
            ..Design::CORRECT
        },
    ),
    clients: 2,
};
