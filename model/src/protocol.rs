//! The protocol, with every client acquiring again and again without bound.
//!
//! The specification's state grows for ever in one respect only: its tokens count up. Here the token
//! of the current hold of name `n` is renamed to `n + 1`, the next token to one more than the number
//! of names, and every token of an ended grant to zero. That makes the state space finite, and it is
//! a bisimulation: [`lockspace_spec::step()`] compares a token only for equality with those of current
//! holds, and takes the next one for a grant. Any renaming that keeps current tokens apart from each
//! other, from ended ones and below the next one therefore commutes with it (up to the order in
//! which a shutdown tells several holders that they lost, which nothing depends upon). That tokens
//! *grow* is judged on each transition (S2), with the renamed tokens below the next one as the real
//! ones are; and [`Plain`](crate::plain::Plain) checks S2 and this argument itself with real tokens.
//!
//! Guards of ended grants are not remembered either: at any moment any client that does not wait may
//! release or renew with such a token. That is more than clients can do, so what holds here holds.

use lockspace_spec::{
    Action, Env, FencingToken, Grace, Lease, Limits, Name, Op, Phase, RequestId, Timer, Wait,
};

use crate::machine::{Ids, Machine, Next};
use crate::packing;
use crate::world::{Design, Doing, World};

/// The token of every grant that has ended.
const STALE: FencingToken = FencingToken(0);

/// The protocol within bounds: finitely many clients and names, any number of acquires.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// How many clients there are.
    pub clients: u16,
    /// How many names they use.
    pub names: u16,
    /// The limits of the lockspace.
    pub limits: Limits,
    /// What is exchangeable.
    pub symmetry: Symmetry,
    /// Whether the actions are thinned out: without those that lead nowhere, or only where another one
    /// leads. They add transitions and never a state.
    pub sparse: bool,
    /// How the lockspace acts.
    pub design: Design,
}

/// What is exchangeable: states that differ only by an exchange count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symmetry {
    /// Nothing.
    None,
    /// Clients.
    Clients,
    /// Clients, and names.
    ClientsAndNames,
}

impl Protocol {
    /// The correct protocol without limits.
    ///
    /// # Panics
    /// If a state would not fit into a key.
    #[must_use]
    pub const fn new(clients: u16, names: u16, symmetry: Symmetry) -> Self {
        let protocol = Self {
            clients,
            names,
            limits: Limits::UNLIMITED,
            symmetry,
            sparse: false,
            design: lockspace_spec::apply,
        };
        assert!(packing::width(&protocol) <= u64::BITS, "a state must fit into 64 bits");
        protocol
    }

    /// The same with other limits.
    #[must_use]
    pub const fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same with its actions thinned out, for runs that are large enough without.
    #[must_use]
    pub const fn sparse(self) -> Self {
        Self { sparse: true, ..self }
    }

    /// The same bounds under another design.
    #[must_use]
    pub const fn design(self, design: Design) -> Self {
        Self { design, ..self }
    }

    /// What client `request` may do, and what its timers may do to it.
    fn client_actions(&self, world: &World, request: RequestId, actions: &mut Vec<Action>) {
        actions.push(Op::Cancel { request }.into());
        actions.push(Env::WaitElapsed { request }.into());
        match world.clients[usize::from(request.0)].doing {
            Doing::Waiting => return,
            Doing::Idle => acquires(self.names, request, actions),
            Doing::Inside { token, .. } => {
                actions.push(Op::Release { request, token }.into());
                actions.push(Op::Renew { request, token }.into());
                actions.push(Env::LeaseElapsed { token }.into());
            }
        }
        let token = STALE;
        actions.push(Op::Release { request, token }.into());
        actions.push(Op::Renew { request, token }.into());
    }
}

impl Machine for Protocol {
    type State = World;
    type Action = Action;
    type Key = u64;

    fn initial(&self) -> World {
        self.unpack(&self.pack(&World::new(self.clients, self.limits)))
    }

    /// Where clients are exchangeable, so are their actions as long as they do the same thing; only
    /// idle clients ever do, and only the first of them acts.
    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let mut idle = 0;
        for request in world.requests() {
            if world.clients[usize::from(request.0)].doing == Doing::Idle {
                idle += 1;
                if idle > 1 && self.symmetry != Symmetry::None {
                    continue;
                }
            }
            self.client_actions(world, request, actions);
        }
        actions.push(Env::LeaseElapsed { token: STALE }.into());
        operator_actions(self.names, actions);
        if self.sparse {
            actions.retain(|action| !is_stale(world, action) && !is_repetition(world, action));
        }
    }

    fn next(&self, world: &World, after: &mut World, action: &Action, wanted: Ids) -> Next<u64> {
        let told = after.take(self.design, action);
        let judgement = after.judge(world, action, &told, wanted);
        let next = judgement.next(|| self.pack(after));
        if after != world {
            after.clone_from(world);
        }
        next
    }

    fn pack(&self, world: &World) -> u64 {
        packing::pack(self, world)
    }

    fn unpack(&self, key: &u64) -> World {
        packing::unpack(self, *key)
    }
}

/// Whether `action` is upon something that has ended, or never was.
fn is_stale(world: &World, action: &Action) -> bool {
    let armed = |timer| world.space.timers.contains(&timer);
    match *action {
        Action::Op(Op::Acquire { .. } | Op::Shutdown { .. }) => false,
        Action::Op(Op::Cancel { request }) => {
            world.clients[usize::from(request.0)].doing == Doing::Idle
        }
        Action::Op(Op::Release { token, .. } | Op::Renew { token, .. }) => token == STALE,
        Action::Op(Op::ForceRelease { name }) => !world.space.entries.contains_key(&name),
        Action::Env(Env::WaitElapsed { request }) => !armed(Timer::Wait(request)),
        Action::Env(Env::LeaseElapsed { token }) => !armed(Timer::Lease(token)),
        Action::Env(Env::GraceElapsed) => !armed(Timer::Grace),
    }
}

/// Whether `action` is an acquire that leads nowhere, or where another acquire of the client leads too:
/// a free name is granted however long one would wait, and a closed door is closed for every name.
fn is_repetition(world: &World, action: &Action) -> bool {
    let Action::Op(Op::Acquire { name, wait, lease, .. }) = *action else {
        return false;
    };
    if world.space.phase != Phase::Open {
        return (name, wait, lease) != (Name(0), Wait::No, Lease::Unbounded);
    }
    let held = world.space.entries.contains_key(&name);
    held == (wait == Wait::No)
}

/// Every way in which `request` can acquire one of `names`.
pub(crate) fn acquires(names: u16, request: RequestId, actions: &mut Vec<Action>) {
    for name in (0..names).map(Name) {
        for wait in [Wait::No, Wait::Bounded, Wait::Unbounded] {
            for lease in [Lease::Unbounded, Lease::Bounded] {
                let acquire = Op::Acquire { request, name, wait, lease };
                actions.push(acquire.into());
            }
        }
    }
}

/// What operators may do, and the end of the grace, due or not.
pub(crate) fn operator_actions(names: u16, actions: &mut Vec<Action>) {
    let force = |name| Action::from(Op::ForceRelease { name });
    actions.extend((0..names).map(Name).map(force));
    for grace in [Grace::No, Grace::Bounded] {
        actions.push(Op::Shutdown { grace }.into());
    }
    actions.push(Env::GraceElapsed.into());
}
