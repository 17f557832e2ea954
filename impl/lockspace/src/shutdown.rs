//! Shutting down: refuse, answer, let finish, revoke, report.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::engine::ShutdownReport;
use crate::runtime;
use crate::space::{LockSpace, Shared};
use crate::sync::with_parker;

/// One line, for a log.
impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { released, cancelled, revoked, took, unreturned, session_left } = self;
        write!(f, "{released} released, {cancelled} cancelled, {revoked} revoked, in {took:?}")?;
        if *unreturned > 0 {
            write!(f, "; {unreturned} not given back to the store")?;
        }
        f.write_str(if *session_left { "; the session's row is left" } else { "" })
    }
}

impl LockSpace {
    /// Shuts the lockspace down, and waits until it is closed.
    ///
    /// From the first poll on every new request is refused and every waiter is answered
    /// [`ShuttingDown`](crate::AcquireError::ShuttingDown). Holders may finish for the `grace`; then
    /// their holds are revoked, which they are [told](crate::Guard::lost). It may be called from several
    /// places at once: all get the same report, and the earliest end of the grace counts. So a second
    /// call with a grace of zero ends the first one's patience.
    ///
    /// # Guarantees
    /// After it has begun nothing is granted and nobody waits; closed means quiescent (S9); it closes
    /// (L4).
    ///
    /// # Cancel safety
    /// Dropping the future only gives up the report; the shutdown goes on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let space = lockspace::LockSpace::new();
    /// drop(space.acquire("invoice/42").await);
    /// let report = space.shutdown(Duration::from_secs(10)).await;
    /// assert_eq!((report.cancelled, report.revoked), (0, 0));
    /// assert!(space.acquire("invoice/42").await.is_err());
    /// # }
    /// ```
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.begin_shutdown(grace);
        self.closed().await
    }

    /// Begins to shut down, and does not wait. See [`shutdown`](Self::shutdown).
    ///
    /// ```
    /// # use std::time::Duration;
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap();
    /// space.begin_shutdown(Duration::from_secs(10));
    /// assert!(space.try_acquire("printer").is_err()); // Refused from here on.
    /// guard.release().unwrap(); // Within the grace, so nothing was lost.
    /// ```
    pub fn begin_shutdown(&self, grace: Duration) {
        self.shared().begin_shutdown(grace);
    }

    /// Waits until the lockspace is closed by a shutdown; for ever, if nobody begins one.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind and loses nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let space = lockspace::LockSpace::new();
    /// let worker = {
    ///     let space = space.clone();
    ///     tokio::spawn(async move { space.closed().await.revoked })
    /// };
    /// space.begin_shutdown(Duration::ZERO);
    /// assert_eq!(worker.await.unwrap(), 0);
    /// # }
    /// ```
    pub fn closed(&self) -> ClosedFuture<'_> {
        ClosedFuture { space: self.shared(), id: None }
    }

    /// [`shutdown`](Self::shutdown), for threads without a runtime.
    ///
    /// # Panics
    /// If it would have to wait in a task of a tokio runtime, which it would block.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap();
    /// let report = space.blocking_shutdown(Duration::ZERO); // No grace: the hold is revoked.
    /// assert_eq!(report.revoked, 1);
    /// assert!(guard.is_lost());
    /// ```
    pub fn blocking_shutdown(&self, grace: Duration) -> ShutdownReport {
        self.begin_shutdown(grace);
        with_parker(|parker, waker| {
            let mut closed = self.closed();
            loop {
                let mut cx = Context::from_waker(waker);
                if let Poll::Ready(report) = Pin::new(&mut closed).poll(&mut cx) {
                    return report;
                }
                runtime::assert_may_block();
                parker.park();
            }
        })
    }

    /// Waits for SIGINT or SIGTERM (elsewhere than on Unix: for Ctrl-C), then shuts down with this
    /// grace. A second signal ends the grace at once.
    ///
    /// It is an ordinary future: nothing listens unless it is polled, and nothing is left of it when it
    /// is dropped (but that the runtime goes on catching these signals, which is tokio's way). Spawn it,
    /// or await it beside the rest of the service.
    ///
    /// # Errors
    /// If the system refuses to let the process listen for signals.
    ///
    /// # Cancel safety
    /// Dropping the future before a signal means that none is heeded; after the first one, that the
    /// shutdown goes on and a second one is not heeded.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let space = lockspace::LockSpace::new();
    /// tokio::select! {
    ///     report = space.shutdown_on_signals(Duration::from_secs(20)) => println!("{:?}", report?),
    ///     () = async { /* the rest of the service */ } => {}
    /// }
    /// assert!(space.try_acquire("invoice/42").is_ok()); // There was no signal.
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "signals")]
    pub async fn shutdown_on_signals(&self, grace: Duration) -> std::io::Result<ShutdownReport> {
        let mut signals = runtime::EndSignals::listen()?;
        signals.next().await?;
        self.begin_shutdown(grace);
        let mut closed = std::pin::pin!(self.closed());
        loop {
            let mut again = std::pin::pin!(signals.next());
            let heard = std::future::poll_fn(|cx| match closed.as_mut().poll(cx) {
                Poll::Ready(report) => Poll::Ready(Some(report)),
                Poll::Pending => again.as_mut().poll(cx).map(|_| None),
            });
            match heard.await {
                Some(report) => return Ok(report),
                None => self.begin_shutdown(Duration::ZERO),
            }
        }
    }
}

/// Waits for the end of a shutdown. See [`LockSpace::closed`].
#[must_use = "futures do nothing unless polled"]
pub struct ClosedFuture<'a> {
    space: &'a Shared,
    /// Set once it is watching.
    id: Option<u64>,
}

impl Future for ClosedFuture<'_> {
    type Output = ShutdownReport;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShutdownReport> {
        let Self { space, id } = &mut *self;
        let closed = space.act(|engine, effects| engine.poll_closed(id, cx.waker(), effects));
        if closed.is_ready() {
            space.tape().closed();
        }
        closed
    }
}

impl Drop for ClosedFuture<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.space.act(|engine, effects| engine.forget_close_watcher(id, effects));
        }
    }
}

impl fmt::Debug for ClosedFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosedFuture").finish_non_exhaustive()
    }
}
