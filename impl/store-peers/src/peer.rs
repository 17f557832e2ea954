//! What every peer can do, in one shape, and where it does it.

use std::future::Future;

/// A server, or what stands in for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Redis,
    Postgres,
    Etcd,
    /// A folder of this machine.
    Folder,
}

/// A way to keep others out, as its users would use it from a task.
pub(crate) trait Peer: Send + Sync + Sized + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    const PLACE: Place;
    /// What is released, and not by being dropped.
    type Held<'p>: Send;

    /// As a process connects. `url` is that of the place.
    fn connect(url: &str) -> impl Future<Output = Self> + Send;

    /// For another user in the same process. Shares what can be shared.
    fn another(&self) -> impl Future<Output = Self> + Send;

    /// Acquires `name`, waiting as long as it takes.
    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Held<'p>> + Send;

    /// Releases, as users do.
    fn release<'p>(&'p self, held: Self::Held<'p>) -> impl Future<Output = ()> + Send;

    /// Releases what nobody else wants, and returns when it is free for others.
    fn release_fully<'p>(&'p self, held: Self::Held<'p>) -> impl Future<Output = ()> + Send {
        self.release(held)
    }

    /// Leaves nothing behind.
    fn close(self) -> impl Future<Output = ()> + Send {
        async move { drop(self) }
    }
}
