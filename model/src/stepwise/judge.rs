//! What a state of the stepwise lock stands for, and what is wrong with a step.

use lockspace_spec::{Action, Lease, Limits, Outcomes, State as Spec, Timer};

use super::Step;
use super::state::{RED, State};
use crate::breakable::breaking;
use crate::machine::Ids;
use crate::world::Judgement;

impl State {
    /// The state of the specification that this state stands for. An acquire is made when it acts, and
    /// a free entry is no residue as long as somebody is about to take it or to tidy it up.
    pub(super) fn abstraction(&self) -> Spec {
        let mut spec = Spec::new(Limits::UNLIMITED);
        spec.next_token = self.next_token;
        spec.timers.clone_from(&self.armed);
        for (place, entry) in self.entries.iter().enumerate() {
            spec.holds.extend(entry.hold);
            let in_use = entry.hold.is_some() || !entry.queue.is_empty();
            let residue = self.table == Some(place) && !self.has_user(place);
            if in_use || residue {
                spec.entries.entry(RED).or_default().extend(&entry.queue);
            }
        }
        spec
    }

    /// A client that asked for a limit on its wait, and has no timer that sees to it.
    fn waits_without_its_limit(&self) -> bool {
        let mut waiters = self.entries.iter().flat_map(|entry| &entry.queue);
        waiters.any(|waiter| waiter.timed && !self.armed.contains(&Timer::Wait(waiter.request)))
    }

    /// A client that asked for a limit on its hold, and has no timer that sees to it.
    fn holds_without_its_limit(&self) -> bool {
        let mut holds = self.entries.iter().filter_map(|entry| entry.hold);
        holds.any(|(token, hold)| {
            hold.lease == Lease::Bounded && !self.armed.contains(&Timer::Lease(token))
        })
    }
}

/// Judges the step from `before` to `after`, which is `action` and tells `told`.
pub(super) fn judge(
    before: &State,
    step: Step,
    after: &State,
    action: &Action,
    told: &Outcomes,
    wanted: Ids,
) -> Judgement {
    let mut judgement = after.world.judge(&before.world, action, told, wanted);
    let also: [(&str, bool); 4] = [
        ("S2", after.written < before.written),
        // To its caller an acquire was over when it was dropped.
        ("S4", before.acts_for_nobody(step) && !told.is_empty()),
        ("L1", after.waits_without_its_limit()),
        ("L2", after.holds_without_its_limit()),
    ];
    for (id, broken) in also {
        if broken {
            judgement.broken = judgement.broken.union(breaking(id));
        }
    }
    judgement
}
