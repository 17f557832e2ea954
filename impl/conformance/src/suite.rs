//! The one list of all cases, and the tests and the table that are made of it.

/// Hands the list of all cases to another macro of this package. The one place where cases are named.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_case {
    ($then:ident $($args:tt)*) => {
        $crate::$then! { ($($args)*)
            swap::a_swap_does_what_it_says,
            swap::a_swap_is_done_once,
            swap::any_bytes_under_any_key_come_back,
            swap::keys_that_look_alike_are_different_rows,
            swap::swaps_of_many_are_linearizable,
            swap::swaps_of_many_processes_are_linearizable,
            versions::versions_grow_over_all_keys,
            versions::versions_grow_over_deletes,
            versions::versions_grow_over_a_reopening,
            versions::versions_grow_over_a_restart,
            versions::versions_grow_over_a_kill,
            versions::versions_end_with_the_greatest,
            reads::a_load_sees_the_latest_swap,
            reads::a_scan_shows_every_row_that_stays,
            reads::a_prefix_is_no_pattern,
            reads::namespaces_share_nothing,
            failures::an_error_says_whether_it_was_done,
            failures::a_dropped_call_leaves_the_store_usable,
            failures::the_store_is_usable_after_a_restart,
            promises::hints_come,
            promises::what_was_answered_survives_a_kill,
            promises::what_was_answered_survives_a_failover,
            // Whoever breaks the contract breaks these too, so that they say little about where.
            many::one_at_a_time_is_inside,
            many::processes_are_served_in_the_order_in_which_they_came,
            many::hints_that_are_lost_hinder_nobody,
            many::a_shutdown_with_many_held_and_waiting_leaves_nothing,
            alone::tokens_grow_over_idle_names,
            alone::a_lost_call_at_any_moment_leaves_nothing,
            alone::a_lost_call_among_others_leaves_nothing,
            alone::an_acquire_that_is_dropped_at_any_moment_leaves_nothing,
            cut::a_holder_that_crashes_is_replaced,
            cut::a_waiter_that_crashes_is_passed_over,
            cut::a_holder_that_was_cut_off_knows_before_it_is_replaced,
            cut::when_all_crash_nothing_is_left,
            processes::processes_exclude_each_other,
            processes::a_process_hands_over_to_another,
            processes::a_process_that_is_killed_is_replaced,
        }
    };
}

/// A test for each case, by its name: `suite!(Mine)`, where `Mine` is a [`Harness`](crate::Harness).
/// They stand where the macro stands, so put it into a module of its own.
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        $crate::__each_case! { __tests $harness }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($harness:ty) $($module:ident::$name:ident,)+) => {$(
        #[test]
        fn $name() {
            $crate::test::<$harness>(stringify!($name), module_path!());
        }
    )+};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    (() $($module:ident::$name:ident,)+) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$(stringify!($name)),+];

        /// Whether a case looks at lockspaces over the store, rather than at the store.
        pub fn is_about_locks(case: &str) -> bool {
            let modules = [$((stringify!($name), stringify!($module))),+];
            let of_locks = |module: &str| ["many", "alone", "cut", "processes"].contains(&module);
            modules.iter().any(|(name, module)| *name == case && of_locks(module))
        }

        /// The case of this name, in this place.
        pub(crate) async fn look(name: &str, place: $crate::place::Place) -> Looked {
            match name {
                $(stringify!($name) => $module::$name(place).await,)+
                _ => panic!("no case is called {name}"),
            }
        }
    };
}
