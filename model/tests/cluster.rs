//! The protocol over a store can be broken, and the checks of it see that.

use lockspace_model::cluster::graph::Graph;
use lockspace_model::cluster::world::NOW;
use lockspace_model::cluster::{Cluster, Design, Events};
use lockspace_model::defects::DEFECTS;
use lockspace_model::explorer::explore;
use lockspace_model::machine::Ids;

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
