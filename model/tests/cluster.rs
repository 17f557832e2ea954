//! The protocol over a store can be broken, and the checks of it see that.

use lockspace::store::record::Record;
use lockspace_model::cluster::graph::Graph;
use lockspace_model::cluster::world::{Action, NOW, slot_of};
use lockspace_model::cluster::{Cluster, Design, Events};
use lockspace_model::defects::{DEFECTS, Defect, Does};
use lockspace_model::explorer::explore;
use lockspace_model::machine::{Ids, Machine, Next};

/// Two sessions, of which some crash and all sweep, and clocks that are alike.
const CRASHING: Cluster = Cluster {
    clocks: [2, 2],
    events: Events { crashes: true, sweeping: true, ..Events::NONE },
    ..Cluster::new(2, 1)
};

#[test]
fn a_margin_shorter_than_clocks_need_lets_two_hold_a_name() {
    let clocks = Cluster { clocks: [2, 3], ..Cluster::new(2, 1) };
    assert!(explore(&clocks, 2, Ids::NONE, |_| ()).broken.is_empty());
    let shorter = Cluster { margin: 1, ..clocks };
    assert!(!explore(&shorter, 2, Ids::NONE, |_| ()).broken.is_empty());
}

#[test]
fn a_takeover_a_tick_earlier_than_stated_is_refuted() {
    let defect = DEFECTS.iter().find(|defect| defect.breaks == "L2" && defect.clients == 3);
    assert!(defect.is_some(), "a defect is refuted by the bound on takeovers");
    let prompt = |ticks| Cluster { takeover: Some(ticks), ..CRASHING };
    assert!(explore(&prompt(4), 2, Ids::NONE, |_| ()).broken.is_empty());
    assert!(!explore(&prompt(3), 2, Ids::NONE, |_| ()).broken.is_empty());
}

#[test]
fn a_dead_waiter_that_nobody_watches_is_never_taken_out() {
    let defect = Defect::called("dead-waiter-is-never-pruned").expect("there is one");
    let Does::Messages(faulty, correct) = defect.does else { panic!("it runs in a cluster") };
    // Whatever the bound on takeovers is: everybody does what it should, and all is as it was.
    let stays = behind_two_dead(Cluster { takeover: Some(u64::MAX), ..faulty });
    assert_eq!(stays.line().count(), 3);
    let pruned = behind_two_dead(Cluster { takeover: Some(u64::MAX), ..correct });
    assert_eq!(pruned.line().count(), 1);
}

/// Somebody holds the name and dies, the next one waits and dies, and a third one waits; then time passes
/// until nothing changes any more. The row of the name.
fn behind_two_dead(cluster: Cluster) -> Record {
    let mut world = cluster.initial();
    // States are canonical, so who has which slot may change with each step.
    let mut step = |kind: &dyn Fn(&Action, Option<&Record>) -> bool| {
        let row = world.store.names[0].as_ref().map(|(_, record)| record);
        let mut actions = Vec::new();
        cluster.actions(&world, &mut actions);
        let action = *actions.iter().find(|action| kind(action, row)).expect("it is possible");
        let next = cluster.next(&world, &mut world.clone(), &action, Ids::NONE);
        let Next::Sound { to, .. } = next else { panic!("{action:?} breaks a property") };
        let before = std::mem::replace(&mut world, cluster.unpack(&to));
        // How long somebody has waited is counted for the bound only.
        for users in world.slots.iter_mut().flat_map(|seat| &mut seat.users) {
            users.behind_the_dead = 0;
        }
        let row = world.store.names[0].as_ref().map(|(_, record)| record.clone());
        (cluster.pack(&before) == cluster.pack(&world), row)
    };
    for _ in 0..3 {
        step(&|action, _| matches!(action, Action::Begin(_)));
    }
    for place in [0, 1] {
        step(&|action, _| matches!(action, Action::Want(..)));
        step(&|action, row| dies(action, row, place));
    }
    step(&|action, _| matches!(action, Action::Want(..)));
    for _ in 0..20 {
        if let (true, row) = step(&|action, _| matches!(action, Action::Tick(_))) {
            return row.expect("somebody who lives wants the name");
        }
    }
    panic!("something changes for ever");
}

/// Whether the one dies that has this place in the row.
fn dies(action: &Action, row: Option<&Record>, place: usize) -> bool {
    let claim = row.and_then(|record| record.line().nth(place));
    claim.is_some_and(|claim| *action == Action::Crash(slot_of(claim.session)))
}

#[test]
fn a_store_in_which_nobody_remembers_the_dead_is_never_emptied() {
    assert!(Graph::of(CRASHING).stuck().is_empty());
    let forgetful = Design {
        take: |member, _, answer| {
            member.answered(answer, NOW);
            member.others.sessions.clear();
        },
        ..Design::CORRECT
    };
    assert!(!Graph::of(Cluster { design: forgetful, ..CRASHING }).stuck().is_empty());
}
