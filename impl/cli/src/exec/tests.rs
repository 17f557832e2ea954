//! What `exec` does when its store answers late, or not at all.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Memory, OperateError, Options, Row, Store, StoreError, Swap, Version};
use tokio::time::{Instant, sleep, timeout};

use super::opened;
use super::patience::{Patience, Refused, acquire};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(15);

/// A store that takes half a second until it does what it is asked, and for a swap as long again until it
/// answers; or that is out of reach.
#[derive(Clone)]
struct Slow {
    memory: Memory,
    is_down: Arc<AtomicBool>,
}

impl Slow {
    fn over(memory: &Memory) -> Self {
        Self { memory: memory.clone(), is_down: Arc::default() }
    }

    fn set_down(&self, down: bool) {
        self.is_down.store(down, Ordering::Relaxed);
    }

    async fn travel(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(StoreError::NotDone("it is down".into()));
        }
        sleep(SECOND / 2).await;
        Ok(())
    }
}

impl Store for Slow {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.travel().await?;
        self.memory.load(key).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.travel().await?;
        let swap = self.memory.swap(key, expected, new).await;
        sleep(SECOND / 2).await;
        swap
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.travel().await?;
        self.memory.scan(prefix).await
    }
}

/// A name that somebody holds who lives, and a lockspace of somebody else over a store that can go down.
async fn behind_the_living() -> (LockSpace, LockSpace, Slow) {
    let memory = Memory::new();
    let there = LockSpace::open(memory.clone(), Options::new()).await.expect("it is there");
    std::mem::forget(there.acquire("job").await.expect("nobody holds it"));
    let store = Slow::over(&memory);
    let here = LockSpace::open(store.clone(), Options::new()).await.expect("it is there");
    (there, here, store)
}

/// Why a name that somebody holds who lives is refused to whoever waits so long for it, and after how long.
async fn refused(here: &LockSpace, wait: Duration) -> (Refused, Duration) {
    let begun = Instant::now();
    let patience = Patience::new(wait.is_zero(), Some(wait));
    let refused = timeout(100 * TTL, acquire(here, "job", patience)).await.expect("it ends");
    (refused.expect_err("somebody holds it"), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_no_longer_than_the_wait() {
    let (_there, here, store) = behind_the_living().await;
    store.set_down(true);
    for wait in [Duration::ZERO, 10 * SECOND, 3 * TTL] {
        let (why, after) = refused(&here, wait).await;
        assert!(matches!(why, Refused::Unseen(OperateError::Store { .. })), "{why}");
        assert!(wait <= after && after < wait + SECOND, "{after:?} for {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_is_over_before_the_wait_is_waited_for() {
    let (_there, here, store) = behind_the_living().await;
    store.set_down(true);
    let over = async {
        sleep(5 * SECOND).await;
        store.set_down(false);
    };
    let ((why, after), ()) = tokio::join!(refused(&here, 20 * SECOND), over);
    assert!(matches!(why, Refused::TimedOut(..)), "{why}");
    assert_eq!(after.as_secs(), 20);
}

#[test]
fn whoever_is_ended_while_the_session_begins_leaves_none() {
    let memory = Memory::new();
    for moment in [Duration::ZERO, SECOND / 4, SECOND * 3 / 4] {
        let space = until_ended(&memory, async move || sleep(moment).await);
        assert!(space.is_none(), "it was ended after {moment:?}");
        assert_eq!(rows(&memory), [], "after {moment:?}");
    }
    let space = until_ended(&memory, pending::<()>);
    assert!(space.is_some());
    assert_eq!(rows(&memory).len(), 1, "nobody was left to end the session");
}

#[tokio::test(start_paused = true)]
async fn whoever_insists_on_an_end_while_the_session_begins_does_not_wait_for_it() {
    let begun = Instant::now();
    let store = Slow::over(&Memory::new());
    let opened = opened(store, Options::new(), TTL, async || sleep(SECOND / 4).await).await;
    assert!(opened.is_err(), "it was ended");
    assert_eq!(begun.elapsed(), SECOND / 2);
}

/// What is opened in a process that is gone as soon as it is opened or ended.
fn until_ended(memory: &Memory, ended: impl AsyncFnOnce()) -> Option<LockSpace> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("there is one");
    runtime.block_on(async {
        let mut first = Some(ended);
        let ended = async || match first.take() {
            Some(ended) => ended().await,
            None => pending().await,
        };
        let opened = opened(Slow::over(memory), Options::new(), TTL, ended).await;
        opened.ok().map(|space| space.expect("it can be opened"))
    })
}

fn rows(memory: &Memory) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there is one");
    runtime.block_on(memory.scan("")).expect("memory does not fail")
}
