//! Faulty designs of the protocol over a store, each of which the model of the cluster must refute.
//!
//! A defect is the correct [`Design`] with one function replaced, or the correct one in a world that is
//! worse than it assumes. To add one, see [`crate::defects`], of whose list these are a part.

mod clocks_are_worse_than_the_margin;
mod dead_waiter_is_met_when_it_holds;
mod dead_waiter_is_never_pruned;
mod expiry_by_wall_clock;
mod kill_does_not_compare;
mod release_by_name;
mod renewal_brings_back_the_dead;
mod token_is_drawn_before_the_write;
mod trust_counts_from_the_answer;
mod unknown_is_taken_for_failure;
mod unknown_is_taken_for_success;

use lockspace::store::Reply;
use lockspace::store::member::Answer;
use lockspace::store::record::Record;

use super::{Calls, Cluster, Design, Events, Network};
use crate::defects::{Defect, Does};

/// Every defect.
pub(crate) const DEFECTS: [Defect; 11] = [
    expiry_by_wall_clock::DEFECT,
    kill_does_not_compare::DEFECT,
    trust_counts_from_the_answer::DEFECT,
    unknown_is_taken_for_success::DEFECT,
    clocks_are_worse_than_the_margin::DEFECT,
    token_is_drawn_before_the_write::DEFECT,
    unknown_is_taken_for_failure::DEFECT,
    release_by_name::DEFECT,
    renewal_brings_back_the_dead::DEFECT,
    dead_waiter_is_met_when_it_holds::DEFECT,
    dead_waiter_is_never_pruned::DEFECT,
];

/// Two sessions that share one name, and nothing else happens.
const STILL: Cluster = Cluster::new(2, 1);

/// A line of two behind a holder, of whom any may crash; within four ticks the name must be taken over.
const LINE_THAT_CRASHES: Cluster = Cluster {
    sessions: 3,
    clocks: [2, 2],
    events: Events { crashes: true, ..Events::NONE },
    takeover: Some(4),
    ..STILL
};

/// The row of a name, if this answer shows it.
fn shown(answer: &Answer) -> Option<&Record> {
    match answer {
        Answer::Name(_, Reply::Loaded(Some((_, record)))) => Some(record),
        _ => None,
    }
}

/// One call of these may be on its way.
const fn one_late(which: Calls) -> Network {
    Network::Late { which, calls: 1, given_up: 0 }
}

/// What is refuted in a cluster: its design there, and the correct one.
const fn refuted(bounds: Cluster, design: Design) -> Does {
    Does::Messages(Cluster { design, ..bounds }, bounds)
}
