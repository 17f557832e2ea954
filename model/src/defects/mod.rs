//! Faulty designs, each of which a check must refute: they show that the properties can fail, and why
//! the protocol is not simpler than it is.
//!
//! A defect is the correct step with one thing done wrong: a [`Design`] that wraps or replaces
//! [`lockspace_spec::apply`] for the actions that it gets wrong. It runs in [`Plain`], at bounds at
//! which the correct design passes, and its shortest counterexample is kept in
//! `docs/counterexamples/` as a story.
//!
//! To add one: write `pub(super) const DEFECT: Defect` in a file of its own and list it in
//! [`DEFECTS`]. The tests do the rest, and write the story when told to (`LOCKSPACE_BLESS=1`).

mod barging;
mod cancelled_grant_is_lost;
mod late_release_frees_the_successor;
mod limits_are_not_looked_at;
mod lost_wake_up;
mod map_is_never_cleaned;
mod nothing_is_cleaned_at_exit;
mod release_before_body_stops;
mod second_caller_overwrites_the_entry;
mod shutdown_leaves_the_queue;
mod timed_out_waiter_stays_queued;
mod timers_are_never_cleared;
mod token_counter_goes_with_the_entry;

use lockspace_spec::{Action, Limits, SAFETY};

use crate::machine::{Ids, Next};
use crate::path;
use crate::plain::Plain;
use crate::story::Story;
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
    /// How the lockspace acts.
    pub design: Design,
    /// How many clients the counterexample needs.
    pub clients: u16,
}

/// Every defect.
pub const DEFECTS: [Defect; 13] = [
    release_before_body_stops::DEFECT,
    timed_out_waiter_stays_queued::DEFECT,
    second_caller_overwrites_the_entry::DEFECT,
    token_counter_goes_with_the_entry::DEFECT,
    barging::DEFECT,
    map_is_never_cleaned::DEFECT,
    timers_are_never_cleared::DEFECT,
    lost_wake_up::DEFECT,
    cancelled_grant_is_lost::DEFECT,
    late_release_frees_the_successor::DEFECT,
    shutdown_leaves_the_queue::DEFECT,
    nothing_is_cleaned_at_exit::DEFECT,
    limits_are_not_looked_at::DEFECT,
];

/// The limits at which defects are looked for: small enough that they are met.
pub const LIMITS: Limits = Limits { names: 1, waiters_per_name: 2 };

/// How many grants a counterexample may take.
pub const GRANTS: u64 = 4;

impl Defect {
    /// The defect called `name`.
    #[must_use]
    pub fn called(name: &str) -> Option<&'static Self> {
        DEFECTS.iter().find(|defect| defect.name == name)
    }

    /// The machine in which the design is refuted.
    #[must_use]
    pub const fn machine(&self) -> Plain {
        self.correct().design(self.design)
    }

    /// The correct design at the same bounds.
    #[must_use]
    pub const fn correct(&self) -> Plain {
        Plain::new(self.clients, 1, GRANTS).limits(LIMITS)
    }

    /// A shortest path that breaks something: the property that this defect is said to break must
    /// be among what its last step breaks.
    #[must_use]
    pub fn counterexample(&self) -> Option<Vec<Action>> {
        let breaks = |next: &Next<_>| matches!(next, Next::Broken(_));
        path::shortest(&self.machine(), usize::MAX, Ids::NONE, breaks)
    }

    /// The counterexample as a story, if it breaks what it is said to break.
    #[must_use]
    pub fn story(&self) -> Option<Story> {
        let story = Story::of(&self.machine(), &self.counterexample()?);
        let said = Ids::named(&SAFETY, &[self.breaks]);
        (story.broken().union(said) == story.broken()).then_some(story)
    }

    /// The page of `docs/counterexamples/` that tells the story.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let story = self.story()?;
        let Self { name, fault, lesson, clients, .. } = self;
        let title = name.replace('-', " ");
        Some(format!(
            "# Defect: {title}\n\n{fault}\n\n{lesson}\n\n\
             The shortest counterexample, found at {clients} clients, 1 name, at most {GRANTS} grants \
             (the correct design passes at the same bounds):\n\n{story}\n\
             ```mermaid\n{}```\n\n\
             `lockspace trace {name}` prints this story.\n",
            story.diagram(),
        ))
    }
}
