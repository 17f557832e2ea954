//! The protocol with nothing abstracted away: real tokens that grow, guards remembered one by one,
//! no packing and no symmetry.
//!
//! It serves three ends. It is finite only because the number of grants is bounded, and within that
//! bound it checks the properties and the argument that [`Protocol`](crate::protocol::Protocol) rests
//! upon. It runs the faulty designs, whose states no key describes. And its paths are the ones that
//! people read, since in them a token has the number that it would really have.

use lockspace_spec::{Action, Env, FencingToken, Limits, Op};

use crate::machine::{Ids, Machine, Next};
use crate::protocol::{acquires, operator_actions};
use crate::world::{Design, Doing, World};

/// The protocol within bounds, as it is.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// How many clients there are.
    pub clients: u16,
    /// How many names they use.
    pub names: u16,
    /// The limits of the lockspace.
    pub limits: Limits,
    /// How many grants there may be: nobody acquires once as many have been made or are waited for.
    pub grants: u64,
    /// How the lockspace acts.
    pub design: Design,
}

impl Plain {
    /// The correct protocol without limits on names or waiters.
    #[must_use]
    pub const fn new(clients: u16, names: u16, grants: u64) -> Self {
        Self { clients, names, limits: Limits::UNLIMITED, grants, design: lockspace_spec::apply }
    }

    /// The same with other limits.
    #[must_use]
    pub const fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same bounds under another design.
    #[must_use]
    pub const fn design(self, design: Design) -> Self {
        Self { design, ..self }
    }

    /// Whether somebody may still acquire: the grants made and those waited for leave one over.
    #[must_use]
    pub fn may_acquire(&self, world: &World) -> bool {
        let waiting = world.space.waiters().count() as u64;
        world.space.next_token.0 + waiting <= self.grants
    }
}

impl Machine for Plain {
    type State = World;
    type Action = Action;
    type Key = World;

    fn initial(&self) -> World {
        World::new(self.clients, self.limits)
    }

    /// A client acts upon what it was *told*: it acquires when it believes to be idle, releases the
    /// token that it was granted, and uses the stale guard that it really has. Timers, operators and
    /// cancels happen at any moment, due or not.
    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for request in world.requests() {
            let client = world.clients[usize::from(request.0)];
            match client.doing {
                Doing::Idle if self.may_acquire(world) => acquires(self.names, request, actions),
                Doing::Idle | Doing::Waiting => {}
                Doing::Inside { token, .. } => {
                    actions.push(Op::Release { request, token }.into());
                    actions.push(Op::Renew { request, token }.into());
                }
            }
            if let (Some(token), false) = (client.stale, client.doing == Doing::Waiting) {
                actions.push(Op::Release { request, token }.into());
                actions.push(Op::Renew { request, token }.into());
            }
            actions.push(Op::Cancel { request }.into());
            actions.push(Env::WaitElapsed { request }.into());
        }
        for token in (1..world.space.next_token.0).map(FencingToken) {
            actions.push(Env::LeaseElapsed { token }.into());
        }
        operator_actions(self.names, actions);
    }

    fn next(&self, world: &World, after: &mut World, action: &Action, wanted: Ids) -> Next<World> {
        let told = after.take(self.design, action);
        let judgement = after.judge(world, action, &told, wanted);
        let next = judgement.next(|| after.clone());
        if after != world {
            after.clone_from(world);
        }
        next
    }

    fn pack(&self, world: &World) -> World {
        world.clone()
    }

    fn unpack(&self, key: &World) -> World {
        key.clone()
    }
}
