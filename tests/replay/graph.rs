//! The state graph of a protocol, with a shortest path to every state.

use std::collections::HashMap;

use lockspace_model::machine::{Ids, Machine, Next};
use lockspace_model::protocol::Protocol;
use lockspace_model::world::World;
use lockspace_spec::Action;

/// All states of a protocol.
pub(crate) struct Graph {
    pub(crate) protocol: Protocol,
    pub(crate) states: Vec<Node>,
}

/// A state and how to get there.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) path: Vec<Action>,
}

impl Graph {
    /// Explores `protocol`, breadth first.
    pub(crate) fn of(protocol: Protocol) -> Self {
        let initial = protocol.initial();
        let mut known = HashMap::from([(protocol.pack(&initial), ())]);
        let mut states = vec![Node { world: initial, path: Vec::new() }];
        let mut next = 0;
        while next < states.len() {
            let Node { world, path } = &states[next];
            let mut fresh = Vec::new();
            for action in actions(&protocol, world) {
                let key = successor(&protocol, world, &action);
                if known.insert(key, ()).is_none() {
                    let path = path.iter().copied().chain([action]).collect();
                    fresh.push(Node { world: protocol.unpack(&key), path });
                }
            }
            states.append(&mut fresh);
            next += 1;
        }
        Self { protocol, states }
    }

    /// Every action of a state, and whether it leads back to that state.
    pub(crate) fn edges(&self, node: &Node) -> Vec<(Action, bool)> {
        let here = self.protocol.pack(&node.world);
        let edges = actions(&self.protocol, &node.world).into_iter();
        edges.map(|a| (a, successor(&self.protocol, &node.world, &a) == here)).collect()
    }
}

fn actions(protocol: &Protocol, world: &World) -> Vec<Action> {
    let mut actions = Vec::new();
    protocol.actions(world, &mut actions);
    actions
}

fn successor(protocol: &Protocol, world: &World, action: &Action) -> u64 {
    match protocol.next(world, &mut world.clone(), action, Ids::NONE) {
        Next::Sound { to, .. } => to,
        Next::Broken(ids) => panic!("{action:?} breaks {ids:?}"),
    }
}
