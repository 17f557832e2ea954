//! The state graph of a protocol, with a shortest path to every state.

use std::collections::HashMap;

use lockspace_model::machine::{Ids, Machine, Next};
use lockspace_model::owners::Owners;
use lockspace_model::protocol::Protocol;
use lockspace_model::world::World;
use lockspace_spec::{Action, Op, OwnerId, RequestId, State};

/// A machine whose graph can be replayed: the protocol, whoever the requests belong to.
pub(crate) trait Replayed: Machine<State = World, Action = Action, Key = u64> {
    /// Whose a client's requests are; `None` where that changes nothing.
    fn owner_of(&self, client: RequestId) -> Option<OwnerId>;

    /// Whether an action is turned away before the protocol is asked.
    fn turns_away(&self, space: &State, action: &Action) -> bool;
}

impl Replayed for Protocol {
    fn owner_of(&self, _: RequestId) -> Option<OwnerId> {
        None
    }

    fn turns_away(&self, _: &State, _: &Action) -> bool {
        false
    }
}

impl Replayed for Owners<Protocol> {
    fn owner_of(&self, client: RequestId) -> Option<OwnerId> {
        Some(self.owner_of(client))
    }

    fn turns_away(&self, space: &State, action: &Action) -> bool {
        self.turns_away(space, action)
    }
}

/// All states of a protocol.
pub(crate) struct Graph<M> {
    pub(crate) machine: M,
    pub(crate) states: Vec<Node>,
}

/// A state and how to get there.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) path: Vec<Action>,
}

impl<M: Replayed> Graph<M> {
    /// Explores `machine`, breadth first.
    pub(crate) fn of(machine: M) -> Self {
        let initial = machine.initial();
        let mut known = HashMap::from([(machine.pack(&initial), ())]);
        let mut states = vec![Node { world: initial, path: Vec::new() }];
        let mut next = 0;
        while next < states.len() {
            let Node { world, path } = &states[next];
            let mut fresh = Vec::new();
            for action in actions(&machine, world) {
                let key = successor(&machine, world, &action);
                if known.insert(key, ()).is_none() {
                    let path = path.iter().copied().chain([action]).collect();
                    fresh.push(Node { world: machine.unpack(&key), path });
                }
            }
            states.append(&mut fresh);
            next += 1;
        }
        Self { machine, states }
    }

    /// Every action of a state, and whether it leads back to that state.
    pub(crate) fn edges(&self, node: &Node) -> Vec<(Action, bool)> {
        let here = self.machine.pack(&node.world);
        let edges = actions(&self.machine, &node.world).into_iter();
        edges.map(|a| (a, successor(&self.machine, &node.world, &a) == here)).collect()
    }
}

fn actions(machine: &impl Replayed, world: &World) -> Vec<Action> {
    let mut actions = Vec::new();
    machine.actions(world, &mut actions);
    // A path releases what was granted where it could as well cancel a grant that was not seen.
    actions.sort_by_key(|action| matches!(action, Action::Op(Op::Cancel { .. })));
    actions
}

fn successor(machine: &impl Replayed, world: &World, action: &Action) -> u64 {
    match machine.next(world, &mut world.clone(), action, Ids::NONE) {
        Next::Sound { to, .. } => to,
        Next::Broken(ids) => panic!("{action:?} breaks {ids:?}"),
    }
}
