//! The only file that names tokio's tasks and timers, or starts a thread.
//!
//! What this file must not do: know what a lock is. It runs what it is given, where it can run.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
#[cfg(not(lockspace_shuttle))]
use std::thread;
use std::time::Duration;

#[cfg(lockspace_shuttle)]
use crate::schedules::stand_in::{self as tokio, thread};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::sync::{Arc, Mutex, with_parker};

/// Whose a request is, where [deadlocks](crate::Builder::detect_deadlocks) or
/// [self-waits](crate::Builder::detect_self_wait) are looked for: whoever does one thing after the other.
///
/// That is a task of tokio's, a thread, or whoever [says so](crate::Acquire::owner).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Task(tokio::task::Id),
    Thread(thread::ThreadId),
    Named(u64),
}

impl Owner {
    /// The number by which it was [named](crate::Acquire::owner); `None` for a task or a thread.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        match self.0 {
            Kind::Named(id) => Some(id),
            Kind::Task(_) | Kind::Thread(_) => None,
        }
    }

    /// Whoever goes by this number.
    pub(crate) fn named(id: u64) -> Self {
        Self(Kind::Named(id))
    }

    /// The running task, if this is one of tokio's.
    pub(crate) fn task() -> Option<Self> {
        tokio::task::try_id().map(Kind::Task).map(Self)
    }

    /// The running task, if this is one of tokio's, and the thread otherwise.
    pub(crate) fn caller() -> Self {
        Self::task().unwrap_or_else(|| Self(Kind::Thread(thread::current().id())))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Task(id) => write!(f, "task {id:?}"),
            Kind::Thread(id) => write!(f, "thread {id:?}"),
            Kind::Named(id) => write!(f, "owner {id}"),
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a sleeper wants next.
pub(crate) enum Next {
    /// Sleep until then, or until woken.
    Sleep(Instant),
    /// There is more to do; let others run first.
    Yield,
    /// Nothing, ever.
    End,
}

/// Something that works in rounds and sleeps between them.
pub(crate) trait Sleeper: Send + Unpin + 'static {
    /// Does what there is to do. `waker` ends the sleep that follows.
    fn round(&mut self, waker: &Waker) -> Next;
}

/// Runs a sleeper as a task of the current runtime.
///
/// # Errors
/// Where there is none, the sleeper is given back.
pub(crate) fn run<S: Sleeper>(sleeper: S) -> Result<(), S> {
    match Handle::try_current() {
        Ok(runtime) => {
            start(&runtime, serve(sleeper));
            Ok(())
        }
        Err(_) => Err(sleeper),
    }
}

/// Runs a sleeper as a thread.
///
/// # Errors
/// If the system refuses the thread; the sleeper is then dropped.
pub(crate) fn run_on_thread(mut sleeper: impl Sleeper) -> std::io::Result<()> {
    let thread = thread::Builder::new().name("lockspace-reaper".into());
    let rounds = move || {
        with_parker(|parker, waker| {
            loop {
                match sleeper.round(waker) {
                    Next::Sleep(until) => {
                        parker.park_deadline(until.into_std());
                    }
                    Next::Yield => thread::yield_now(),
                    Next::End => return,
                }
            }
        });
    };
    thread.spawn(rounds).map(drop)
}

async fn serve(mut sleeper: impl Sleeper) {
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            match sleeper.round(cx.waker()) {
                Next::Sleep(until) => {
                    sleep.as_mut().reset(until);
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Next::Yield => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Next::End => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Starts a task that others rely upon: wherever it is started or woken, it can run at once.
fn start(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    runtime.spawn(async {
        let (mut task, mut prompt) = (pin!(task), None);
        poll_fn(|cx| {
            let waker = prompt.get_or_insert_with(|| Arc::new(Prompt(cx.waker().clone())).into());
            task.as_mut().poll(&mut Context::from_waker(waker))
        })
        .await;
    });
    give_way(runtime);
}

/// Wakes a task so that it need not wait for the task that wakes it.
struct Prompt(Waker);

impl Wake for Prompt {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
        if let Ok(runtime) = Handle::try_current() {
            give_way(&runtime);
        }
    }
}

/// Lets what the running task has just started or woken run elsewhere.
///
/// Tokio keeps the last such task for the running worker, in a slot from which no other worker takes
/// anything, to run it as soon as this poll is over. If the poll then blocks its thread, as that of a
/// holder that hangs does, that never comes. So a task without work is put there instead: the former goes
/// into the worker's queue, and whichever worker is idle takes it from there.
#[cfg(not(lockspace_shuttle))]
fn give_way(runtime: &Handle) {
    use tokio::runtime::RuntimeFlavor;

    if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread && tokio::task::try_id().is_some() {
        runtime.spawn(async {});
    }
}

/// Shuttle has no workers that could be blocked.
#[cfg(lockspace_shuttle)]
fn give_way(_: &Handle) {}

/// A share of the running task's cooperation budget. Dropped without [`spend`](Self::spend), it goes
/// back.
pub(crate) struct Budget(tokio::task::coop::RestoreOnPending);

impl Budget {
    /// Asks for a share; `Pending` means that the task must yield, and is woken right away.
    pub(crate) fn poll(cx: &mut Context<'_>) -> Poll<Self> {
        tokio::task::coop::poll_proceed(cx).map(Self)
    }

    /// The poll that asked is going to be `Ready`.
    pub(crate) fn spend(self) {
        self.0.made_progress();
    }
}

/// Panics where blocking the thread would block a runtime, as tokio's own blocking functions do.
pub(crate) fn assert_may_block() {
    if let Ok(runtime) = Handle::try_current() {
        runtime.block_on(std::future::ready(()));
    }
}

/// Ready after `limit`; never without one.
pub(crate) async fn sleep(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Starts a task of the current runtime that others rely upon.
///
/// # Panics
/// Where there is none.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => start(&runtime, task),
        Err(_) => panic!("a lockspace over a store must be opened on a tokio runtime"),
    }
}

/// What `future` comes to, unless it takes longer than `limit`; it is then dropped.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut limit) = (pin!(future), pin!(tokio::time::sleep(limit)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// An alarm that can be set anew.
pub(crate) struct Alarm(std::pin::Pin<Box<tokio::time::Sleep>>);

impl Alarm {
    pub(crate) fn new() -> Self {
        Self(Box::pin(tokio::time::sleep(Duration::ZERO)))
    }

    pub(crate) fn set(&mut self, at: Instant) {
        self.0.as_mut().reset(at);
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// Why a closure on the blocking pool has no result.
pub(crate) enum BlockingError {
    /// The runtime ended before the closure began.
    NotRun,
    /// The closure panicked.
    Panicked(Box<dyn std::any::Any + Send>),
}

/// Runs a closure on the blocking pool: once it has begun to its end, even if nobody waits for it any more.
/// Before that it goes with the future, however long the pool is busy.
pub(crate) async fn run_blocking<T: Send + 'static>(
    closure: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let unbegun = Unbegun(Arc::new(Mutex::new(Some(closure))));
    let begins = Arc::clone(&unbegun.0);
    let run = tokio::task::spawn_blocking(move || {
        let closure = begins.lock().take();
        closure.map(|closure| closure())
    });
    match run.await {
        Ok(output) => output.ok_or(BlockingError::NotRun),
        Err(error) => Err(match error.try_into_panic() {
            Ok(panic) => BlockingError::Panicked(panic),
            Err(_) => BlockingError::NotRun,
        }),
    }
}

/// A closure that may not have begun; dropped, it does not begin any more.
struct Unbegun<F>(Arc<Mutex<Option<F>>>);

impl<F> Drop for Unbegun<F> {
    fn drop(&mut self) {
        // Dropped after the unlock: what it holds is a user's.
        let unbegun = self.0.lock().take();
        drop(unbegun);
    }
}

/// The signals that ask a process to end.
#[cfg(feature = "signals")]
pub(crate) struct EndSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(feature = "signals")]
impl EndSignals {
    /// Listens from here on.
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> std::io::Result<()> {
        poll_fn(|cx| {
            let signalled =
                self.interrupt.poll_recv(cx).is_ready() | self.terminate.poll_recv(cx).is_ready();
            if signalled { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Listens from here on.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}
