//! Two owners hold a name each, and wait for the other's.

use lockspace_spec::OwnerId;
use lockspace_spec::owners::WaitFor;

use super::{Defect, Does};

pub(super) const DEFECT: Defect = Defect {
    name: "nobody-looks-past-the-holder",
    breaks: "D1",
    fault: "An acquire looks whether its own owner holds the name, and for whom that holder waits in turn \
            nobody asks.",
    lesson: "`lock(from); lock(to)` in one task, `lock(to); lock(from)` in another: every transfer between \
             two accounts. Each lock alone is right, and all that S1 to S10 and L1 to L4 promise is kept; \
             both wait for ever, and so does whoever comes after them. A check for reentrancy sees \
             nothing, since nobody waits for himself. Taking names in one order everywhere avoids it, a \
             wait timeout ends it. Where the acquire may be refused instead, it has to be looked where \
             the edges of the wait-for graph lead, all the way, before it queues.",
    does: Does::Detects(looks_at_the_holder),
    clients: 4,
};

fn looks_at_the_holder(_: &WaitFor, asks: OwnerId, holds: OwnerId) -> bool {
    asks == holds
}
