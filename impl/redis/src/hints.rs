//! Hints: one connection on which the server tells which rows were swapped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{Client, RedisResult};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Who waits for hints. The task that listens is there while anybody ever did, and as long as its
/// connection.
#[derive(Default)]
pub(crate) struct Hints {
    waiting: Arc<Mutex<Waiting>>,
    /// Held by whoever begins to listen. The task, if there is one.
    listening: tokio::sync::Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    of: HashMap<String, Vec<(u64, oneshot::Sender<()>)>>,
}

impl Hints {
    /// Sees to it that swaps on `channel` are heard of from now on.
    pub(crate) async fn listen(&self, client: &Client, channel: &str) -> RedisResult<()> {
        let mut listening = self.listening.lock().await;
        if listening.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let mut messages = client.get_async_pubsub().await?;
        messages.subscribe(channel).await?;
        let task = tokio::spawn(pump(messages, Arc::clone(&self.waiting)));
        *listening = Some(task.abort_handle());
        Ok(())
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Hint<'_> {
        let (told, hint) = oneshot::channel();
        let mut waiting = locked(&self.waiting);
        waiting.last += 1;
        let number = waiting.last;
        waiting.of.entry(key.into()).or_default().push((number, told));
        Hint { hints: self, key: key.into(), number, hint }
    }

    /// How many wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        locked(&self.waiting).of.values().map(Vec::len).sum()
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(task) = self.listening.get_mut() {
            task.abort();
        }
    }
}

/// A place among those who wait, which is given up by dropping it.
pub(crate) struct Hint<'a> {
    hints: &'a Hints,
    key: String,
    number: u64,
    hint: oneshot::Receiver<()>,
}

impl Hint<'_> {
    pub(crate) async fn come(mut self) {
        // An error says that nobody listens any more, which is a reason to look too.
        let _ = (&mut self.hint).await;
    }
}

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.hints.waiting);
        if let Some(of_key) = waiting.of.get_mut(&self.key) {
            of_key.retain(|(number, _)| *number != self.number);
            if of_key.is_empty() {
                waiting.of.remove(&self.key);
            }
        }
    }
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whoever waits for what has come, until the connection ends; then tells everybody.
async fn pump(messages: PubSub, waiting: Arc<Mutex<Waiting>>) {
    let mut messages = messages.into_on_message();
    while let Some(message) = messages.next().await {
        let Ok(key) = std::str::from_utf8(message.get_payload_bytes()) else { continue };
        let told = locked(&waiting).of.remove(key);
        for (_, told) in told.into_iter().flatten() {
            // It may just have stopped waiting.
            let _ = told.send(());
        }
    }
    locked(&waiting).of.clear();
}

#[test]
fn whoever_stops_waiting_leaves_nothing() {
    let hints = Hints::default();
    let (a, b) = (hints.wait("a"), hints.wait("a"));
    assert_eq!(hints.waiting(), 2);
    drop(a);
    assert_eq!(hints.waiting(), 1);
    drop(b);
    assert!(locked(&hints.waiting).of.is_empty());
}
