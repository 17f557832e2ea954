//! The words that all stories share: who acts, what they are told, and how a lockspace stands.

use core::fmt::{self, Display, Formatter};

use lockspace_spec::{FencingToken, Lease, Loss, Name, Outcome, Refusal, RequestId, Wait};

use crate::world::{Doing, World};

/// Who or what acts, or is told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The client that makes its requests under this id.
    Client(RequestId),
    /// The lockspace itself.
    Lockspace,
    /// The store behind the sessions.
    Store,
    /// What the lock protects.
    Resource,
    /// Whoever forces a release or shuts down.
    Operator,
    /// A wait timeout, a lease or a grace.
    Timer,
    /// The clocks of all processes.
    Time,
}

/// A name as people call it.
pub(crate) struct Called(pub(crate) Name);

/// What is acquired, and under which limits.
pub(crate) fn acquire(name: Name, wait: Wait, lease: Lease) -> String {
    let wait = match wait {
        Wait::No => "without waiting",
        Wait::Bounded => "with a wait timeout",
        Wait::Unbounded => "ready to wait for as long as it takes",
    };
    let lease = match lease {
        Lease::Bounded => ", with a lease",
        Lease::Unbounded => "",
    };
    format!("{}, {wait}{lease}", Called(name))
}

/// A token, and whether its hold was lost.
pub(crate) fn late(before: &World, request: RequestId, token: FencingToken) -> String {
    let stale = before.clients[usize::from(request.0)].stale == Some(token);
    let late = if stale { ", too late" } else { "" };
    format!("token {token}{late}")
}

/// What somebody is told, in words.
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Granted(token) => return format!("granted, with token {token}"),
        Outcome::Queued { ahead: 0 } => "queued, next in line",
        Outcome::Queued { ahead } => return format!("queued, behind {ahead}"),
        Outcome::Refused(Refusal::Busy) => "refused, the name is held",
        Outcome::Refused(Refusal::TimedOut) => "refused, the wait timed out",
        Outcome::Refused(Refusal::ShuttingDown) => "refused, the lockspace is shutting down",
        Outcome::Refused(Refusal::AtCapacity) => "refused, a limit is reached",
        Outcome::Cancelled => "cancelled",
        Outcome::Released => "released",
        Outcome::Renewed => "renewed",
        Outcome::Lost(Loss::LeaseElapsed) => "lost, the lease ended",
        Outcome::Lost(Loss::Forced) => "lost, an operator took it away",
        Outcome::Lost(Loss::Shutdown) => "lost, the shutdown took it away",
        Outcome::NotHeld => "not held, nothing changed",
        Outcome::Closed => "closed",
    }
    .into()
}

/// Where everybody is at the end: the bodies that run, and what the lockspace remembers.
pub(crate) fn how_it_stands(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for request in world.requests() {
        if let Doing::Inside { name, token } = world.clients[usize::from(request.0)].doing {
            let client = Actor::Client(request);
            lines.push(format!("{client}'s body is inside {}, with token {token}", Called(name)));
        }
    }
    let space = &world.space;
    let holds = space.holds.iter();
    let holds: Vec<_> = holds
        .map(|(token, hold)| {
            let holder = Actor::Client(hold.request);
            format!("{} held by {holder} with token {token}", Called(hold.name))
        })
        .collect();
    let entries: Vec<_> = space
        .entries
        .iter()
        .filter(|(name, queue)| !queue.is_empty() || space.holder_of(**name).is_none())
        .map(|(name, queue)| {
            let queue = queue.iter().map(|waiter| Actor::Client(waiter.request).to_string());
            let queue: Vec<_> = queue.collect();
            match queue.as_slice() {
                [] => format!("an entry for {}", Called(*name)),
                queue => format!("{} waiting for {}", queue.join(", "), Called(*name)),
            }
        })
        .collect();
    let timers = match space.timers.len() {
        0 => "no timer".into(),
        1 => "1 armed timer".into(),
        many => format!("{many} armed timers"),
    };
    let mut parts = vec![format!("{:?}", space.phase).to_lowercase()];
    parts.extend(holds.into_iter().chain(entries));
    parts.push(timers);
    lines.push(format!(
        "the lockspace is {} and remembers: {}; its next token is {}",
        parts[0],
        parts[1..].join("; "),
        space.next_token
    ));
    lines
}

impl Display for Called {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 4] = ["red", "green", "blue", "white"];
        f.write_str(NAMES.get(usize::from(self.0.0)).unwrap_or(&"another name"))
    }
}

impl Actor {
    pub(super) fn with_article(self) -> String {
        match self {
            Self::Client(_) => self.to_string(),
            Self::Operator => "The operator".into(),
            Self::Timer => "A timer".into(),
            Self::Time => "Time".into(),
            Self::Lockspace => "The lockspace".into(),
            Self::Store => "The store".into(),
            Self::Resource => "The resource".into(),
        }
    }
}

impl Display for Actor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const CLIENTS: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eva", "Finn"];
        match self {
            Self::Client(request) => {
                f.write_str(CLIENTS.get(usize::from(request.0)).unwrap_or(&"Somebody"))
            }
            Self::Operator => f.write_str("operator"),
            Self::Timer => f.write_str("timer"),
            Self::Time => f.write_str("time"),
            Self::Lockspace => f.write_str("lockspace"),
            Self::Store => f.write_str("store"),
            Self::Resource => f.write_str("resource"),
        }
    }
}
