//! Who waits for whom: what must be true besides where deadlocks are looked for.
//!
//! The protocol knows requests, each of which wants or holds one name, and its own promises are kept
//! whoever they belong to. Whose they are matters when somebody holds one name and waits for another:
//! two who do so the other way round wait for ever, and S1 to S10 and L1 to L4 are all kept. Here
//! requests belong to *owners*, and [`DEADLOCK`] says of a state what an owner may count on.
//!
//! What this file must not do: say who refuses what. An acquire that would close a cycle is turned
//! away before the protocol is asked, so [`step`](crate::step()) does not know of it.

use alloc::collections::BTreeSet;

use crate::state::State;
use crate::vocab::RequestId;

/// Whose requests they are: whoever does one thing after the other, such as a task or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u16);

/// Whose a request is.
pub type OwnerOf<'a> = &'a dyn Fn(RequestId) -> OwnerId;

/// Something that is true of a state whose requests have owners, or not, with the words for it.
#[derive(Clone, Copy, Debug)]
pub struct OwnersProperty {
    /// Its ID, by which code and documents cite it.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub sentence: &'static str,
    /// Whether it is about what will happen. Then the state must be one in which it can go on.
    pub progress: bool,
    /// Whether a state has it.
    pub holds: fn(&State, OwnerOf<'_>) -> bool,
}

/// What holds besides where deadlocks are looked for.
pub const DEADLOCK: [OwnersProperty; 2] = [
    OwnersProperty {
        id: "D1",
        name: "no deadlock",
        sentence: "no owners wait for each other in a cycle; an acquire is refused for it only if it \
                   would close one",
        progress: false,
        holds: d1_no_deadlock,
    },
    OwnersProperty {
        id: "D2",
        name: "somebody goes on",
        sentence: "if every holder whose owner waits for nothing ends, every waiter is answered",
        progress: true,
        holds: d2_somebody_goes_on,
    },
];

/// D1 no deadlock: the wait-for graph has no cycle.
#[must_use]
pub fn d1_no_deadlock(state: &State, owner_of: OwnerOf<'_>) -> bool {
    WaitFor::of(state, owner_of).knot().is_empty()
}

/// D2 somebody goes on: while anybody waits, some hold's owner waits for nothing, and may release. Each
/// release ends a hold or answers a waiter, so where this is true of every state they come to, they
/// come to an end, and nobody waits there.
#[must_use]
pub fn d2_somebody_goes_on(state: &State, owner_of: OwnerOf<'_>) -> bool {
    let graph = WaitFor::of(state, owner_of);
    let mut owners = state.holds.values().map(|hold| owner_of(hold.request));
    graph.is_empty() || owners.any(|owner| !graph.waits(owner))
}

/// The wait-for graph of a state: an edge leads from the owner of each waiter to the owner of the hold
/// that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitFor(BTreeSet<(OwnerId, OwnerId)>);

impl WaitFor {
    /// The graph of `state`.
    #[must_use]
    pub fn of(state: &State, owner_of: OwnerOf<'_>) -> Self {
        let edges = state.entries.iter().filter_map(|(name, queue)| {
            let (_, hold) = state.holder_of(*name)?;
            let holder = owner_of(hold.request);
            Some(queue.iter().map(move |waiter| (owner_of(waiter.request), holder)))
        });
        Self(edges.flatten().collect())
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `owner` waits for anybody.
    #[must_use]
    pub fn waits(&self, owner: OwnerId) -> bool {
        self.whom(owner).next().is_some()
    }

    /// For whom `owner` waits.
    pub fn whom(&self, owner: OwnerId) -> impl Iterator<Item = OwnerId> {
        self.0.iter().filter(move |(waits, _)| *waits == owner).map(|(_, holds)| *holds)
    }

    /// Whether the edges lead from one owner to another; nobody is led anywhere to find itself.
    #[must_use]
    pub fn leads_to(&self, from: OwnerId, to: OwnerId) -> bool {
        let mut reached = BTreeSet::from([from]);
        loop {
            let before = reached.len();
            let edges = self.0.iter().filter(|(waits, _)| reached.contains(waits));
            let onwards: BTreeSet<OwnerId> = edges.map(|(_, holds)| *holds).collect();
            reached.extend(onwards);
            if reached.len() == before {
                return reached.contains(&to);
            }
        }
    }

    /// Those who are in a cycle, or wait for somebody who is: what is left when whoever waits for
    /// nobody has been taken away, and then whoever waits for nobody else, until all who are left wait.
    #[must_use]
    pub fn knot(&self) -> BTreeSet<OwnerId> {
        let mut left = self.0.clone();
        loop {
            let waiting: BTreeSet<OwnerId> = left.iter().map(|(waits, _)| *waits).collect();
            let before = left.len();
            left.retain(|(_, holds)| waiting.contains(holds));
            if left.len() == before {
                return waiting;
            }
        }
    }
}
