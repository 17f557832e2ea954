//! The kit can fail for keys that look alike: a store that takes them for one another is refuted, whatever
//! makes it think so.

// The oldest Rust is promised to users of the kit, not to its tests.
#![allow(clippy::incompatible_msrv)]

use std::marker::PhantomData;

use lockspace::store::{Memory, Row, Store, StoreError, Swap, Version};
use lockspace_conformance::{Harness, NotRun, Verdict, run_some};

/// What a store makes of a key before it uses it.
trait Folds: Send + Sync + 'static {
    fn fold(key: &str) -> String;
}

/// A store with this habit.
struct Folding<F>(Memory, PhantomData<F>);

impl<F: Folds> Store for Folding<F> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.0.load(&F::fold(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.0.swap(&F::fold(key), expected, new).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.0.scan(&F::fold(prefix)).await
    }
}

/// A place for it.
struct Place<F>(Memory, PhantomData<F>);

impl<F: Folds> Harness for Place<F> {
    const NAME: &str = "a store that folds keys";
    type Store = Folding<F>;

    async fn start() -> Result<Self, NotRun> {
        Ok(Self(Memory::new(), PhantomData))
    }

    async fn open(&self) -> Folding<F> {
        Folding(self.0.clone(), PhantomData)
    }
}

const CASE: &str = "keys_that_look_alike_are_different_rows";

fn verdict<F: Folds>() -> Verdict {
    let report = run_some::<Place<F>>(|case| case == CASE);
    report.verdict(CASE).expect("it ran").clone()
}

macro_rules! habits {
    ($($test:ident: |$key:ident| $folded:expr;)+) => {$(
        #[test]
        fn $test() {
            struct Habit;
            impl Folds for Habit {
                fn fold($key: &str) -> String {
                    $folded
                }
            }
            let verdict = verdict::<Habit>();
            assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict}");
        }
    )+};
}

habits! {
    a_store_that_heeds_no_case_is_found: |key| key.to_ascii_lowercase();
    a_store_that_heeds_no_space_at_the_end_is_found: |key| key.trim_end_matches(' ').into();
    a_store_whose_keys_end_at_a_zero_is_found: |key| key.split('\0').next().unwrap_or("").into();
    a_store_that_normalises_unicode_is_found: |key| key.replace("a\u{308}", "ä");
    a_store_that_heeds_no_width_is_found: |key| key.replace('ａ', "a");
    a_store_that_keeps_forty_letters_is_found: |key| key.chars().take(40).collect();
    a_store_that_keeps_as_many_as_a_byte_can_count_is_found: |key| key.chars().take(255).collect();
    a_store_that_keeps_the_end_of_a_key_is_found: |key| {
        key.chars().skip(key.chars().count().saturating_sub(40)).collect()
    };
}

#[test]
fn a_store_that_takes_keys_as_they_are_is_proved() {
    struct Nothing;
    impl Folds for Nothing {
        fn fold(key: &str) -> String {
            key.into()
        }
    }
    assert_eq!(verdict::<Nothing>(), Verdict::Proved);
}
