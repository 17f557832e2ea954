//! What there is in the stepwise lock, and what can be seen of it.

use std::collections::{BTreeSet, VecDeque};

use lockspace_spec::{FencingToken, Hold, Lease, Limits, Name, RequestId, Timer, Wait, Waiter};

use super::Step;
use crate::world::World;

/// The one name.
pub(super) const RED: Name = Name(0);

/// What stands where there is no token: none is granted with this number.
pub(super) const NO_TOKEN: FencingToken = FencingToken(0);

/// The lock, its clients, and the resource behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The state of the specification that this one stands for, and what the clients were told.
    pub(super) world: World,
    /// Which entry the table has for the name.
    pub(super) table: Option<usize>,
    /// Every entry that the table or some client refers to.
    pub(super) entries: Vec<Entry>,
    /// What each client is doing.
    pub(super) clients: Vec<Client>,
    pub(super) next_token: FencingToken,
    pub(super) armed: BTreeSet<Timer>,
    /// The token with which the resource was last written.
    pub(super) written: FencingToken,
}

/// What the table leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) hold: Option<(FencingToken, Hold)>,
    pub(super) queue: VecDeque<Waiter>,
}

/// What a client is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) stage: Stage,
    /// The token of a renewal under way, whose hold was there when it looked.
    pub(super) renewal: Option<FencingToken>,
}

/// How far a client's operation has come, and the entry that it uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    #[default]
    Idle,
    /// Its acquire has found the entry and seen whether it was free. `dropped`: nobody waits for
    /// its answer any more.
    Found {
        entry: usize,
        free: bool,
        wait: Wait,
        lease: Lease,
        dropped: bool,
    },
    Waiting {
        entry: usize,
    },
    /// It was granted the name while it waited, and has not seen it.
    Granted {
        entry: usize,
    },
    Inside {
        entry: usize,
    },
    /// It has left, and not yet tidied up. `alone`: nobody else used the entry as it left.
    Leaving {
        entry: usize,
        alone: bool,
    },
}

impl Stage {
    pub(super) const fn entry(self) -> Option<usize> {
        match self {
            Self::Idle => None,
            Self::Found { entry, .. }
            | Self::Waiting { entry }
            | Self::Granted { entry }
            | Self::Inside { entry }
            | Self::Leaving { entry, .. } => Some(entry),
        }
    }
}

/// What can be seen of a state.
impl State {
    pub(super) fn new(clients: u16) -> Self {
        // Each client uses at most one entry, and the table one more.
        let entries = vec![Entry::default(); usize::from(clients) + 1];
        Self {
            world: World::new(clients, Limits::UNLIMITED),
            table: None,
            entries,
            clients: vec![Client::default(); usize::from(clients)],
            next_token: FencingToken::FIRST,
            armed: BTreeSet::new(),
            written: NO_TOKEN,
        }
    }

    pub(super) fn stage(&self, client: u16) -> Stage {
        self.clients[usize::from(client)].stage
    }

    pub(super) fn renewal(&self, client: u16) -> Option<FencingToken> {
        self.clients[usize::from(client)].renewal
    }

    /// The token of a guard that the client still has although it lost the hold.
    pub(super) fn stale_token(&self, client: u16) -> Option<FencingToken> {
        self.world.clients[usize::from(client)].stale
    }

    pub(super) fn holds_with_lease(&self, client: u16) -> bool {
        let hold = self.hold_of(client);
        hold.is_some_and(|(_, hold)| hold.lease == Lease::Bounded)
    }

    pub(super) fn wait_is_armed(&self, client: u16) -> bool {
        self.armed.contains(&Timer::Wait(RequestId(client)))
    }

    pub(super) fn armed_leases(&self) -> impl Iterator<Item = FencingToken> {
        self.armed.iter().filter_map(|timer| match timer {
            Timer::Lease(token) => Some(*token),
            Timer::Wait(_) | Timer::Grace => None,
        })
    }

    /// How many grants were made or may yet be made to those who have begun to acquire.
    pub(super) fn may_be_granted(&self) -> u64 {
        let hoping = self
            .clients
            .iter()
            .filter(|client| matches!(client.stage, Stage::Found { .. } | Stage::Waiting { .. }));
        self.next_token.0 - FencingToken::FIRST.0 + hoping.count() as u64
    }

    /// Whether `step` goes on with an acquire that its caller has dropped.
    pub(super) fn acts_for_nobody(&self, step: Step) -> bool {
        let Step::Lock(client) = step else { return false };
        matches!(self.stage(client), Stage::Found { dropped: true, .. })
    }

    /// Whether a client uses `entry`.
    pub(super) fn has_user(&self, entry: usize) -> bool {
        self.clients.iter().any(|client| client.stage.entry() == Some(entry))
    }

    /// Whether a client other than `client` uses `entry`.
    pub(super) fn is_shared(&self, entry: usize, client: u16) -> bool {
        let mut others = self.clients.iter().enumerate();
        others.any(|(other, it)| other != usize::from(client) && it.stage.entry() == Some(entry))
    }

    /// The token and hold of `client`, as its entry says.
    pub(super) fn hold_of(&self, client: u16) -> Option<(FencingToken, Hold)> {
        let (token, hold) = self.entries[self.stage(client).entry()?].hold?;
        (hold.request == RequestId(client)).then_some((token, hold))
    }

    /// The token of the client's guard, current or not.
    pub(super) fn guard(&self, client: u16) -> FencingToken {
        let current = self.hold_of(client).map(|(token, _)| token);
        current.or(self.stale_token(client)).unwrap_or(NO_TOKEN)
    }

    pub(super) fn is_held_with(&self, token: FencingToken) -> bool {
        self.entries.iter().any(|entry| entry.hold.is_some_and(|(held, _)| held == token))
    }
}
