//! The plain machine's actions in words.

use lockspace_spec::{Action, Env, Grace, Op, RequestId};

use super::{Actor, Called, Step, Tell, acquire, how_it_stands, late};
use crate::plain::Plain;
use crate::world::{Doing, World};

impl Tell for Plain {
    fn clients(&self) -> u16 {
        self.clients
    }

    fn tell(&self, world: &mut World, action: &Action) -> Step {
        let (who, did) = deed(world, action, Actor::Client);
        let told = world.take(self.design, action);
        Step::new(who, did, &told)
    }

    fn doings(&self, world: &World) -> Vec<Doing> {
        world.doings()
    }

    fn how_it_stands(&self, world: &World) -> Vec<String> {
        how_it_stands(world)
    }
}

/// Who did `action`, and what it is in words. `client` is who makes a request.
pub(crate) fn deed(
    before: &World,
    action: &Action,
    client: impl Fn(RequestId) -> Actor,
) -> (Actor, String) {
    match *action {
        Action::Op(Op::Acquire { request, name, wait, lease }) => {
            (client(request), format!("acquires {}", acquire(name, wait, lease)))
        }
        Action::Op(Op::Cancel { request }) => {
            let when = match before.clients[usize::from(request.0)].doing {
                Doing::Waiting => "drops its acquire while it waits",
                Doing::Inside { .. } => "drops its acquire: granted, and not yet seen",
                Doing::Idle => "drops an acquire that is over",
            };
            (client(request), when.into())
        }
        Action::Op(Op::Release { request, token }) => {
            (client(request), format!("releases {}", late(before, request, token)))
        }
        Action::Op(Op::Renew { request, token }) => {
            (client(request), format!("renews {}", late(before, request, token)))
        }
        Action::Op(Op::ForceRelease { name }) => {
            (Actor::Operator, format!("forces the release of {}", Called(name)))
        }
        Action::Op(Op::Shutdown { grace }) => {
            let grace = match grace {
                Grace::No => "without grace",
                Grace::Bounded => "with a grace for holders",
            };
            (Actor::Operator, format!("shuts the lockspace down, {grace}"))
        }
        Action::Env(Env::WaitElapsed { request }) => {
            (Actor::Timer, format!("ends the wait timeout of {}", client(request)))
        }
        Action::Env(Env::LeaseElapsed { token }) => {
            (Actor::Timer, format!("ends the lease of token {token}"))
        }
        Action::Env(Env::GraceElapsed) => (Actor::Timer, "ends the grace".into()),
    }
}
