//! Hints: one connection on which the server tells which rows were swapped.

use futures_util::StreamExt;
use lockspace_remote::{Watchers, Watching};
use redis::aio::PubSub;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::line::Line;

/// Who waits for hints. The task that listens is there since anybody ever did, until its connection ends.
#[derive(Default)]
pub(crate) struct Hints {
    watchers: Watchers,
    /// Held by whoever begins to listen. The task, if there is one.
    listening: tokio::sync::Mutex<Option<AbortHandle>>,
}

/// Nobody can be told of swaps now.
pub(crate) struct NotListening;

impl Hints {
    /// Sees to it that swaps on `channel` are heard of from now on.
    pub(crate) async fn listen(&self, line: &Line, channel: &str) -> Result<(), NotListening> {
        let mut listening = self.listening.lock().await;
        if listening.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let begun = timeout(line.limit(), async {
            let mut messages = line.client().get_async_pubsub().await?;
            messages.subscribe(channel).await.map(|()| messages)
        });
        let messages = begun.await.map_err(|_| NotListening)?.map_err(|_| NotListening)?;
        let task = tokio::spawn(pump(messages, self.watchers.clone()));
        *listening = Some(task.abort_handle());
        Ok(())
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Watching {
        self.watchers.wait(key)
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(task) = self.listening.get_mut() {
            task.abort();
        }
    }
}

/// Tells whoever waits for what has come, until the connection ends; then tells everybody.
async fn pump(messages: PubSub, watchers: Watchers) {
    let mut messages = messages.into_on_message();
    while let Some(message) = messages.next().await {
        if let Ok(key) = std::str::from_utf8(message.get_payload_bytes()) {
            watchers.tell(key);
        }
    }
    watchers.tell_all();
}
