//! Stores whose versions are not what they should be: too great for a fencing token, or older than before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lockspace::store::record::{Record, RecordError};
use lockspace::store::{OpenError, Options, Row, Store, StoreError, Swap, Version};
use lockspace::{AcquireError, LockSpace, Loss, SessionEnd};

use crate::{NAME, TTL, open, pass, settle, within};

/// A store that can be put back to what it was, and its versions on to what they should never be.
#[derive(Clone, Default)]
struct Restorable(Arc<Mutex<Rows>>);

#[derive(Clone, Default)]
struct Rows {
    last: u64,
    rows: BTreeMap<String, (Version, Vec<u8>)>,
}

impl Restorable {
    fn copy(&self) -> Rows {
        self.0.lock().unwrap().clone()
    }

    /// As somebody does who restores a copy; the versions go on, as a store owes it.
    fn restore(&self, copy: &Rows) {
        self.0.lock().unwrap().rows = copy.rows.clone();
    }

    fn go_on_from(&self, version: Version) {
        self.0.lock().unwrap().last = version.0;
    }
}

impl Store for Restorable {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        Ok(self.0.lock().unwrap().rows.get(key).cloned())
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let mut all = self.0.lock().unwrap();
        if all.rows.get(key).map(|(version, _)| *version) != expected {
            return Ok(Swap::Conflict);
        }
        all.last += 1;
        let version = Version(all.last);
        match new {
            Some(bytes) => all.rows.insert(key.into(), (version, bytes.into())),
            None => all.rows.remove(key),
        };
        Ok(Swap::Swapped(version))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let all = self.copy();
        let rows = all.rows.into_iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(rows.map(|(key, (version, bytes))| Row { key, version, bytes }).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_versions_are_no_fencing_tokens_is_not_opened() {
    let store = Restorable::default();
    store.go_on_from(Version::MAX);
    let error = LockSpace::open(store, Options::new()).await.unwrap_err();
    assert_eq!(error, OpenError::VersionTooGreat { version: Version(1 << 63) });
}

#[tokio::test(start_paused = true)]
async fn the_greatest_version_is_granted_and_the_next_one_is_not() {
    let store = Restorable::default();
    let space = open(store.clone()).await;
    store.go_on_from(Version(Version::MAX.0 - 1));
    let last = space.acquire(NAME).await.unwrap();
    assert_eq!(last.fencing_token().0, Version::MAX.0);
    let error = space.acquire("other").wait_timeout(TTL / 4).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("9223372036854775808"), "{error}");
    // The session cannot be kept alive either, and its holder is told in time.
    let lost = within(TTL, last.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage));
}

#[test]
fn a_row_with_a_token_that_is_too_great_is_damaged() {
    let row = |token: u64| format!("lockspace-lock/1 holder={:032x}.1 token={token} queue=", 1);
    assert!(Record::read(row(Version::MAX.0).as_bytes()).is_ok());
    assert_eq!(Record::read(row(1 << 63).as_bytes()), Err(RecordError::Damaged));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_restored_from_a_copy_ends_the_session_and_says_why() {
    let store = Restorable::default();
    let space = open(store.clone()).await;
    let copy = store.copy();
    pass(TTL / 2).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.restore(&copy);
    let lost = within(TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::StoreWentBack));
    // It goes on with a new session, and tokens still grow.
    let again = within(TTL, space.acquire(NAME)).await.unwrap();
    assert!(again.fencing_token() > lost.token);
    drop((guard, again));
    let report = space.shutdown(TTL).await;
    assert!(!report.session_left);
    assert_eq!(store.copy().rows.len(), 0, "neither the old session nor the new one");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_lost_everything_ends_the_session() {
    let store = Restorable::default();
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.restore(&Rows::default());
    let lost = within(TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Removed));
    settle().await;
    assert!(space.acquire(NAME).await.unwrap().fencing_token() > lost.token);
}
