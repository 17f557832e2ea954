//! What a lockspace remembers: ordered maps and plain queues, nothing clever.
//!
//! The shape is wider than the protocol needs, on purpose. Two holds of one name, an entry without a
//! holder or a timer without an owner can all be *written down* here, so the properties that forbid
//! them ([`invariants`](crate::invariants)) say something.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::vocab::{FencingToken, Lease, Name, Phase, RequestId, Timer};

/// Everything that a lockspace remembers between two actions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Where it is in its life.
    pub phase: Phase,
    /// The token of the next grant. Every token granted so far is smaller.
    pub next_token: FencingToken,
    /// The current holds, by token.
    pub holds: BTreeMap<FencingToken, Hold>,
    /// One entry for each name that is in use, with those who wait for it, first come first.
    pub entries: BTreeMap<Name, VecDeque<Waiter>>,
    /// The armed timers.
    pub timers: BTreeSet<Timer>,
    /// The configured limits; they never change.
    pub limits: Limits,
}

/// A grant that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold {
    /// Whose it is.
    pub request: RequestId,
    /// Which lock.
    pub name: Name,
    /// Whether a lease limits it.
    pub lease: Lease,
}

/// A request that has been queued and not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter {
    /// Whose it is.
    pub request: RequestId,
    /// Whether a wait timeout limits it.
    pub timed: bool,
    /// The lease that the hold is to have.
    pub lease: Lease,
}

/// How large a lockspace may grow (property S10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limits {
    /// The most names in use at once.
    pub names: usize,
    /// The most waiters of one name.
    pub waiters_per_name: usize,
}

impl Limits {
    /// No limit but memory.
    pub const UNLIMITED: Self = Self { names: usize::MAX, waiters_per_name: usize::MAX };
}

impl State {
    /// An open lockspace in which nothing has happened.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            phase: Phase::Open,
            next_token: FencingToken::FIRST,
            holds: BTreeMap::new(),
            entries: BTreeMap::new(),
            timers: BTreeSet::new(),
            limits,
        }
    }

    /// The token and hold of `name`, if it is held.
    #[must_use]
    pub fn holder_of(&self, name: Name) -> Option<(FencingToken, Hold)> {
        self.holds.iter().find(|(_, hold)| hold.name == name).map(|(token, hold)| (*token, *hold))
    }

    /// The token and hold of `request`, if it holds anything.
    #[must_use]
    pub fn hold_of(&self, request: RequestId) -> Option<(FencingToken, Hold)> {
        let mut holds = self.holds.iter();
        holds.find(|(_, hold)| hold.request == request).map(|(token, hold)| (*token, *hold))
    }

    /// Where `request` waits: the name and the number of waiters before it.
    #[must_use]
    pub fn place_of(&self, request: RequestId) -> Option<(Name, usize)> {
        self.entries.iter().find_map(|(name, queue)| {
            let ahead = queue.iter().position(|waiter| waiter.request == request)?;
            Some((*name, ahead))
        })
    }

    /// Every waiter of every name.
    pub fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.entries.values().flatten()
    }

    /// Whether nothing is left: no holder, waiter, entry or timer.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.holds.is_empty() && self.entries.is_empty() && self.timers.is_empty()
    }
}
