//! Hints: one connection on which the server tells which rows were swapped.

use futures_util::StreamExt;
use lockspace_remote::{Shared, Task, Watchers, Watching};
use redis::aio::PubSub;
use tokio::time::timeout;

use crate::line::Line;

/// Who waits for hints. The task that listens is there since anybody ever did, until its connection ends.
#[derive(Default)]
pub(crate) struct Hints {
    watchers: Watchers,
    listening: Shared<Task>,
}

/// Nobody can be told of swaps now.
struct NotListening;

impl Hints {
    /// Ready when swaps on `channel` are heard of, which may take for ever. An error would have whoever waits
    /// look again and again.
    pub(crate) async fn listen(&self, line: &Line, channel: &str) {
        let listens = |task: &Task| !task.is_finished();
        self.listening.keep(listens, line.limit(), || self.begin(line, channel)).await;
    }

    async fn begin(&self, line: &Line, channel: &str) -> Result<Task, NotListening> {
        let begun = timeout(line.limit(), async {
            let mut messages = line.client().get_async_pubsub().await?;
            messages.subscribe(channel).await.map(|()| messages)
        });
        let messages = begun.await.map_err(|_| NotListening)?.map_err(|_| NotListening)?;
        Ok(tokio::spawn(pump(messages, self.watchers.clone())).into())
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Watching {
        self.watchers.wait(key)
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
