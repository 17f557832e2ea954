//! The protocol that is explored must be the protocol: nothing is lost by renaming tokens, by packing,
//! or by counting states that differ only by an exchange as one.

use std::collections::HashSet;

use lockspace_model::machine::{Ids, Machine, Next};
use lockspace_model::plain::Plain;
use lockspace_model::protocol::{Protocol, Symmetry};
use lockspace_model::world::World;
use lockspace_spec::{
    Action, Env, FencingToken, Limits, Name, Op, Outcomes, Phase, RequestId, SAFETY, Transition,
    apply, step,
};

/// Every reachable state of `machine`.
fn reachable<M: Machine>(machine: &M) -> HashSet<M::Key> {
    let first = machine.pack(&machine.initial());
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(key) = open.pop() {
        for to in successors(machine, &machine.unpack(&key)) {
            if seen.insert(to.clone()) {
                open.push(to);
            }
        }
    }
    seen
}

fn successors<M: Machine>(machine: &M, state: &M::State) -> HashSet<M::Key> {
    let mut actions = Vec::new();
    machine.actions(state, &mut actions);
    let mut scratch = state.clone();
    let next =
        actions.iter().map(|action| match machine.next(state, &mut scratch, action, Ids::NONE) {
            Next::Sound { to, .. } => to,
            Next::Broken(ids) => panic!("{action:?} in {state:?} breaks {:?}", ids.of(&SAFETY)),
        });
    next.collect()
}

const TIGHT: Limits = Limits { names: 1, waiters_per_name: 1 };

#[test]
fn the_image_of_the_plain_machine_is_the_whole_protocol() {
    for (clients, names, grants, limits) in [
        (2, 1, 4, Limits::UNLIMITED),
        (3, 1, 5, Limits::UNLIMITED),
        (2, 2, 5, Limits::UNLIMITED),
        (3, 2, 5, TIGHT),
    ] {
        let protocol = Protocol::new(clients, names, Symmetry::None).limits(limits);
        let plain = Plain::new(clients, names, grants).limits(limits);
        let image: HashSet<u64> =
            reachable(&plain).iter().map(|world| protocol.pack(world)).collect();
        assert_eq!(image, reachable(&protocol), "{clients} clients, {names} names");
    }
}

#[test]
fn too_few_grants_do_not_cover_the_protocol() {
    let protocol = Protocol::new(3, 1, Symmetry::None);
    let image: HashSet<u64> =
        reachable(&Plain::new(3, 1, 2)).iter().map(|world| protocol.pack(world)).collect();
    let whole = reachable(&protocol);
    assert!(image.is_subset(&whole) && image.len() < whole.len());
}

#[test]
fn renaming_tokens_is_a_bisimulation() {
    for (clients, names, grants) in [(2, 1, 5), (3, 1, 4), (2, 2, 4)] {
        let protocol = Protocol::new(clients, names, Symmetry::None);
        let plain = Plain::new(clients, names, grants);
        let mut compared = 0;
        for world in reachable(&plain) {
            // Where the bound on grants bites the plain machine can do less, which is no difference.
            if !plain.may_acquire(&world) {
                continue;
            }
            let image: HashSet<u64> = successors(&plain, &world)
                .iter()
                .map(|to| protocol.pack(to))
                .chain([protocol.pack(&world)])
                .collect();
            let key = protocol.pack(&world);
            let mut direct = successors(&protocol, &protocol.unpack(&key));
            direct.insert(key);
            assert_eq!(image, direct, "{world:?}");
            compared += 1;
        }
        assert!(compared > 20, "only {compared} states compared");
    }
}

#[test]
fn a_key_is_unpacked_to_the_state_that_was_packed() {
    for symmetry in [Symmetry::None, Symmetry::Clients, Symmetry::ClientsAndNames] {
        let protocol = Protocol::new(3, 2, symmetry);
        for key in reachable(&protocol) {
            assert_eq!(protocol.pack(&protocol.unpack(&key)), key);
        }
    }
}

#[test]
fn with_symmetry_the_states_are_the_images_of_those_without() {
    for (clients, names, limits) in [
        (3, 1, Limits::UNLIMITED),
        (3, 2, Limits::UNLIMITED),
        (4, 2, TIGHT),
        (2, 3, Limits::UNLIMITED),
    ] {
        let whole = Protocol::new(clients, names, Symmetry::None).limits(limits);
        for symmetry in [Symmetry::Clients, Symmetry::ClientsAndNames] {
            let reduced = Protocol::new(clients, names, symmetry).limits(limits);
            let images: HashSet<u64> =
                reachable(&whole).iter().map(|key| reduced.pack(&whole.unpack(key))).collect();
            assert_eq!(images, reachable(&reduced), "{clients} clients, {names} names");
        }
    }
}

#[test]
fn counting_the_exchanges_of_each_state_gives_the_number_without_symmetry() {
    for (clients, names) in [(3, 2), (4, 2), (3, 3)] {
        let whole = reachable(&Protocol::new(clients, names, Symmetry::None)).len();
        let by_clients = Protocol::new(clients, names, Symmetry::Clients);
        let by_both = Protocol::new(clients, names, Symmetry::ClientsAndNames);
        let count = |protocol: &Protocol, exchanges: fn(&World) -> usize| -> usize {
            let keys = reachable(protocol);
            keys.iter().map(|key| exchanges(&protocol.unpack(key))).sum()
        };
        assert_eq!(count(&by_clients, seatings), whole);
        assert_eq!(count(&by_both, |world| seatings(world) * namings(world)), whole);
    }
}

/// In how many ways the clients can take the places of `world`.
fn seatings(world: &World) -> usize {
    let clients = world.clients.len();
    let busy = world.space.holds.len() + world.space.waiters().count();
    (clients - busy + 1..=clients).product()
}

/// In how many ways the names can take the parts of `world`, clients apart.
fn namings(world: &World) -> usize {
    let names = world.space.next_token.0 as u16 - 1;
    let part = |name| {
        let hold = world.space.holder_of(Name(name)).map(|(_, hold)| hold.lease);
        let queue = world.space.entries.get(&Name(name)).into_iter().flatten();
        (hold, queue.map(|waiter| (waiter.timed, waiter.lease)).collect::<Vec<_>>())
    };
    let parts: Vec<_> = (0..names).map(part).collect();
    let all: usize = (1..=parts.len()).product();
    let alike =
        |index: usize| parts[..=index].iter().filter(|other| **other == parts[index]).count();
    all / (0..parts.len()).map(alike).product::<usize>()
}

#[test]
fn no_request_whatever_does_harm() {
    // What no client can do, such as releasing somebody else's token or acquiring while it waits.
    let plain = Plain::new(3, 2, 3);
    for world in reachable(&plain) {
        let requests = || (0..4).map(RequestId);
        let tokens = || (0..=world.space.next_token.0).map(FencingToken);
        let mut actions: Vec<Action> =
            tokens().map(|token| Env::LeaseElapsed { token }.into()).collect();
        for request in requests() {
            plain.actions(&World::new(4, Limits::UNLIMITED), &mut actions);
            for token in tokens() {
                actions.push(Op::Release { request, token }.into());
                actions.push(Op::Renew { request, token }.into());
            }
        }
        for action in &actions {
            let (after, outcomes) = step(&world.space, action);
            let transition =
                Transition { before: &world.space, action, outcomes: &outcomes, after: &after };
            for property in SAFETY {
                assert!((property.holds)(&transition), "{}: {transition:?}", property.id);
            }
        }
    }
}

#[test]
fn thinning_out_the_actions_leaves_out_no_state() {
    for protocol in [
        Protocol::new(3, 2, Symmetry::None),
        Protocol::new(4, 2, Symmetry::ClientsAndNames),
        Protocol::new(3, 2, Symmetry::None).limits(TIGHT),
    ] {
        assert_eq!(reachable(&protocol.sparse()), reachable(&protocol));
    }
}

/// A design that keeps every safety property and yet is not the protocol.
fn never_grants_at_once(state: &mut lockspace_spec::State, action: &Action) -> Outcomes {
    match *action {
        Action::Op(Op::Acquire { request, .. }) if state.phase == Phase::Open => {
            let mut told = Outcomes::default();
            if state.hold_of(request).is_none() && state.place_of(request).is_none() {
                told.tell(request, lockspace_spec::Outcome::Refused(lockspace_spec::Refusal::Busy));
            }
            told
        }
        _ => apply(state, action),
    }
}

#[test]
fn another_protocol_is_told_from_this_one() {
    let protocol = Protocol::new(2, 1, Symmetry::None);
    let other = protocol.design(never_grants_at_once);
    assert_ne!(reachable(&other), reachable(&protocol));
}
