//! What stores for `lockspace` over a server have in common: a connection that all calls share
//! ([`Shared`]), the end of the task that serves one ([`Task`]), and who waits for hints ([`Watchers`]). For
//! whoever writes a store.
//!
//! What this package must not do: know any server, start a task, or repeat a swap.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

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
        // To be dropped after the lock, like everything that is not ours.
        let before = self.open().replace(Arc::clone(&connection));
        drop(before);
        Ok(Call { shared: self, connection, ended_well: false })
    }

    /// Sees to it that there is a connection which is `usable`, for however long that takes: it is for hints,
    /// which nobody asks for. After an attempt that has failed there is none for the time of `pause`, and all
    /// who want one wait for the same.
    ///
    /// # Cancel safety
    /// As [`take`](Self::take).
    pub async fn keep<E, F: Future<Output = Result<C, E>>>(
        &self,
        usable: impl Fn(&C) -> bool,
        pause: Duration,
        connect: impl Fn() -> F,
    ) {
        let attempt = || async {
            let made = connect().await;
            if made.is_err() {
                // Whoever else wants a connection waits for the end of this attempt.
                sleep(pause).await;
            }
            made
        };
        loop {
            if let Ok(call) = self.take(&usable, attempt).await {
                return call.ended_well();
            }
        }
    }

    fn on_open(&self, usable: impl Fn(&C) -> bool) -> Option<Call<'_, C>> {
        let open = self.open().clone();
        let connection = open.filter(|connection| usable(connection))?;
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

/// A task that serves a connection. It ends when this is dropped, however the server is.
#[derive(Debug)]
pub struct Task(AbortHandle);

impl Task {
    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> From<JoinHandle<T>> for Task {
    fn from(task: JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
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

impl Watching {
    /// Ready when told, or at once if `changed`: what was swapped before anybody listened is not told any
    /// more. One who cannot look does so again after `pause`.
    ///
    /// # Cancel safety
    /// Dropping it gives the place up.
    pub async fn unless<E, F: Future<Output = Result<bool, E>>>(
        mut self,
        pause: Duration,
        changed: impl Fn() -> F,
    ) {
        loop {
            match changed().await {
                Ok(true) => return,
                Ok(false) => return self.await,
                Err(_) if timeout(pause, &mut self).await.is_ok() => return,
                Err(_) => {}
            }
        }
    }
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
        let Some(of_key) = waiting.of.get_mut(&self.key) else { return };
        let place = of_key.iter().position(|(number, _)| *number == self.number);
        let gone = place.map(|place| of_key.swap_remove(place));
        if of_key.is_empty() {
            waiting.of.remove(&self.key);
        }
        drop(waiting);
        drop(gone); // As in `tell`: this wakes whoever has polled.
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, mpsc};
    use std::task::{Context, Wake, Waker};
    use std::thread;
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::{NotConnected, Shared, Task, Watchers};

    #[test]
    fn whoever_stops_waiting_leaves_nothing() {
        let watchers = Watchers::default();
        let (a, b) = (watchers.wait("a"), watchers.wait("a"));
        drop(a);
        assert!(!watchers.is_empty());
        drop(b);
        assert!(watchers.is_empty());
    }

    /// Looks whether anybody waits when it is woken.
    struct Curious(Watchers, mpsc::Sender<bool>);

    impl Wake for Curious {
        fn wake(self: Arc<Self>) {
            self.1.send(self.0.is_empty()).unwrap();
        }
    }

    /// Does this in a thread of its own: a deadlock is to fail, and not to hang.
    #[track_caller]
    fn ends(work: impl FnOnce() + Send + 'static) {
        let (ends, ended) = mpsc::channel();
        thread::spawn(move || {
            work();
            ends.send(()).unwrap();
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(30)), Ok(()));
    }

    #[test]
    fn whoever_is_woken_because_a_place_is_given_up_may_look_who_waits() {
        ends(|| {
            let (watchers, (looks, looked)) = (Watchers::default(), mpsc::channel());
            let mut watching = watchers.wait("a");
            let waker = Waker::from(Arc::new(Curious(watchers, looks)));
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut watching).poll(&mut cx).is_pending());
            drop(watching);
            assert!(looked.recv().unwrap(), "nobody waits any more");
        });
    }

    /// Looks at what it was one of when it goes.
    struct Connection(Arc<Shared<Connection>>);

    impl Drop for Connection {
        fn drop(&mut self) {
            assert!(format!("{:?}", self.0).contains("true"), "there is another one");
        }
    }

    #[test]
    fn a_connection_may_look_for_another_one_when_it_is_judged_or_goes() {
        ends(|| {
            let shared = Arc::new(Shared::default());
            let usable = |connection: &Connection| format!("{:?}", connection.0).is_empty();
            let connect = || async { Ok::<_, ()>(Connection(Arc::clone(&shared))) };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for _ in 0..2 {
                let call = runtime.block_on(shared.take(usable, connect));
                call.unwrap_or_else(|_| panic!("it connects")).ended_well();
            }
        });
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

    #[tokio::test(start_paused = true)]
    async fn many_who_want_to_keep_a_connection_make_one_attempt_in_each_pause() {
        let shared = Shared::default();
        let attempts = std::cell::Cell::new(0);
        let connect = || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 4 { Err(()) } else { Ok(attempts.get()) }
        };
        let pause = Duration::from_secs(5);
        let begun = Instant::now();
        tokio::join!(
            shared.keep(|_| true, pause, connect),
            shared.keep(|_| true, pause, connect),
            async {
                // Who comes later does not ask sooner.
                sleep(pause / 2).await;
                shared.keep(|_| true, pause, connect).await;
            },
        );
        assert_eq!((attempts.get(), begun.elapsed()), (4, 3 * pause));
        shared.keep(|made| *made == 4, pause, connect).await;
        assert_eq!(attempts.get(), 4);
        // One that has ended is made anew.
        shared.keep(|made| *made > 4, pause, connect).await;
        assert_eq!((attempts.get(), begun.elapsed()), (5, 3 * pause));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_wanting_a_connection_hinders_nobody() {
        let shared = Shared::default();
        let pause = Duration::from_secs(5);
        let failing = shared.keep(|_| true, pause, || async { Err::<(), _>(()) });
        assert!(timeout(pause / 2, failing).await.is_err());
        let begun = Instant::now();
        shared.keep(|()| true, pause, || async { Ok::<_, ()>(()) }).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_cannot_look_is_told_all_the_same_and_looks_again() {
        let (watchers, pause) = (Watchers::default(), Duration::from_secs(5));
        let looks = std::cell::Cell::new(0);
        let look = || async {
            looks.set(looks.get() + 1);
            if looks.get() < 3 { Err(()) } else { Ok(true) }
        };
        let begun = Instant::now();
        watchers.wait("a").unless(pause, look).await;
        assert_eq!((looks.get(), begun.elapsed()), (3, 2 * pause));
        let told = async { watchers.tell("a") };
        tokio::join!(watchers.wait("a").unless(pause, || async { Err(()) }), told);
        tokio::join!(watchers.wait("a").unless(pause, || async { Ok::<_, ()>(false) }), async {
            sleep(pause).await;
            watchers.tell("a");
        });
        assert_eq!(begun.elapsed(), 3 * pause);
        assert!(watchers.is_empty());
    }

    #[tokio::test]
    async fn a_task_ends_with_what_stands_for_it() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let task = Task::from(tokio::spawn(async {
            let _alive = alive;
            std::future::pending::<()>().await;
        }));
        assert!(!task.is_finished());
        drop(task);
        assert!(ended.await.is_err());
    }
}
