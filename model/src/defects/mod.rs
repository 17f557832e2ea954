//! Faulty designs, each of which a check must refute: they show that the properties can fail, and why
//! the protocol is not simpler than it is.
//!
//! A defect is the correct thing with one thing done wrong, of one of these kinds:
//!
//! - [`Does::Step`]: the correct step ([`lockspace_spec::apply`]) wrapped or replaced for the actions
//!   that it gets wrong. It runs in [`Plain`].
//! - [`Does::Steps`]: the correct [`Algorithm`] with one decision replaced, where the fault needs an
//!   operation of several steps, a caller's limits or a resource to show. It runs in [`Stepwise`].
//! - [`Does::Messages`]: the protocol over a store with one thing done wrong, by the store or by the
//!   processes, where the fault needs messages, clocks or deaths to show. It runs in [`Cluster`].
//! - [`Does::Detects`]: another [`Detection`] of deadlocks than the correct one. It runs in [`Owners`].
//!
//! All run at bounds at which the correct design passes, and the shortest counterexample is kept in
//! `docs/counterexamples/` as a story.
//!
//! To add one: write `pub(super) const DEFECT: Defect` in a file of its own and list it in [`DEFECTS`].
//! The tests do the rest, and write the story when told to (`LOCKSPACE_BLESS=1`). Faults of the
//! engine's algorithm are elsewhere: [`engine::Fault`](crate::engine::Fault).

mod acquire_reads_then_writes;
mod barging;
mod cancelled_grant_is_lost;
mod cancelled_waiter_leaves_the_entry;
mod crashed_holder_blocks_for_ever;
mod entry_goes_under_a_newcomer;
mod late_release_frees_the_successor;
mod limits_are_not_looked_at;
mod lost_wake_up;
mod map_is_never_cleaned;
mod nobody_looks_past_the_holder;
mod nothing_is_cleaned_at_exit;
mod polling_outlives_its_caller;
mod release_before_body_stops;
mod renewal_survives_the_release;
mod second_caller_overwrites_the_entry;
mod shutdown_leaves_the_queue;
mod stale_count_leaves_the_entry;
mod stale_holder_writes;
mod timed_out_waiter_stays_queued;
mod timers_are_never_cleared;
mod token_counter_goes_with_the_entry;
mod zero_timeout_waits_for_ever;

use lockspace_spec::Limits;

use crate::any::AnyMachine;
use crate::breakable::breaking;
use crate::cluster::Cluster;
use crate::cluster::defects as over_a_store;
use crate::machine::{Ids, Next};
use crate::owners::{Detection, Owners, looks_all_the_way};
use crate::path;
use crate::plain::Plain;
use crate::stepwise::{Algorithm, Stepwise};
use crate::story::{Story, Tell};
use crate::world::Design;

/// A faulty design and what it must break.
#[derive(Clone, Copy, Debug)]
pub struct Defect {
    /// Its name, in kebab-case: also the name of its story's file.
    pub name: &'static str,
    /// The ID of the property that its shortest counterexample breaks.
    pub breaks: &'static str,
    /// What is wrong, in a sentence.
    pub fault: &'static str,
    /// Where one meets it, and how the protocol does without it.
    pub lesson: &'static str,
    /// What it does wrong.
    pub does: Does,
    /// How many clients the counterexample needs, which are the requests of owners where it has those.
    pub clients: u16,
}

/// What a faulty design does.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// One step for each action, one of them wrong.
    Step(Design),
    /// Several steps for each operation, and one wrong decision.
    Steps(Algorithm),
    /// A faulty cluster, and the correct one at the same bounds.
    Messages(Cluster, Cluster),
    /// Owners, and a wrong look at who waits for whom.
    Detects(Detection),
}

/// Every defect: of the protocol, of locks whose operations take several steps, of owners, and over a
/// store.
pub const DEFECTS: [Defect; IN_PROCESS.len() + over_a_store::DEFECTS.len()] = {
    let mut all = [IN_PROCESS[0]; IN_PROCESS.len() + over_a_store::DEFECTS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < IN_PROCESS.len() {
            IN_PROCESS[index]
        } else {
            over_a_store::DEFECTS[index - IN_PROCESS.len()]
        };
        index += 1;
    }
    all
};

const IN_PROCESS: [Defect; 23] = [
    release_before_body_stops::DEFECT,
    timed_out_waiter_stays_queued::DEFECT,
    second_caller_overwrites_the_entry::DEFECT,
    acquire_reads_then_writes::DEFECT,
    entry_goes_under_a_newcomer::DEFECT,
    token_counter_goes_with_the_entry::DEFECT,
    stale_holder_writes::DEFECT,
    barging::DEFECT,
    polling_outlives_its_caller::DEFECT,
    map_is_never_cleaned::DEFECT,
    cancelled_waiter_leaves_the_entry::DEFECT,
    stale_count_leaves_the_entry::DEFECT,
    timers_are_never_cleared::DEFECT,
    lost_wake_up::DEFECT,
    cancelled_grant_is_lost::DEFECT,
    late_release_frees_the_successor::DEFECT,
    renewal_survives_the_release::DEFECT,
    shutdown_leaves_the_queue::DEFECT,
    nothing_is_cleaned_at_exit::DEFECT,
    limits_are_not_looked_at::DEFECT,
    zero_timeout_waits_for_ever::DEFECT,
    crashed_holder_blocks_for_ever::DEFECT,
    nobody_looks_past_the_holder::DEFECT,
];

/// The limits at which defects are looked for: small enough that they are met.
pub const LIMITS: Limits = Limits { names: 1, waiters_per_name: 2 };

/// How many grants a counterexample may take where each action is one step.
pub const GRANTS: u64 = 4;

/// How many where operations take several steps, of which there are far more orders.
pub const GRANTS_IN_STEPS: u64 = 3;

/// How many requests an owner may have at once: he holds one name and waits for another.
pub const REQUESTS: u16 = 2;

impl Defect {
    /// The defect called `name`.
    #[must_use]
    pub fn called(name: &str) -> Option<&'static Self> {
        DEFECTS.iter().find(|defect| defect.name == name)
    }

    /// The machine in which the design is refuted.
    #[must_use]
    pub const fn machine(&self) -> AnyMachine {
        match self.does {
            Does::Step(design) => AnyMachine::Plain(self.plain(design)),
            Does::Steps(algorithm) => AnyMachine::Stepwise(self.stepwise(algorithm)),
            Does::Messages(faulty, _) => AnyMachine::Cluster(faulty),
            Does::Detects(detection) => AnyMachine::PlainOwners(self.owners(detection)),
        }
    }

    /// The correct design at the same bounds.
    #[must_use]
    pub const fn correct(&self) -> AnyMachine {
        match self.does {
            Does::Step(_) => AnyMachine::Plain(self.plain(lockspace_spec::apply)),
            Does::Steps(_) => AnyMachine::Stepwise(self.stepwise(Algorithm::CORRECT)),
            Does::Messages(_, correct) => AnyMachine::Cluster(correct),
            Does::Detects(_) => AnyMachine::PlainOwners(self.owners(looks_all_the_way)),
        }
    }

    const fn plain(&self, design: Design) -> Plain {
        Plain::new(self.clients, 1, GRANTS).limits(LIMITS).design(design)
    }

    const fn stepwise(&self, algorithm: Algorithm) -> Stepwise {
        Stepwise { clients: self.clients, grants: GRANTS_IN_STEPS, algorithm }
    }

    const fn owners(&self, detection: Detection) -> Owners<Plain> {
        let base = Plain::new(self.clients, 2, GRANTS);
        Owners { detection, ..Owners::new(base, REQUESTS) }
    }

    /// The story of the shortest counterexample, if it breaks what it is said to break: the property
    /// must be among what the last step breaks.
    #[must_use]
    pub fn story(&self) -> Option<Story> {
        let story = match self.does {
            Does::Step(design) => counterexample(&self.plain(design)),
            Does::Steps(algorithm) => counterexample(&self.stepwise(algorithm)),
            Does::Messages(faulty, _) => counterexample(&faulty),
            Does::Detects(detection) => counterexample(&self.owners(detection)),
        }?;
        let said = breaking(self.breaks);
        (!said.is_empty() && said.without(story.broken()).is_empty()).then_some(story)
    }

    /// The page of `docs/counterexamples/` that tells the story.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let story = self.story()?;
        let Self { name, fault, lesson, clients, .. } = self;
        let title = name.replace('-', " ");
        let plural = if *clients == 1 { "" } else { "s" };
        let (machine, bounds) = match self.does {
            Does::Step(_) => {
                ("", format!("{clients} client{plural}, 1 name, at most {GRANTS} grants"))
            }
            Does::Steps(_) => (
                " in the [stepwise lock](../../model/src/stepwise/mod.rs)",
                format!("{clients} client{plural}, 1 name, at most {GRANTS_IN_STEPS} grants"),
            ),
            Does::Messages(cluster, _) => {
                (" in the [cluster](../../model/src/cluster/mod.rs)", cluster.bounds())
            }
            Does::Detects(_) => {
                let owners = clients / REQUESTS;
                let of = format!("{owners} owners of {REQUESTS} requests");
                (
                    " among [owners](../../model/src/owners/mod.rs)",
                    format!("{of}, 2 names, at most {GRANTS} grants"),
                )
            }
        };
        let at = match self.does {
            Does::Messages(faulty, correct) if faulty.bounds() != correct.bounds() => {
                format!("at {}", correct.bounds())
            }
            _ => "at the same bounds".into(),
        };
        Some(format!(
            "# Defect: {title}\n\n{fault}\n\n{lesson}\n\n\
             The shortest counterexample{machine}, found at {bounds} (the correct design passes {at}):\n\n\
             {story}\n\
             ```mermaid\n{}```\n\n\
             `lockspace trace {name}` prints this story.\n",
            story.diagram(),
        ))
    }
}

/// The story of a shortest path that breaks something.
pub(crate) fn counterexample<M: Tell>(machine: &M) -> Option<Story> {
    let breaks = |next: &Next<_>| matches!(next, Next::Broken(_));
    let path = path::shortest(machine, usize::MAX, Ids::NONE, breaks)?;
    Some(Story::of(machine, &path))
}
