//! Hints: one connection on which the server tells which keys were written.

use std::str::from_utf8;

use lockspace_remote::{Shared, Task, Watchers, Watching};
use tokio::time::timeout;
use tonic::Streaming;

use crate::connection::Connection;
use crate::line::Line;
use crate::proto::{WatchCreateRequest, WatchRequest, WatchResponse};

/// Who waits for hints. The task that listens is there since anybody ever did, until its connection ends.
#[derive(Default)]
pub(crate) struct Hints {
    watchers: Watchers,
    listening: Shared<Task>,
}

/// Nobody can be told of swaps now.
struct NotListening;

impl Hints {
    /// Ready when swaps of keys with this prefix are heard of, which may take for ever. An error would have
    /// whoever waits look again and again.
    pub(crate) async fn listen(&self, line: &Line, prefix: &[u8]) {
        let listens = |task: &Task| !task.is_finished();
        let begin = || async {
            let begun = timeout(line.limit(), begin(line, prefix)).await;
            let (connection, answers) = begun.map_err(|_| NotListening)??;
            let watchers = self.watchers.clone();
            Ok::<_, NotListening>(
                tokio::spawn(pump(connection, answers, watchers, prefix.into())).into(),
            )
        };
        self.listening.keep(listens, line.limit(), begin).await;
    }

    /// Ready when the row was swapped after this call, or nobody listens any more.
    pub(crate) fn wait(&self, key: &str) -> Watching {
        self.watchers.wait(key)
    }
}

/// Asks to be told, and returns when the server has understood. From then on nothing is missed.
async fn begin(
    line: &Line,
    prefix: &[u8],
) -> Result<(Connection, Streaming<WatchResponse>), NotListening> {
    let connection = line.address().connect_to_watch().await.map_err(|_| NotListening)?;
    let create = WatchCreateRequest { key: prefix.into(), range_end: crate::after(prefix) };
    let answers = connection.watch(WatchRequest { create: Some(create) }).await;
    let mut answers = answers.map_err(|_| NotListening)?;
    match answers.message().await {
        Ok(Some(answer)) if answer.created && !answer.canceled => Ok((connection, answers)),
        _ => Err(NotListening),
    }
}

/// Tells whoever waits for what was written, until the server says no more; then tells everybody. A server
/// that is too far behind with telling (its keys were compacted meanwhile) ends it too.
async fn pump(
    _connection: Connection,
    mut answers: Streaming<WatchResponse>,
    watchers: Watchers,
    prefix: Vec<u8>,
) {
    while let Ok(Some(answer)) = answers.message().await {
        if answer.canceled {
            break;
        }
        for kv in answer.events.into_iter().filter_map(|event| event.kv) {
            if let Some(Ok(key)) = kv.key.strip_prefix(&prefix[..]).map(from_utf8) {
                watchers.tell(key);
            }
        }
    }
    watchers.tell_all();
}
