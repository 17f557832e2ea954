//! What stores for `lockspace` over a server have in common: a connection that all calls share
//! ([`Shared`]), and who waits for hints ([`Watchers`]). For whoever writes a store.
//!
//! What this package must not do: know any server, start a task, or repeat a call.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// A connection: made when it is needed, by one caller for all; shared by all calls; given up by whichever
/// does not end well.
///
/// ```
/// use std::convert::Infallible;
/// use lockspace_remote::Shared;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let shared = Shared::default();
/// let connect = || async { Ok::<_, Infallible>("a connection") };
/// let call = shared.take(|_| true, connect).await.unwrap();
/// assert_eq!(*call, "a connection");
/// call.ended_well();
/// # }
/// ```
pub struct Shared<C> {
    open: Mutex<Option<Arc<C>>>,
    /// Held by whoever connects, for all who want to.
    connecting: tokio::sync::Mutex<()>,
    /// How many attempts have failed. Only compared with itself, so any order will do.
    failed: AtomicU64,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotConnected<E> {
    /// The attempt failed.
    Failed(E),
    /// Somebody else's attempt failed while this caller waited for it.
    OtherFailed,
}

impl<C> Shared<C> {
    /// The connection, for one call: the one that is there, if it is `usable`, else one that is made by
    /// `connect`. Many who find none make one attempt together.
    ///
    /// # Errors
    /// [`NotConnected`]. The next caller makes a new attempt.
    ///
    /// # Cancel safety
    /// If the future is dropped, `connect`'s is dropped with it, and somebody else may connect.
    pub async fn take<E, F: Future<Output = Result<C, E>>>(
        &self,
        usable: impl Fn(&C) -> bool,
        connect: impl FnOnce() -> F,
    ) -> Result<Call<'_, C>, NotConnected<E>> {
        let failed = self.failed.load(Ordering::Relaxed);
        if let Some(call) = self.on_open(&usable) {
            return Ok(call);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(call) = self.on_open(&usable) {
            return Ok(call);
        }
        if self.failed.load(Ordering::Relaxed) != failed {
            // Those who waited meanwhile do not each wait for an attempt of their own.
            return Err(NotConnected::OtherFailed);
        }
        let made = connect().await.map_err(|error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            NotConnected::Failed(error)
        });
        let connection = Arc::new(made?);
        *self.open() = Some(Arc::clone(&connection));
        Ok(Call { shared: self, connection, ended_well: false })
    }

    fn on_open(&self, usable: impl Fn(&C) -> bool) -> Option<Call<'_, C>> {
        let connection = self.open().clone().filter(|connection| usable(connection))?;
        Some(Call { shared: self, connection, ended_well: false })
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<C>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Default for Shared<C> {
    fn default() -> Self {
        let (open, connecting) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Self { open, connecting, failed: AtomicU64::new(0) }
    }
}

impl<C> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a connection shows of itself may be secret.
        f.debug_struct("Shared").field("open", &self.open().is_some()).finish_non_exhaustive()
    }
}

/// A call under way. If it is dropped before it [ended well](Self::ended_well), the next call has a new
/// connection: this one may be dead, or lead to a server that is no primary any more (contract 6).
pub struct Call<'a, C> {
    shared: &'a Shared<C>,
    connection: Arc<C>,
    ended_well: bool,
}

impl<C> Call<'_, C> {
    /// The call has ended, and there is nothing to say against the connection.
    pub fn ended_well(mut self) {
        self.ended_well = true;
    }
}

impl<C> Deref for Call<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> Drop for Call<'_, C> {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if !self.ended_well && open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &self.connection))
        {
            *open = None;
        }
    }
}

impl<C> fmt::Debug for Call<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// Who waits for hints, by key. Clones are the same.
///
/// ```
/// use lockspace_remote::Watchers;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let watchers = Watchers::default();
/// let watching = watchers.wait("lock/a");
/// watchers.tell("lock/a");
/// watching.await;
/// assert!(watchers.is_empty());
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Watchers(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    of: HashMap<String, Vec<(u64, oneshot::Sender<()>)>>,
}

impl Watchers {
    /// Waits until somebody [tells](Self::tell) of this key, after this call.
    ///
    /// # Cancel safety
    /// Dropping it gives the place up.
    pub fn wait(&self, key: &str) -> Watching {
        let (told, hint) = oneshot::channel();
        let mut waiting = self.locked();
        waiting.last += 1;
        let number = waiting.last;
        waiting.of.entry(key.into()).or_default().push((number, told));
        Watching { watchers: self.clone(), key: key.into(), number, hint }
    }

    /// Tells all who wait for this key.
    pub fn tell(&self, key: &str) {
        // To be dropped after the lock: whoever is told may run at once.
        let told = self.locked().of.remove(key);
        drop(told);
    }

    /// Tells all: hints may have been lost, or will not come any more.
    pub fn tell_all(&self) {
        let told = std::mem::take(&mut self.locked().of);
        drop(told);
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locked().of.is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait. See [`Watchers::wait`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Watching {
    watchers: Watchers,
    key: String,
    number: u64,
    hint: oneshot::Receiver<()>,
}

impl Future for Watching {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Who is told has their sender dropped.
        Pin::new(&mut self.hint).poll(cx).map(drop)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut waiting = self.watchers.locked();
        if let Some(of_key) = waiting.of.get_mut(&self.key) {
            of_key.retain(|(number, _)| *number != self.number);
            if of_key.is_empty() {
                waiting.of.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NotConnected, Shared, Watchers};

    #[test]
    fn whoever_stops_waiting_leaves_nothing() {
        let watchers = Watchers::default();
        let (a, b) = (watchers.wait("a"), watchers.wait("a"));
        drop(a);
        assert!(!watchers.is_empty());
        drop(b);
        assert!(watchers.is_empty());
    }

    #[tokio::test]
    async fn a_connection_is_shared_until_a_call_does_not_end_well() {
        let shared = Shared::default();
        let made = std::cell::Cell::new(0);
        let connect = || async {
            made.set(made.get() + 1);
            Ok::<_, ()>(made.get())
        };
        let first = shared.take(|_| true, connect).await.unwrap();
        shared.take(|_| true, connect).await.unwrap().ended_well();
        first.ended_well();
        assert_eq!(made.get(), 1);
        let dropped = shared.take(|_| true, connect).await.unwrap();
        let late = shared.take(|_| true, connect).await.unwrap();
        drop(dropped);
        let second = shared.take(|_| true, connect).await.unwrap();
        assert_eq!(*second, 2);
        // Who gives up a connection does not give up the one that came after it.
        drop(late);
        second.ended_well();
        assert_eq!(*shared.take(|_| true, connect).await.unwrap(), 2);
        assert_eq!(*shared.take(|made| *made > 2, connect).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn many_who_find_no_connection_make_one_attempt() {
        let shared = Shared::<()>::default();
        let attempts = std::cell::Cell::new(0);
        let connect = || async {
            attempts.set(attempts.get() + 1);
            tokio::task::yield_now().await;
            Err(())
        };
        let (a, b) = tokio::join!(shared.take(|_| true, connect), shared.take(|_| true, connect));
        assert_eq!(a.unwrap_err(), NotConnected::Failed(()));
        assert_eq!(b.unwrap_err(), NotConnected::OtherFailed);
        assert_eq!(attempts.get(), 1);
        assert_eq!(shared.take(|_| true, connect).await.unwrap_err(), NotConnected::Failed(()));
    }
}
