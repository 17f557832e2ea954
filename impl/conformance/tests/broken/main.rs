//! The kit can fail: each store with a flaw is refuted by the case that is there for it, and by no case
//! that has nothing to do with the flaw.

mod shelf;

use lockspace_conformance::{CASES, Verdict, is_about_locks, run, run_some};
use shelf::{Flaw, Has, Place};

/// A shelf with this flaw is refuted by the case that is there for it, and else by related ones at most.
fn is_found<F: Has>(by: &str, related: Related) {
    let refuted = run_some::<Place<F>>(|case| !is_about_locks(case)).refuted();
    assert!(refuted.contains(&by), "it was refuted by {refuted:?}");
    let Related::These(related) = related else { return };
    let strange = refuted.into_iter().filter(|case| *case != by && !related.contains(case));
    let strange: Vec<_> = strange.collect();
    assert!(strange.is_empty(), "it has nothing to do with {strange:?}");
}

/// Which other cases a flaw may show itself in.
enum Related {
    These(&'static [&'static str]),
    /// In any: it touches each call.
    All,
}

macro_rules! flaws {
    ($($test:ident: $flaw:ident by $by:ident, $related:expr;)+) => {$(
        #[test]
        fn $test() {
            struct Flawed;
            impl Has for Flawed {
                const FLAW: Flaw = Flaw::$flaw;
            }
            is_found::<Flawed>(stringify!($by), $related);
        }
    )+};
}

const ALONE: Related = Related::These(&[]);

/// Those in which many swap the same rows.
const CROWDS: Related = Related::These(&[
    "swaps_of_many_are_linearizable",
    "versions_grow_over_all_keys",
    "an_error_says_whether_it_was_done",
]);

flaws! {
    a_swap_that_is_not_atomic_is_found:
        SwapIsNotAtomic by swaps_of_many_are_linearizable, CROWDS;
    a_version_that_is_drawn_too_early_is_found:
        VersionIsDrawnBeforeTheRowIsLocked by versions_grow_over_all_keys, CROWDS;
    versions_that_restart_with_the_row_are_found:
        VersionsRestartWithTheRow by versions_grow_over_deletes, Related::All;
    writes_that_a_kill_loses_are_found:
        KillLosesWrites by what_was_answered_survives_a_kill, ALONE;
    a_counter_that_a_kill_loses_is_found:
        KillLosesTheCounter by versions_grow_over_a_kill, ALONE;
    stale_loads_are_found:
        LoadsAreStale by a_load_sees_the_latest_swap, Related::All;
    a_swap_that_is_done_twice_is_found:
        SwapIsDoneTwice by a_swap_is_done_once, Related::All;
    a_driver_that_tries_again_by_itself_is_found:
        LostRepliesAreRetried by an_error_says_whether_it_was_done, ALONE;
    an_unknown_outcome_that_is_called_a_failure_is_found:
        UnknownIsCalledNotDone by an_error_says_whether_it_was_done, ALONE;
    a_scan_that_ends_after_a_page_is_found:
        ScanEndsAfterAPage by a_scan_shows_every_row_that_stays, ALONE;
    a_prefix_that_is_a_pattern_is_found:
        PrefixIsAPattern by a_prefix_is_no_pattern, ALONE;
    namespaces_that_are_shared_are_found:
        NamespacesAreShared by namespaces_share_nothing, ALONE;
    dropped_calls_that_keep_their_place_are_found:
        DroppedCallsKeepTheirPlace by a_dropped_call_leaves_the_store_usable, ALONE;
    hints_that_are_claimed_and_do_not_come_are_found:
        HintsAreClaimed by hints_come, ALONE;
}

#[test]
fn a_lockspace_over_a_store_with_a_flaw_is_found() {
    struct Restarting;
    impl Has for Restarting {
        const FLAW: Flaw = Flaw::VersionsRestartWithTheRow;
    }
    let case = "tokens_grow_over_idle_names";
    assert_eq!(run_some::<Place<Restarting>>(|name| name == case).refuted(), [case]);
}

struct Flawless;

impl Has for Flawless {
    const FLAW: Flaw = Flaw::Nothing;
}

#[test]
fn a_store_without_flaw_is_proved_in_all_that_it_claims() {
    let report = run::<Place<Flawless>>();
    for case in CASES {
        let verdict = report.verdict(case).unwrap();
        match *case {
            "what_was_answered_survives_a_failover" => assert_eq!(*verdict, Verdict::NotClaimed),
            _ => assert_eq!(*verdict, Verdict::Proved, "{case}"),
        }
    }
}
