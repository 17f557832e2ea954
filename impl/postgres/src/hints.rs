//! Hints: one connection on which the server tells which rows were swapped.

use std::time::Duration;

use lockspace_remote::{Watchers, Watching};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

use crate::address::{Address, Task};

/// Who waits for hints. The connection that listens is there since anybody ever did, until it ends.
#[derive(Default)]
pub(crate) struct Hints {
    /// By key, as the server writes it.
    watchers: Watchers,
    /// Held by whoever begins to listen.
    listening: tokio::sync::Mutex<Option<Listening>>,
}

struct Listening {
    /// While it is there, the connection is.
    _client: Client,
    task: Task,
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
        let (heard, ended) = (self.watchers.clone(), self.watchers.clone());
        let begin = async {
            let heard = move |message| tell(&heard, &message);
            // An end is a reason to look too.
            let ended = move || ended.tell_all();
            let connected = address.connect(limit, heard, ended).await;
            let (client, task) = connected.map_err(|_| NotListening)?;
            let listens = client.batch_execute(&format!("listen {channel}")).await;
            listens.map(|()| Listening { _client: client, task }).map_err(|_| NotListening)
        };
        *listening = Some(timeout(limit, begin).await.map_err(|_| NotListening)??);
        Ok(())
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Watching {
        self.watchers.wait(&hex(key))
    }
}

/// As the server's function writes a key: any text can be told so.
fn hex(key: &str) -> String {
    key.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells whoever waits for the row that the message is about.
fn tell(watchers: &Watchers, message: &AsyncMessage) {
    if let AsyncMessage::Notification(swapped) = message {
        watchers.tell(swapped.payload());
    }
}
