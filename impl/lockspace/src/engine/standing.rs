//! How a request stood in line when its wait ended in vain: for whoever wants to know who was in the way.
//!
//! What this file must not do: change anything.

use std::fmt;

use super::away::is_wish;
use super::inspect::HolderSnapshot;
use super::table::Table;
use super::waiter::Waiter;
use crate::clock::Tick;
use crate::store::HeldElsewhere;

/// How a request stood in line when its wait ended in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Who held the name; `None` if, over a store, nobody of this process did.
    pub holder: Option<HolderSnapshot>,
    /// Over a store: who held the name elsewhere, as the store last showed it; the store is not asked again
    /// for this. `None` if somebody here held it, or if the store had not shown it yet.
    pub elsewhere: Option<HeldElsewhere>,
    /// How many stood before the request. Counted up to [a thousand](Self::COUNTED).
    pub ahead: usize,
    /// How many waited for the name, the request among them.
    pub queued: usize,
}

impl Standing {
    /// How far those who stood before a request are counted.
    pub const COUNTED: usize = 1_000;
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.holder, &self.elsewhere) {
            (Some(holder), _) => write!(f, "{holder}")?,
            (None, Some(holder)) => write!(f, "{holder}")?,
            (None, None) => f.write_str("nobody here holds it")?,
        }
        let Self { ahead, queued, .. } = self;
        let more = if *ahead >= Self::COUNTED { " or more" } else { "" };
        write!(f, "; {ahead}{more} of {queued} in the queue were ahead")
    }
}

impl Table {
    /// How a queued request stands in line.
    pub(super) fn standing(&self, slot: u32, now: Tick) -> Standing {
        let waiter = &self.waiters[slot];
        let entry = &self.entries[waiter.entry];
        let before = |waiter: &Waiter| self.waiters.get(waiter.previous);
        let ahead = std::iter::successors(before(waiter), |waiter| before(waiter));
        let is_away = is_wish(entry.token);
        Standing {
            holder: (!is_away).then(|| self.show_holder(entry, now)),
            elsewhere: self.held_elsewhere(entry.token).filter(|_| is_away).cloned(),
            ahead: ahead.take(Standing::COUNTED).count(),
            queued: entry.queued as usize,
        }
    }
}
