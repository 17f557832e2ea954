//! Who is measured, at each place: bare round trips, what people write themselves, and lockspace.

pub(crate) mod etcd;
pub(crate) mod folder;
mod ours;
pub(crate) mod postgres;
pub(crate) mod redis;

use std::time::Duration;

pub(crate) use ours::{Ours, Swaps, Unawaited};

/// How long whoever finds a name taken waits before it tries again, where nobody tells it when. The clients
/// that are published for Redis wait 200 ms.
const RETRY: Duration = Duration::from_millis(10);

/// A value that nobody else has.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
