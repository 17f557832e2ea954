//! What owners do, in words: people hold and wait here, and not requests.

use lockspace_spec::{Action, Addressee, Outcomes, OwnerId, RequestId};

use super::Owners;
use crate::defects::counterexample;
use crate::plain::Plain;
use crate::story::{Actor, Called, Step, Story, Tell, deed};
use crate::world::{Client, Doing, World};

impl Tell for Owners<Plain> {
    fn clients(&self) -> u16 {
        self.base.clients / self.requests
    }

    fn tell(&self, world: &mut World, action: &Action) -> Step {
        let (who, did) = deed(world, action, |request| Actor::Client(self.person(request)));
        if self.turns_away(&world.space, action) {
            return Step::turned_away(who, did, "refused, it would close a cycle");
        }
        let told = world.take(self.base.design, action);
        Step::new(who, did, &self.told_to_people(&told))
    }

    /// An owner who waits for a name waits, whatever he holds besides.
    fn doings(&self, world: &World) -> Vec<Doing> {
        let does = |requests: &[Client]| {
            let mut doing = requests.iter().map(|client| client.doing);
            let waits = doing.clone().find(|doing| *doing == Doing::Waiting);
            waits.or_else(|| doing.find(|doing| *doing != Doing::Idle)).unwrap_or_default()
        };
        world.clients.chunks(usize::from(self.requests)).map(does).collect()
    }

    fn how_it_stands(&self, world: &World) -> Vec<String> {
        let owners = (0..self.clients()).map(OwnerId);
        owners.filter_map(|owner| self.how_one_stands(world, owner)).collect()
    }
}

impl Owners<Plain> {
    /// The story of a shortest path that breaks something, if anything does.
    #[must_use]
    pub fn counterexample(&self) -> Option<Story> {
        counterexample(self)
    }

    /// The owner of a request, called as the client of that number is.
    fn person(&self, request: RequestId) -> RequestId {
        RequestId(self.owner_of(request).0)
    }

    fn told_to_people(&self, told: &Outcomes) -> Outcomes {
        let mut people = Outcomes::default();
        for answer in told.iter() {
            match answer.to {
                Addressee::Request(request) => people.tell(self.person(request), answer.outcome),
                Addressee::Operator => people.tell_operator(answer.outcome),
            }
        }
        people
    }

    /// What an owner holds and what he waits for, if he does either.
    fn how_one_stands(&self, world: &World, owner: OwnerId) -> Option<String> {
        let his = |request: &RequestId| self.owner_of(*request) == owner;
        let requests = || world.requests().filter(his);
        let holds = requests().filter_map(|request| world.space.hold_of(request));
        let holds = holds.map(|(token, hold)| format!("{} with token {token}", Called(hold.name)));
        let waits = requests().filter_map(|request| world.space.place_of(request));
        let waits = waits.map(|(name, _)| Called(name).to_string());
        let does = [("holds", holds.collect::<Vec<_>>()), ("waits for", waits.collect())];
        let does = does.iter().filter(|(_, what)| !what.is_empty());
        let does: Vec<String> =
            does.map(|(verb, what)| format!("{verb} {}", what.join(" and "))).collect();
        let person = Actor::Client(RequestId(owner.0));
        (!does.is_empty()).then(|| format!("{person} {}", does.join(", and ")))
    }
}
