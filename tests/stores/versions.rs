//! Stores whose versions are not what they should be: too great for a fencing token, or older than before.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    /// Swaps are done, and nobody is told.
    answers_are_lost: bool,
}

impl Restorable {
    fn copy(&self) -> Rows {
        self.0.lock().unwrap().clone()
    }

    /// As somebody does who restores a copy; the versions go on, as a store owes it.
    fn restore(&self, copy: &Rows) {
        self.0.lock().unwrap().rows = copy.rows.clone();
    }

    /// As somebody does who flushes everything, how far the versions had come too.
    fn begin_anew(&self) {
        *self.0.lock().unwrap() = Rows::default();
    }

    fn lose_answers(&self, lose: bool) {
        self.0.lock().unwrap().answers_are_lost = lose;
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
        if all.answers_are_lost {
            return Err(StoreError::Unknown("the answer was lost".into()));
        }
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
async fn a_grant_that_the_store_has_forgotten_is_overtaken_by_a_greater_token_and_ends_at_a_sweep()
{
    let store = Restorable::default();
    let (here, there) = (open(store.clone()).await, open(store.clone()).await);
    // As a replica does that takes over and had heard of the session, and not of the grant.
    let behind = store.copy();
    let guard = here.acquire(NAME).await.unwrap();
    store.restore(&behind);
    let heir = there.acquire(NAME).await.unwrap();
    // Nobody can know it yet: two believe to hold the name, and the resource has to look at the tokens.
    assert!(!guard.is_lost() && heir.fencing_token() > guard.fencing_token());
    let lost = within(TTL + Duration::from_secs(1), guard.lost()).await;
    assert_eq!(lost.reason, Loss::Forced);
    assert!(!heir.is_lost());
    drop(guard);
    pass(2 * TTL).await;
    assert_eq!(heir.release(), Ok(()));
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

#[tokio::test(start_paused = true)]
async fn a_store_whose_versions_begin_anew_grants_nothing_until_they_are_greater_than_before() {
    let store = Restorable::default();
    store.go_on_from(Version(1_000_000));
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.begin_anew();
    // The session does not know of it yet, and nobody is granted a smaller token all the same.
    let request = space.acquire("other").wait_timeout(TTL);
    let error = within(2 * TTL, request).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unreachable(_)), "{error}");
    let says = "it has gone back: it has given the version";
    assert!(error.to_string().contains(says), "{error}");
    let lost = within(TTL, guard.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::StoreWentBack));
    // Nor by any later session of this process, which has not seen the store before.
    let before = store.copy().last;
    let error = space.acquire(NAME).wait_timeout(20 * TTL).await.unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    let health = space.health().to_string();
    assert!(health.contains(says), "{health}");
    let swaps = store.copy().last - before;
    assert!((1..2_000).contains(&swaps), "{swaps} swaps in five minutes");
    store.go_on_from(Version(2_000_000));
    let again = within(TTL, space.acquire(NAME)).await.unwrap();
    assert!(again.fencing_token() > lost.token);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_everything_and_then_the_session_grants_no_smaller_token() {
    let store = Restorable::default();
    store.go_on_from(Version(1_000_000));
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.begin_anew();
    assert!(matches!(within(TTL, guard.lost()).await.reason, Loss::Session(SessionEnd::Removed)));
    let error = space.acquire(NAME).wait_timeout(TTL).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unreachable(_)), "{error}");
    let error = space.acquire(NAME).wait_timeout(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unreachable(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_found_with_a_smaller_version_is_no_grant() {
    let store = Restorable::default();
    store.go_on_from(Version(1_000_000));
    let space = open(store.clone()).await;
    let guard = space.acquire(NAME).await.unwrap();
    store.begin_anew();
    store.lose_answers(true);
    let mut request = Box::pin(space.acquire("other").wait_timeout(TTL / 4).into_future());
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut request).await.is_err());
    assert!(store.copy().rows.contains_key("lock/other"), "it was done");
    store.lose_answers(false);
    let error = request.await.unwrap_err();
    assert!(error.to_string().contains("it has gone back"), "{error}");
    assert_eq!(guard.lost().await.reason, Loss::Session(SessionEnd::StoreWentBack));
}
