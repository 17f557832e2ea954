//! Over a store: opening, surveying and forcing, dropped after every number of polls. No row and no task is
//! left, and whoever is next gets its turn.

use std::future::{Future, poll_fn};
use std::task::Poll;

use lockspace::LockSpace;
use lockspace::store::{Capabilities, Memory, Options, Row, Store, StoreError, Swap, Version};
use lockspace_tests::{Hand, let_tasks_run};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::LONG;

const NAME: &str = "a";

/// A store whose calls take a poll to get there, and another one to come back.
struct Far(Memory);

/// Pending once.
async fn a_moment() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn there_and_back<T>(call: impl Future<Output = T>) -> T {
    a_moment().await;
    let answer = call.await;
    a_moment().await;
    answer
}

impl Store for Far {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        there_and_back(self.0.load(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        there_and_back(self.0.swap(key, expected, new)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        there_and_back(self.0.scan(prefix)).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.0.watch(key, known).await;
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

async fn open(store: &Memory) -> LockSpace {
    LockSpace::open(Far(store.clone()), Options::new()).await.expect("the store is there")
}

/// Polls it so often and drops it; whether it was dropped before it was ready. Tasks run in between if
/// `others_run`.
async fn is_dropped_after(polls: usize, others_run: bool, future: impl Future) -> bool {
    let mut hand = Hand::new(future);
    for _ in 0..polls {
        if hand.poll().is_ready() {
            return false;
        }
        if others_run {
            let_tasks_run().await;
        }
    }
    true
}

/// All is gone that there was, once everybody has gone.
async fn nothing_is_left(store: &Memory, spaces: Vec<LockSpace>, told: &str) {
    drop(spaces);
    let_tasks_run().await;
    // Paused time: whatever is due has been done when it has passed.
    sleep(LONG).await;
    let rows = store.scan("").await.expect("memory does not fail");
    assert!(rows.is_empty(), "{told}: {rows:?}");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "{told}");
}

#[tokio::test(start_paused = true)]
async fn opening_is_dropped() {
    for others_run in [false, true] {
        for polls in 0.. {
            let told = format!("after {polls} polls, others run: {others_run}");
            let store = Memory::new();
            let opens = LockSpace::open(Far(store.clone()), Options::new());
            let dropped = is_dropped_after(polls, others_run, opens).await;
            nothing_is_left(&store, Vec::new(), &told).await;
            let space = open(&store).await;
            assert!(space.acquire(NAME).await.is_ok(), "{told}");
            nothing_is_left(&store, vec![space], &told).await;
            // Whoever is alone waits for ever: its driver never runs.
            if !dropped || !others_run && polls > 5 {
                assert!(polls >= 2, "it was ready after {polls} polls");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_survey_is_dropped() {
    for polls in 0.. {
        let told = format!("after {polls} polls");
        let store = Memory::new();
        let (here, there) = (open(&store).await, open(&store).await);
        let guard = here.acquire(NAME).await.expect("it is free");
        let_tasks_run().await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let dropped = is_dropped_after(polls, true, there.survey()).await;
        let_tasks_run().await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks, "{told}");
        assert!(!guard.is_lost(), "{told}: a survey changes nothing");
        assert!(there.audit().is_quiescent(), "{told}: {}", there.audit());
        assert_eq!(there.survey().await.expect("it is there").names.len(), 1, "{told}");
        drop(guard);
        nothing_is_left(&store, vec![here, there], &told).await;
        if !dropped {
            assert!(polls >= 4, "it was ready after {polls} polls");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_force_release_everywhere_is_dropped() {
    let (mut left, mut taken) = (0, 0);
    for polls in 0.. {
        let told = format!("after {polls} polls");
        let store = Memory::new();
        let (here, there) = (open(&store).await, open(&store).await);
        let guard = here.acquire(NAME).await.expect("it is free");
        let dropped = is_dropped_after(polls, true, there.force_release_everywhere(NAME)).await;
        // Taken away or not: whoever looks says the same as the holder is told.
        sleep(LONG).await;
        let held = there.survey().await.expect("it is there").names.len();
        assert_eq!(held, usize::from(!guard.is_lost()), "{told}");
        *if guard.is_lost() { &mut taken } else { &mut left } += 1;
        assert!(dropped || guard.is_lost(), "{told}: it was answered");
        let last = guard.fencing_token();
        drop(guard);
        let next = there.acquire(NAME).await.expect("it comes free");
        assert!(next.fencing_token() > last, "{told}");
        drop(next);
        nothing_is_left(&store, vec![here, there], &told).await;
        if !dropped {
            break;
        }
    }
    assert!(left >= 2 && taken >= 2, "{left} were dropped in time, {taken} too late");
}
