//! Hints: one connection on which the server tells which rows were swapped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

use crate::address::{Address, Task};

/// Who waits for hints. The connection that listens is there since anybody ever did, until it ends.
#[derive(Default)]
pub(crate) struct Hints {
    waiting: Arc<Mutex<Waiting>>,
    /// Held by whoever begins to listen.
    listening: tokio::sync::Mutex<Option<Listening>>,
}

struct Listening {
    /// While it is there, the connection is.
    _client: Client,
    task: Task,
}

/// By key, as the server writes it.
#[derive(Default)]
struct Waiting {
    last: u64,
    of: HashMap<String, Vec<(u64, oneshot::Sender<()>)>>,
}

/// Nobody can be told of swaps now.
pub(crate) struct NotListening;

impl Hints {
    /// Sees to it that swaps are heard of from now on.
    pub(crate) async fn listen(
        &self,
        address: &Address,
        channel: &str,
        limit: Duration,
    ) -> Result<(), NotListening> {
        let mut listening = self.listening.lock().await;
        if listening.as_ref().is_some_and(|listening| !listening.task.is_finished()) {
            return Ok(());
        }
        let (heard, ended) = (Arc::clone(&self.waiting), Arc::clone(&self.waiting));
        let begin = async {
            let heard = move |message| tell(&heard, &message);
            // An end is a reason to look too.
            let ended = move || locked(&ended).of.clear();
            let (client, task) = address.connect(heard, ended).await?;
            client.batch_execute(&format!("listen {channel}")).await?;
            Ok::<_, tokio_postgres::Error>(Listening { _client: client, task })
        };
        *listening =
            Some(timeout(limit, begin).await.map_err(|_| NotListening)?.map_err(|_| NotListening)?);
        Ok(())
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Hint<'_> {
        let key = hex(key);
        let (told, hint) = oneshot::channel();
        let mut waiting = locked(&self.waiting);
        waiting.last += 1;
        let number = waiting.last;
        waiting.of.entry(key.clone()).or_default().push((number, told));
        Hint { hints: self, key, number, hint }
    }

    /// How many wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        locked(&self.waiting).of.values().map(Vec::len).sum()
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

/// As the server's function writes a key: any text can be told so.
fn hex(key: &str) -> String {
    key.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whoever waits for the row that the message is about.
fn tell(waiting: &Mutex<Waiting>, message: &AsyncMessage) {
    let AsyncMessage::Notification(swapped) = message else { return };
    let told = locked(waiting).of.remove(swapped.payload());
    for (_, told) in told.into_iter().flatten() {
        // It may just have stopped waiting.
        let _ = told.send(());
    }
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
