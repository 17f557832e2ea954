//! What the tests share that run without loom: an engine with one shard and nothing else to it, and a waker
//! that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use crate::engine::Setup;

/// No limits, nothing timed or looked for, and no store.
pub(super) fn setup() -> Setup {
    Setup {
        shards: 1,
        max_names: None,
        max_waiters_per_name: None,
        timing: false,
        detect_deadlocks: false,
        inbox: None,
    }
}

/// A waker that counts how often it was woken, and whose owners can be counted.
#[derive(Default)]
pub(super) struct Count(pub(super) AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
