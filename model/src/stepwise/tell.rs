//! The stepwise lock's steps in words.

use lockspace_spec::{Outcomes, RequestId};

use super::state::{NO_TOKEN, RED, Stage, State};
use super::{Step, Stepwise};
use crate::story::{self, Actor, Tell, acquire, how_it_stands, late};
use crate::world::Doing;

impl Tell for Stepwise {
    fn clients(&self) -> u16 {
        self.clients
    }

    fn tell(&self, state: &mut State, step: &Step) -> story::Step {
        let before = state.clone();
        let (_, told) = state.take(&self.algorithm, *step);
        tell(&before, *step, state, &told)
    }

    fn doings(&self, state: &State) -> Vec<Doing> {
        state.world.doings()
    }

    fn how_it_stands(&self, state: &State) -> Vec<String> {
        let mut lines = how_it_stands(&state.world);
        if state.written != NO_TOKEN {
            lines.push(format!("the resource was last written with token {}", state.written));
        }
        lines
    }
}

fn tell(before: &State, step: Step, after: &State, told: &Outcomes) -> story::Step {
    let guard = |client| late(&before.world, RequestId(client), before.guard(client));
    let (client, did) = match step {
        Step::Find { client, wait, lease } => {
            let found = match (before.table, after.stage(client)) {
                (None, _) => "makes an entry",
                (_, Stage::Found { free: true, .. }) => "finds its entry free",
                _ => "finds its entry held",
            };
            (client, format!("begins to acquire {}, and {found}", acquire(RED, wait, lease)))
        }
        Step::Lock(client) => (client, lock(before.stage(client)).into()),
        Step::Drop(client) => (client, drop(before.stage(client)).into()),
        Step::See(client) => (client, "sees its grant".into()),
        Step::Release(client) => (client, format!("releases {}", guard(client))),
        Step::TidyUp(client) => {
            let removes = before.table.is_some() && after.table.is_none();
            let did = if removes { "removes the entry" } else { "leaves the entry to others" };
            (client, format!("tidies up, and {did}"))
        }
        Step::Look(client) => {
            (client, format!("begins to renew {}, and finds it held", guard(client)))
        }
        Step::Renew(client) => {
            let token = before.renewal(client).unwrap_or(NO_TOKEN);
            (client, format!("goes on with its renewal of token {token}"))
        }
        Step::Write(client) => {
            let taken = after.written == before.guard(client);
            let answer = if taken { "written" } else { "refused, the token is too old" };
            let did = format!("writes with {}", guard(client));
            let who = Actor::Client(RequestId(client));
            return story::Step::at_resource(who, did, answer.into());
        }
        Step::EndWait(client) => {
            let did = format!("ends the wait timeout of {}", Actor::Client(RequestId(client)));
            return story::Step::new(Actor::Timer, did, told);
        }
        Step::EndLease(token) => {
            let did = format!("ends the lease of token {token}");
            return story::Step::new(Actor::Timer, did, told);
        }
    };
    story::Step::new(Actor::Client(RequestId(client)), did, told)
}

const fn lock(stage: Stage) -> &'static str {
    match stage {
        Stage::Found { dropped: true, .. } => "goes on with the acquire that was dropped",
        _ => "goes on with its acquire",
    }
}

const fn drop(stage: Stage) -> &'static str {
    match stage {
        Stage::Found { .. } => "drops its acquire before it goes on",
        Stage::Waiting { .. } => "drops its acquire while it waits",
        _ => "drops its acquire: granted, and not yet seen",
    }
}
