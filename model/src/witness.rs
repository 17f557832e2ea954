//! Witnesses: for each thing that must be possible, a shortest path on which it happens.

use lockspace_spec::{Limits, REACHABLE};

use crate::machine::{Ids, Next};
use crate::path;
use crate::plain::Plain;
use crate::story::Story;

/// Bounds in which every goal can be shown, those first that make the plainer story.
const BOUNDS: [Plain; 2] =
    [Plain::new(3, 1, 3), Plain::new(3, 2, 3).limits(Limits { names: 1, waiters_per_name: 1 })];

/// The longest path that is looked at.
const LONGEST: usize = 6;

/// The story of a shortest path that shows the goal at `index` of [`REACHABLE`].
#[must_use]
pub fn of(index: usize) -> Option<Story> {
    let mut goal = Ids::NONE;
    goal.insert(index);
    let shows = |next: &Next<_>| matches!(next, Next::Sound { shown, .. } if *shown == goal);
    BOUNDS.iter().find_map(|machine| {
        let path = path::shortest(machine, LONGEST, goal, shows)?;
        Some(Story::of(machine, &path))
    })
}

/// The story for the goal with this ID, if there is such a goal.
#[must_use]
pub fn called(id: &str) -> Option<Story> {
    of(REACHABLE.iter().position(|goal| goal.id == id)?)
}
