//! lockspace.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lockspace::{AcquireFuture, Guard};

use crate::peer::{BlockingPeer, Peer};

/// lockspace with its default settings.
pub struct LockSpace(pub lockspace::LockSpace);

/// Its future, unwrapped: the same size, and nothing else in between.
struct Granted<'p>(AcquireFuture<'p, 'p>);

impl<'p> Future for Granted<'p> {
    type Output = Guard<'p>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|guard| guard.expect("nothing refuses"))
    }
}

impl Peer for LockSpace {
    const NAME: &'static str = "lockspace";
    type Guard<'p> = Guard<'p>;

    fn new() -> Self {
        Self(lockspace::LockSpace::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Guard<'p>> + Send + 'p {
        Granted(self.0.acquire(name).into_future())
    }

    fn acquire_within<'p>(
        &'p self,
        name: &'p str,
        limit: Duration,
    ) -> impl Future<Output = Result<Guard<'p>, impl Debug>> + Send + 'p {
        self.0.acquire(name).wait_timeout(limit).into_future()
    }
}

impl BlockingPeer for LockSpace {
    const NAME: &'static str = "lockspace";
    type Guard<'p> = Guard<'p>;

    fn new() -> Self {
        Self(lockspace::LockSpace::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> Guard<'p> {
        self.0.blocking_acquire(name).expect("nothing refuses")
    }
}
