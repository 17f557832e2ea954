//! A renewal under way writes back a hold that has ended.

use super::{Defect, Does};
use crate::stepwise::{Algorithm, Seen};

pub(super) const DEFECT: Defect = Defect {
    name: "renewal-survives-the-release",
    breaks: "S8",
    fault: "A renewal looks whether the lease is held, and then writes it anew, whatever happened in \
            between.",
    lesson: "A keep-alive is a task of its own. It has looked when the release deletes the record, \
             and then puts it back: a lock that nobody holds and that may go on being renewed. \
             Redisson has it as an issue (redisson/redisson#7272), and the DynamoDB lock client \
             needed a fix (awslabs/amazon-dynamodb-lock-client #116). Here a renewal names the token \
             of its grant and looks in the same step in which it writes; when the hold has ended it \
             is told NotHeld.",
    does: Does::Steps(Algorithm { renews, ..Algorithm::CORRECT }),
    clients: 1,
};

fn renews(held: Seen) -> bool {
    held.then
}
