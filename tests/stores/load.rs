//! A store that is asked for more than it can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Memory, Options, Row, Store, StoreError, Swap, Version};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::{NAME, pass};

/// So long a store takes for each call.
const CALL: Duration = Duration::from_millis(20);

/// A store that does one call after the other, first come first served, whether or not somebody still waits
/// for it: as a server does with all that comes by one connection.
struct InSequence {
    inner: Memory,
    line: UnboundedSender<oneshot::Sender<()>>,
}

impl InSequence {
    fn over(inner: Memory) -> Self {
        let (line, mut calls) = unbounded_channel::<oneshot::Sender<()>>();
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                pass(CALL).await;
                let _ = call.send(());
            }
        });
        Self { inner, line }
    }

    /// What `call` comes to when its turn has come.
    async fn take_turn<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, turn) = oneshot::channel();
        self.line.send(done).expect("the store is there");
        let call = tokio::spawn(async move {
            turn.await.expect("the store is there");
            call.await
        });
        call.await.expect("memory does not panic")
    }
}

impl Store for InSequence {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let (inner, key) = (self.inner.clone(), key.to_owned());
        self.take_turn(async move { inner.load(&key).await }).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let (inner, key, new) = (self.inner.clone(), key.to_owned(), new.map(<[u8]>::to_vec));
        self.take_turn(async move { inner.swap(&key, expected, new.as_deref()).await }).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let (inner, prefix) = (self.inner.clone(), prefix.to_owned());
        self.take_turn(async move { inner.scan(&prefix).await }).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_asked_for_more_than_it_can_do_ends_no_session_and_serves_everybody() {
    let options = Options::new().ttl(Duration::from_secs(3));
    let space = LockSpace::open(InSequence::over(Memory::new()), options).await.unwrap();
    let held = space.acquire(NAME).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..500)
        .map(|number| {
            let (space, stop, name) = (space.clone(), stop.clone(), format!("name/{number}"));
            tokio::spawn(async move {
                let mut turns = 0;
                while !stop.load(Ordering::Relaxed) {
                    space.acquire(&name).await.unwrap().release().unwrap();
                    turns += 1;
                }
                turns
            })
        })
        .collect();
    pass(Duration::from_secs(60)).await;
    assert!(!held.is_lost());
    stop.store(true, Ordering::Relaxed);
    let mut turns = Vec::new();
    for task in tasks {
        turns.push(task.await.unwrap());
    }
    assert!(turns.iter().all(|turns| *turns >= 1), "{turns:?}");
    held.release().unwrap();
}
