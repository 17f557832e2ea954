//! The kit can fail: each store with a flaw is refuted by the case that is there for it, and by no case
//! that has nothing to do with the flaw.

// The oldest Rust is promised to users of the kit, not to its tests.
#![allow(clippy::incompatible_msrv)]

mod file;
mod shelf;

use file::{Drawer, Habit, Has as Keeps};
use lockspace_conformance::{
    CASES, Report, Verdict, is_about_locks, play_part, run, run_again, run_some,
};
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
    an_unknown_removal_that_is_called_a_failure_is_found:
        UnknownRemovalsAreCalledNotDone by an_error_says_whether_it_was_done, ALONE;
    a_removal_that_is_tried_again_by_itself_is_found:
        LostRemovalsAreRetried by an_error_says_whether_it_was_done, ALONE;
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
    loads_that_are_kept_until_a_hint_comes_are_found:
        LoadsAreKeptUntilAHint by a_load_sees_the_latest_swap, Related::All;
    versions_that_begin_again_after_the_greatest_are_found:
        VersionsWrap by versions_end_with_the_greatest, ALONE;
    versions_beyond_the_greatest_are_found:
        VersionsGoOnBeyondTheGreatest by versions_end_with_the_greatest, ALONE;
}

/// A flaw that a case of lockspaces must find too.
macro_rules! flaws_of_locks {
    ($($test:ident: $flaw:ident by $by:ident, $words:literal;)+) => {$(
        #[test]
        fn $test() {
            struct Flawed;
            impl Has for Flawed {
                const FLAW: Flaw = Flaw::$flaw;
            }
            let by = stringify!($by);
            refutes(&run_some::<Place<Flawed>>(|case| case == by), by, $words);
        }
    )+};
}

/// The case refutes it (or finds the same, on a machine that stands still), and says so in words that have
/// these among them. Where lockspaces are in each other's way, which of a case's sentences is broken first
/// depends on who is faster: there, any will do.
fn refutes(report: &Report, by: &str, words: &str) {
    match report.verdict(by) {
        Some(Verdict::Refuted(why) | Verdict::Undecided(why)) if why.contains(words) => {}
        verdict => panic!("{by}: {verdict:?}, which says nothing of {words:?}"),
    }
}

flaws_of_locks! {
    tokens_that_restart_are_found:
        VersionsRestartWithTheRow by tokens_grow_over_idle_names, "it has gone back";
    tokens_that_restart_are_found_after_a_lost_call:
        VersionsRestartWithTheRow by a_lost_call_at_any_moment_leaves_nothing, "it has gone back";
    tokens_that_restart_are_found_after_a_lost_call_among_others:
        VersionsRestartWithTheRow by a_lost_call_among_others_leaves_nothing, "";
    tokens_that_restart_are_found_after_a_dropped_acquire:
        VersionsRestartWithTheRow by an_acquire_that_is_dropped_at_any_moment_leaves_nothing, "";
    a_lockspace_that_cannot_do_without_hints_is_found:
        LoadsAreKeptUntilAHint by hints_that_are_lost_hinder_nobody, "";
}

/// What a case says of a store with this flaw, or of one that only takes patience.
fn verdict_of<F: Has>(case: &str) -> Verdict {
    let report = run_some::<Place<F>>(|other| other == case);
    report.verdict(case).expect("it was run").clone()
}

#[test]
fn a_store_that_does_not_answer_at_once_to_whoever_opens_it_is_not_refuted() {
    struct Busy;
    impl Has for Busy {
        const FLAW: Flaw = Flaw::IsBusy;
    }
    assert_eq!(verdict_of::<Busy>("one_at_a_time_is_inside"), Verdict::Proved);
}

#[test]
fn a_store_that_answers_late_to_whoever_acquires_is_not_refuted() {
    struct Late;
    impl Has for Late {
        const FLAW: Flaw = Flaw::AnswersLate;
    }
    let case = "an_acquire_that_is_dropped_at_any_moment_leaves_nothing";
    assert_eq!(verdict_of::<Late>(case), Verdict::Proved);
}

#[test]
fn a_store_that_sometimes_does_nothing_and_says_so_is_not_refuted() {
    struct Sometimes;
    impl Has for Sometimes {
        const FLAW: Flaw = Flaw::EveryTenthSwapIsNotDone;
    }
    let report = run_some::<Place<Sometimes>>(|case| !is_about_locks(case));
    for case in CASES.iter().filter(|case| !is_about_locks(case)) {
        let verdict = report.verdict(case).unwrap();
        let is_well =
            matches!(verdict, Verdict::Proved | Verdict::NotClaimed | Verdict::ClaimedNotProved(_));
        assert!(is_well, "{case}: {verdict}");
    }
}

#[test]
fn a_store_that_stood_still_once_is_not_refuted() {
    struct Once;
    impl Has for Once {
        const FLAW: Flaw = Flaw::StandsStillOnce;
    }
    // Whether somebody waits for the store just then depends on who is faster.
    let verdict = verdict_of::<Once>("hints_that_are_lost_hinder_nobody");
    assert!(matches!(verdict, Verdict::Proved | Verdict::Undecided(_)), "{verdict}");
}

/// What only processes of their own can show.
macro_rules! flaws_of_files {
    ($($test:ident: $habit:ident by $by:ident;)+) => {$(
        #[test]
        fn $test() {
            struct Flawed;
            impl Keeps for Flawed {
                const HABIT: Habit = Habit::$habit;
            }
            if play_part::<Drawer<Flawed>>() {
                return;
            }
            let by = stringify!($by);
            refutes(&run_again::<Drawer<Flawed>>(stringify!($test), |case| case == by), by, "");
        }
    )+};
}

flaws_of_files! {
    swaps_that_exclude_each_other_in_one_process_only_are_found:
        LocksInTheProcessOnly by swaps_of_many_processes_are_linearizable;
    lockspaces_that_exclude_each_other_in_one_process_only_are_found:
        LocksInTheProcessOnly by processes_exclude_each_other;
    a_file_that_is_read_once_in_a_process_is_found:
        ReadsOnce by a_process_hands_over_to_another;
    a_crashed_process_that_is_believed_in_is_found:
        ReadsOnce by a_process_that_is_killed_is_replaced;
    swaps_that_are_torn_by_a_kill_are_found:
        WritesInTwoSteps by an_error_says_whether_it_was_done;
    swaps_that_are_answered_before_they_are_written_are_found:
        WritesLater by what_was_answered_survives_a_kill;
    versions_that_are_answered_before_they_are_written_are_found:
        WritesLater by versions_grow_over_a_kill;
}

#[test]
fn what_needs_processes_is_proved_of_a_file_without_flaw() {
    struct Orderly;
    impl Keeps for Orderly {
        const HABIT: Habit = Habit::Orderly;
    }
    if play_part::<Drawer<Orderly>>() {
        return;
    }
    let test = "what_needs_processes_is_proved_of_a_file_without_flaw";
    let report = run_again::<Drawer<Orderly>>(test, |case| OF_PROCESSES.contains(&case));
    for case in OF_PROCESSES {
        assert_eq!(report.verdict(case), Some(&Verdict::Proved), "{case}");
    }
}

/// Cases that start processes of their own; some of them only where no server can be killed.
const OF_PROCESSES: [&str; 7] = [
    "swaps_of_many_processes_are_linearizable",
    "versions_grow_over_a_kill",
    "an_error_says_whether_it_was_done",
    "what_was_answered_survives_a_kill",
    "processes_exclude_each_other",
    "a_process_hands_over_to_another",
    "a_process_that_is_killed_is_replaced",
];

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
            // A shelf is in the memory of one process.
            "swaps_of_many_processes_are_linearizable"
            | "processes_exclude_each_other"
            | "a_process_hands_over_to_another"
            | "a_process_that_is_killed_is_replaced" => {
                assert!(matches!(verdict, Verdict::ClaimedNotProved(_)), "{case}: {verdict}");
            }
            _ => assert_eq!(*verdict, Verdict::Proved, "{case}"),
        }
    }
}
