//! A lockspace together with its clients: what the lockspace remembers, and what each client was told.
//!
//! The clients' side is kept by *outcomes* alone, never by looking into the lockspace. So a design
//! that tells one thing and does another is found out: a client's body counts as inside from the
//! grant that it was told until it ends its hold itself or is told that the hold is lost. How a body
//! is told is the implementation's affair (a section's future is dropped before the lock is given
//! on; a guard says that it is lost, and the fencing token keeps its late writes out). That nobody
//! is told at all while the next one enters is what S1 forbids here.

use lockspace_spec::{
    Action, Addressee, FencingToken, Limits, Name, Op, Outcome, Outcomes, REACHABLE, RequestId,
    SAFETY, State, Transition,
};

use crate::machine::{Ids, Next};

/// How a lockspace does what an action asks. The correct design is [`lockspace_spec::apply`].
pub type Design = fn(&mut State, &Action) -> Outcomes;

/// A lockspace and its clients. Client number `c` makes every request under `RequestId(c)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// What the lockspace remembers.
    pub space: State,
    /// What each client was told.
    pub clients: Vec<Client>,
}

/// What a client knows from the outcomes that it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// What it does now.
    pub doing: Doing,
    /// The token of a guard that it still has although the hold is lost: it may yet release or renew.
    pub stale: Option<FencingToken>,
}

/// What a client does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Nothing that concerns the lockspace.
    #[default]
    Idle,
    /// It was queued and not answered.
    Waiting,
    /// Its body runs, inside `name`.
    Inside {
        /// The name that it was granted.
        name: Name,
        /// The token that it was granted it with.
        token: FencingToken,
    },
}

/// What the properties say of one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The safety properties that do not hold.
    pub broken: Ids,
    /// The wanted reachability goals that it shows.
    pub shown: Ids,
}

impl Judgement {
    /// What an explorer needs to know of the transition; `to` is the key of the state after it.
    pub(crate) fn next<Key>(self, to: impl FnOnce() -> Key) -> Next<Key> {
        if self.broken.is_empty() {
            let (to, shown) = (to(), self.shown);
            Next::Sound { to, shown }
        } else {
            Next::Broken(self.broken)
        }
    }
}

impl World {
    /// An open lockspace with `clients` idle clients.
    #[must_use]
    pub fn new(clients: u16, limits: Limits) -> Self {
        Self { space: State::new(limits), clients: vec![Client::default(); usize::from(clients)] }
    }

    /// What each client does.
    pub(crate) fn doings(&self) -> Vec<Doing> {
        self.clients.iter().map(|client| client.doing).collect()
    }

    /// The request ids of the clients.
    pub fn requests(&self) -> impl Iterator<Item = RequestId> + use<> {
        (0..self.clients.len() as u16).map(RequestId)
    }

    /// Lets `action` happen under `design`: the lockspace acts, and the clients hear of it.
    pub fn take(&mut self, design: Design, action: &Action) -> Outcomes {
        let outcomes = design(&mut self.space, action);
        self.hear(action, &outcomes);
        outcomes
    }

    /// Tells the clients what `action`, which the lockspace has done, answers them.
    pub(crate) fn hear(&mut self, action: &Action, outcomes: &Outcomes) {
        for answer in outcomes.iter() {
            if let Addressee::Request(request) = answer.to {
                self.client_hears(request, action, answer.outcome);
            }
        }
    }

    fn client_hears(&mut self, request: RequestId, action: &Action, outcome: Outcome) {
        let Some(client) = self.clients.get_mut(usize::from(request.0)) else {
            return;
        };
        match outcome {
            Outcome::Queued { .. } => client.doing = Doing::Waiting,
            Outcome::Granted(token) => {
                if let Some(hold) = self.space.holds.get(&token) {
                    let name = hold.name;
                    client.doing = Doing::Inside { name, token };
                }
            }
            Outcome::Refused(_) | Outcome::Cancelled => client.doing = Doing::Idle,
            Outcome::Lost(_) => {
                if let Doing::Inside { token, .. } = client.doing {
                    client.stale = Some(token);
                }
                client.doing = Doing::Idle;
            }
            // Whoever ends a hold has ended its body before. That somebody else released it stops
            // no body: to stop one, it must be told that its hold is lost.
            Outcome::Released | Outcome::NotHeld => client.ends(request, action),
            Outcome::Renewed | Outcome::Closed => {}
        }
    }

    /// Judges the transition from `before` by `action` to this world.
    #[must_use]
    pub fn judge(&self, before: &Self, action: &Action, told: &Outcomes, wanted: Ids) -> Judgement {
        let transition =
            Transition { before: &before.space, action, outcomes: told, after: &self.space };
        let (mut broken, mut shown) = (Ids::NONE, Ids::NONE);
        for (index, property) in SAFETY.iter().enumerate() {
            let bodies_excluded = property.id != "S1" || self.bodies_exclude_each_other();
            if !(bodies_excluded && (property.holds)(&transition)) {
                broken.insert(index);
            }
        }
        for index in wanted.iter() {
            if (REACHABLE[index].holds)(&transition) {
                shown.insert(index);
            }
        }
        Judgement { broken, shown }
    }

    /// S1, as the clients see it: no two bodies are inside one name.
    fn bodies_exclude_each_other(&self) -> bool {
        let inside = |client: &Client| match client.doing {
            Doing::Inside { name, .. } => Some(name),
            Doing::Idle | Doing::Waiting => None,
        };
        let mut bodies = self.clients.iter().enumerate();
        bodies.all(|(index, client)| {
            inside(client).is_none_or(|name| {
                let others = &self.clients[index + 1..];
                others.iter().all(|other| inside(other) != Some(name))
            })
        })
    }
}

impl Client {
    /// What remains after `action`, if this client itself gave something up by it.
    fn ends(&mut self, request: RequestId, action: &Action) {
        let given_up = match *action {
            Action::Op(Op::Release { request: by, token }) if by == request => token,
            Action::Op(Op::Cancel { request: by }) if by == request => {
                self.doing = Doing::Idle;
                return;
            }
            _ => return,
        };
        if self.stale == Some(given_up) {
            self.stale = None;
        }
        if matches!(self.doing, Doing::Inside { token, .. } if token == given_up) {
            self.doing = Doing::Idle;
        }
    }
}
