//! Hints: one connection on which the server tells which rows were swapped.

use std::time::Duration;

use lockspace_remote::{Shared, Task, Watchers, Watching};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

use crate::address::Address;

/// Who waits for hints. The connection that listens is there since anybody ever did, until it ends.
#[derive(Default)]
pub(crate) struct Hints {
    /// By key, as the server writes it.
    watchers: Watchers,
    listening: Shared<Listening>,
}

struct Listening {
    /// While it is there, the connection is.
    _client: Client,
    task: Task,
}

/// Nobody can be told of swaps now.
struct NotListening;

impl Hints {
    /// Ready when swaps are heard of, which may take for ever. An error would have whoever waits look again
    /// and again.
    pub(crate) async fn listen(&self, address: &Address, channel: &str, limit: Duration) {
        let listens = |listening: &Listening| !listening.task.is_finished();
        let begin = || async {
            let begun = timeout(limit, self.begin(address, channel, limit)).await;
            begun.map_err(|_| NotListening)?
        };
        self.listening.keep(listens, limit, begin).await;
    }

    async fn begin(
        &self,
        address: &Address,
        channel: &str,
        limit: Duration,
    ) -> Result<Listening, NotListening> {
        let (heard, ended) = (self.watchers.clone(), self.watchers.clone());
        let heard = move |message| tell(&heard, &message);
        // An end is a reason to look too.
        let ended = move || ended.tell_all();
        let connected = address.connect(limit, heard, ended).await;
        let (client, task) = connected.map_err(|_| NotListening)?;
        let listens = client.batch_execute(&format!("listen {channel}")).await;
        listens.map(|()| Listening { _client: client, task }).map_err(|_| NotListening)
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
