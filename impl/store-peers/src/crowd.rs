//! Tasks of one process that all want the same name.

use tokio::task::JoinSet;

use crate::NAME;
use crate::peer::Peer;

/// Those who will want it.
pub(crate) struct Crowd<P>(Vec<P>);

impl<P: Peer> Crowd<P> {
    /// So many, each of whom could begin.
    pub(crate) async fn gather(peer: &P, tasks: usize) -> Self {
        let mut all = Vec::new();
        for _ in 0..tasks {
            all.push(peer.another().await);
        }
        Self(all)
    }

    /// Each acquires and releases so often; until all have.
    pub(crate) async fn take_turns(self, turns: usize) {
        let mut tasks = JoinSet::new();
        for user in self.0 {
            tasks.spawn(async move {
                for _ in 0..turns {
                    let held = user.acquire(NAME).await;
                    user.release(held).await;
                }
            });
        }
        tasks.join_all().await;
    }
}
