//! Whatever text is asked for, it is a name or an error that says what is wrong with it, everywhere.

use std::collections::{BTreeSet, HashSet};

use lockspace::store::Key;
use lockspace::{AcquireError, LockName, LockSpace, NameError};
use proptest::prelude::*;

/// Text of any length about the limit, with characters of one to four bytes.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,40}", "[\u{0}-\u{10ffff}]{0,20}", "[aä€😀]{60,280}"]
}

fn expected(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        1..=LockName::MAX_BYTES => Ok(()),
        bytes => Err(NameError::TooLong { bytes }),
    }
}

proptest! {
    #[test]
    fn a_name_has_between_1_and_255_bytes_and_is_kept_as_it_is(text in texts()) {
        let name = LockName::new(&text);
        prop_assert_eq!(name.as_ref().map(|_| ()).map_err(|error| *error), expected(&text));
        if let Ok(name) = name {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(Key::parse(&Key::Lock(name.clone()).to_string()), Some(Key::Lock(name)));
        }
    }

    #[test]
    fn text_becomes_a_name_in_the_same_way_everywhere(text in texts()) {
        let name = LockName::new(&text);
        prop_assert_eq!(&text.parse::<LockName>(), &name);
        prop_assert_eq!(&LockName::try_from(text.as_str()), &name);
        prop_assert_eq!(&LockName::try_from(text.clone()), &name);
    }

    #[test]
    fn a_name_is_found_and_compared_as_its_text_is(texts in prop::collection::vec(texts(), 0..20)) {
        let names = || texts.iter().filter_map(|text| LockName::new(text).ok());
        let (hashed, sorted) = (HashSet::<_>::from_iter(names()), BTreeSet::from_iter(names()));
        for text in &texts {
            let is_name = LockName::new(text).is_ok();
            prop_assert_eq!(hashed.contains(text.as_str()), is_name);
            prop_assert_eq!(sorted.contains(text.as_str()), is_name);
            for name in names() {
                prop_assert_eq!(name == **text, name.as_str() == text);
            }
        }
    }

    #[test]
    fn a_text_that_is_no_name_is_refused_and_leaves_nothing(text in texts()) {
        let space = LockSpace::new();
        let refused = |error: AcquireError| match error {
            AcquireError::InvalidName(error) => error,
            other => panic!("{text:?}: {other}"),
        };
        let acquired = space.try_acquire(&text).map(drop).map_err(refused);
        prop_assert_eq!(acquired, expected(&text));
        prop_assert_eq!(space.force_release(&text).map(drop), expected(&text));
        prop_assert!(space.audit().is_quiescent());
    }

    #[test]
    fn any_key_of_a_store_is_one_of_ours_or_none(text in "(lock/|session/)?\\PC{0,40}") {
        if let Some(key) = Key::parse(&text) {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}
