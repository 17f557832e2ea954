//! What every peer can do, in one shape.

use std::fmt::Debug;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

/// A set of named locks, as its users would use it from a task. Where its futures and guards can be
/// handed out as they are, they are.
pub trait Peer: Send + Sync + Sized + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    /// What releases when it is dropped.
    type Guard<'p>: Send;

    /// An empty one, with its default settings.
    fn new() -> Self;

    /// Acquires `name`. Users have a `&str`: a peer that wants a `String` makes one.
    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p;

    /// The same with a limit on waiting, by whatever means there are.
    fn acquire_within<'p>(
        &'p self,
        name: &'p str,
        limit: Duration,
    ) -> impl Future<Output = Result<Self::Guard<'p>, impl Debug>> + Send + 'p {
        tokio::time::timeout(limit, self.acquire(name))
    }
}

/// A set of named locks, as its users would use it from a thread.
pub trait BlockingPeer: Send + Sync + Sized + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    /// What releases when it is dropped.
    type Guard<'p>;

    /// An empty one, with its default settings.
    fn new() -> Self;

    /// Acquires `name`, and blocks the thread until it has.
    fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p>;
}

/// How long every name is.
pub const NAME_LENGTH: usize = 16;

/// The first `count` of the names that everybody uses, made once.
///
/// # Panics
/// If `count` is more than a million.
#[must_use]
pub fn names(count: usize) -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let all = NAMES.get_or_init(|| {
        let text: String = (0..1_000_000).map(|number| format!("invoice/{number:08}")).collect();
        let text: &'static str = text.leak();
        (0..1_000_000).map(|at| &text[at * NAME_LENGTH..(at + 1) * NAME_LENGTH]).collect()
    });
    &all[..count]
}
