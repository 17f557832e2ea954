//! What a lock protects. It believes nobody: it sees for itself who is inside, in which order tokens
//! come, and whether an update was lost.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use lockspace::FencingToken;

/// A counter that must only be touched by one at a time. Its parts are read and written in separate steps
/// on purpose: two at once would be seen.
#[derive(Default)]
pub(crate) struct Resource {
    /// The greatest token that has come in.
    latest: AtomicU64,
    /// Incremented by a read, a pause and a write.
    value: AtomicU64,
    /// Incremented at once: what `value` must be.
    added: AtomicU64,
}

impl Resource {
    /// Comes in with a token; `false` if one with a greater token was here before.
    pub(crate) fn enter(&self, FencingToken(token): FencingToken) -> bool {
        let before = self.latest.fetch_max(token, Ordering::SeqCst);
        assert_ne!(before, token, "the token {token} was used twice");
        before < token
    }

    /// Whether nobody has come in since this token did.
    pub(crate) fn leave(&self, FencingToken(token): FencingToken) -> bool {
        self.latest.load(Ordering::SeqCst) == token
    }

    /// Adds one, with a pause between reading and writing. Only for those whose hold cannot be lost.
    pub(crate) async fn add_one(&self, pause: impl Future<Output = ()>) {
        let value = self.value.load(Ordering::Relaxed);
        pause.await;
        self.value.store(value + 1, Ordering::Relaxed);
        self.added.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody has overwritten what another had written; answers how many there were.
    pub(crate) fn judge(&self) -> u64 {
        let (value, added) = (self.value.load(Ordering::SeqCst), self.added.load(Ordering::SeqCst));
        assert_eq!(value, added, "an update was lost: two were inside at once");
        added
    }
}
