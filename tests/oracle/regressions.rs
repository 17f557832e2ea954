//! Sequences that went wrong once, as they were shrunk. Not their seeds: from those, other sequences are made
//! when more is generated than was then.

use lockspace_spec::{Limits, Name, OwnerId};
use lockspace_tests::Setup;

use crate::generated::judge;
use crate::plan::{Plan, Wish};

/// One that asks for a name and waits without a limit, and has no lease.
fn ask(name: u16) -> Wish {
    Wish::Ask(Name(name), None, None, None)
}

fn goes_well(setup: Setup, wishes: Vec<Wish>) {
    let setup = Setup { shards: 1, timing: false, ..setup };
    if let Err(story) = judge(&Plan { setup, wishes }) {
        panic!("{story}");
    }
}

/// The last request may not queue, and would wait for itself besides.
#[test]
fn whoever_would_wait_for_itself_at_the_limit_on_waiters_is_told_of_the_limit() {
    let limits = Limits { waiters_per_name: 0, ..Limits::UNLIMITED };
    let owner = Some(OwnerId(0));
    let [holds, waits] = [None, Some(1)].map(|wait| Wish::Ask(Name(2), wait, None, owner));
    let setup = Setup { limits, detect_deadlocks: true, ..Setup::default() };
    goes_well(setup, vec![ask(0), ask(0), holds, waits]);
}

/// Both were due at the same moment, and the lease went first.
#[test]
fn a_wait_that_ends_when_the_lease_before_it_ends_is_in_vain() {
    let (leased, waits) = (Some(4), Some(4));
    let wishes = vec![
        Wish::Ask(Name(1), None, leased, None),
        Wish::Ask(Name(1), waits, None, None),
        Wish::Elapse,
    ];
    goes_well(Setup::default(), wishes);
}

/// The lease of a name that did not lie beside the lock had no place any more when its timer was disarmed.
#[test]
fn a_shutdown_takes_the_lease_of_a_fifth_name_of_its_shard() {
    let leased = Wish::Ask(Name(5), None, Some(1), None);
    goes_well(Setup::default(), vec![ask(4), ask(3), ask(2), ask(0), leased, Wish::ShutDown(0)]);
}
