//! What stands in for tokio and for the system's threads under shuttle: as much of them as `runtime.rs`,
//! `clock.rs` and the parker in `sync.rs` use, by the same names.
//!
//! Tasks and threads are shuttle's, so that its scheduler decides who runs. Time stands still until a test
//! lets it [`pass`](time::pass); what is due by then is woken, in no order but the scheduler's. All
//! tasks of an execution run on one thread of the system, so what they share is that thread's own, and
//! no scheduling point.
//!
//! What this file must not do: know what a lock is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::task::Waker;

thread_local! {
    static EXECUTION: RefCell<Execution> = RefCell::default();
}

/// What the tasks of one execution share.
#[derive(Default)]
struct Execution {
    /// What time it is; `None` until somebody has asked.
    now: Option<time::Instant>,
    /// When to wake whom, by a number that tells one alarm from the next.
    alarms: BTreeMap<u64, (time::Instant, Waker)>,
    next_alarm: u64,
    /// What ends the tasks of the runtime.
    tasks: Vec<shuttle::future::AbortHandle>,
    /// How many of the tasks and threads started here are not over.
    running: usize,
    waits_for_the_end: Option<Waker>,
    /// Whether no thread can be had.
    refuses_threads: bool,
}

fn execution<R>(access: impl FnOnce(&mut Execution) -> R) -> R {
    EXECUTION.with_borrow_mut(access)
}

/// Begins a new execution. What the one before has left behind belongs to tasks that are gone.
#[cfg(test)]
pub(super) fn begin() {
    drop(EXECUTION.take());
}

/// Ends the runtime: all its tasks are dropped, wherever they are.
#[cfg(test)]
pub(super) fn end_runtime() {
    let tasks = execution(|execution| std::mem::take(&mut execution.tasks));
    tasks.iter().for_each(shuttle::future::AbortHandle::abort);
}

/// From here on there are no threads to be had.
#[cfg(test)]
pub(super) fn refuse_threads() {
    execution(|execution| execution.refuses_threads = true);
}

/// Ready when no task and no thread that was started here is left. They must have left no alarm.
#[cfg(test)]
pub(super) async fn all_over() {
    use std::task::{Context, Poll};

    let over = |cx: &mut Context<'_>| {
        execution(|execution| {
            execution.waits_for_the_end = Some(cx.waker().clone());
            let over = execution.running == 0;
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
    };
    std::future::poll_fn(over).await;
    let alarms = execution(|execution| execution.alarms.len());
    assert_eq!(alarms, 0, "S6: somebody still waits for a time, though nobody is left");
}

/// Counts a task or thread, for as long as it is not over.
struct Running;

impl Running {
    fn new() -> Self {
        execution(|execution| execution.running += 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let last = execution(|execution| {
            execution.running -= 1;
            if execution.running == 0 { execution.waits_for_the_end.take() } else { None }
        });
        last.into_iter().for_each(Waker::wake);
    }
}

/// For `tokio::runtime`.
pub(crate) mod runtime {

    use super::{Running, execution};

    /// Never.
    pub(crate) struct NoRuntime(());

    /// The runtime. There is always one, and waiting blocks nobody but the task that waits.
    pub(crate) struct Handle;

    impl Handle {
        pub(crate) fn try_current() -> Result<Self, NoRuntime> {
            Ok(Self)
        }

        pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
            let running = Running::new();
            let task = shuttle::future::spawn(async move {
                let _running = running;
                task.await;
            });
            execution(|execution| execution.tasks.push(task.abort_handle()));
        }

        pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
            shuttle::future::block_on(future)
        }
    }
}

/// For `tokio::task`.
pub(crate) mod task {
    pub(crate) use shuttle::current::TaskId as Id;
    /// Outside of a runtime of tokio's there is no end to the budget.
    pub(crate) use tokio::task::coop;

    use super::Running;

    pub(crate) fn try_id() -> Option<Id> {
        Some(shuttle::current::me())
    }

    /// Why a closure has no result: never, since nothing ends the runtime's threads, and a panic ends the
    /// test.
    #[derive(Debug)]
    pub(crate) struct JoinError(shuttle::future::JoinError);

    impl JoinError {
        pub(crate) fn try_into_panic(self) -> Result<Box<dyn std::any::Any + Send>, Self> {
            Err(self)
        }
    }

    /// Runs to its end, whether or not anybody awaits it.
    pub(crate) async fn spawn_blocking<T: Send + 'static>(
        closure: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let running = Running::new();
        let task = shuttle::future::spawn(async move {
            let _running = running;
            closure()
        });
        task.await.map_err(JoinError)
    }
}

/// For `tokio::time`.
pub(crate) mod time {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    pub(crate) use tokio::time::Instant;

    use super::execution;

    /// What time it is. Where it starts does not matter, only how much has passed since.
    pub(crate) fn now() -> Instant {
        execution(|execution| *execution.now.get_or_insert_with(Instant::now))
    }

    /// Lets time pass, and wakes whoever waited for it.
    #[cfg(test)]
    pub(crate) fn pass(duration: Duration) {
        let now = now() + duration;
        let due: Vec<_> = execution(|execution| {
            execution.now = Some(now);
            execution.alarms.extract_if(.., |_, (at, _)| *at <= now).collect()
        });
        due.into_iter().for_each(|(_, (_, waker))| waker.wake());
    }

    /// Waits until somebody waits for a time to come.
    #[cfg(test)]
    pub(crate) async fn awaited() {
        while execution(|execution| execution.alarms.is_empty()) {
            shuttle::future::yield_now().await;
        }
    }

    /// Wakes somebody at some time, unless it is dropped before.
    pub(crate) struct Alarm(u64);

    impl Alarm {
        pub(crate) fn set(at: Instant, waker: &Waker) -> Self {
            execution(|execution| {
                execution.next_alarm += 1;
                execution.alarms.insert(execution.next_alarm, (at, waker.clone()));
                Self(execution.next_alarm)
            })
        }
    }

    impl Drop for Alarm {
        fn drop(&mut self) {
            let _retired = execution(|execution| execution.alarms.remove(&self.0));
        }
    }

    /// Ready when its time has come.
    pub(crate) struct Sleep {
        until: Instant,
        alarm: Option<Alarm>,
    }

    pub(crate) fn sleep(duration: Duration) -> Sleep {
        Sleep { until: now() + duration, alarm: None }
    }

    impl Sleep {
        pub(crate) fn reset(mut self: Pin<&mut Self>, until: Instant) {
            *self = Self { until, alarm: None };
        }
    }

    impl Future for Sleep {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let over = self.until <= now();
            self.alarm = (!over).then(|| Alarm::set(self.until, cx.waker()));
            if over { Poll::Ready(()) } else { Poll::Pending }
        }
    }
}

#[cfg(feature = "signals")]
pub(crate) use tokio::signal;

/// For `std::thread`.
pub(crate) mod thread {
    pub(crate) use shuttle::thread::{ThreadId, current, yield_now};

    use super::{Running, execution};

    pub(crate) struct Builder(shuttle::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(shuttle::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            thread: impl FnOnce() -> T + Send + 'static,
        ) -> std::io::Result<shuttle::thread::JoinHandle<T>> {
            if execution(|execution| execution.refuses_threads) {
                return Err(std::io::ErrorKind::WouldBlock.into());
            }
            let running = Running::new();
            self.0.spawn(move || {
                let _running = running;
                thread()
            })
        }
    }
}
