//! Critical sections: run a body under a lock, and never two bodies at once.
//!
//! The order of endings is all there is to it: a body that must stop is stopped *first*, and only then
//! is the lock released. A design that releases on a timer while the body still runs lets two in (the
//! model refutes it: `release-before-body-stops`).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use lockspace_spec::FencingToken;

use crate::error::{AcquireError, LostHold, SectionError};
use crate::guard::Guard;
use crate::name::LockName;
use crate::runtime::{self, BlockingError};
use crate::space::LockSpace;

/// How a critical section waits, and how long its body may run.
///
/// ```
/// # use std::time::Duration;
/// use lockspace::SectionOptions;
///
/// let patient_but_brief = SectionOptions::new()
///     .wait_timeout(Duration::from_secs(30))
///     .time_limit(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct SectionOptions<'a> {
    wait_timeout: Option<Duration>,
    time_limit: Option<Duration>,
    label: Option<&'a str>,
    owner: Option<u64>,
}

impl<'a> SectionOptions<'a> {
    /// Waits without limit, runs without limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits at most this long for the lock; zero means not at all.
    pub fn wait_timeout(mut self, wait_timeout: Duration) -> Self {
        self.wait_timeout = Some(wait_timeout);
        self
    }

    /// Lets the body run at most this long, counted from when it starts.
    ///
    /// Only an async body can be stopped. A blocking one runs to its end, and this limit does not
    /// concern it.
    pub fn time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = Some(time_limit);
        self
    }

    /// Says what the hold is for, to be seen in [`snapshot`](LockSpace::snapshot).
    pub fn label(mut self, label: &'a str) -> Self {
        self.label = Some(label);
        self
    }

    /// Says whose the section is, where deadlocks or self-waits are looked for; see
    /// [`Acquire::owner`](crate::Acquire::owner). A blocking body runs in a task of its own: what it acquires
    /// itself belongs to the section's owner only if that is named in both places.
    pub fn owner(mut self, id: u64) -> Self {
        self.owner = Some(id);
        self
    }
}

impl LockSpace {
    /// Runs an async body while holding `name`, and answers its result.
    ///
    /// The body is given the fencing token of its hold.
    ///
    /// # Guarantees
    /// No two bodies of one name run at once (S1): when the section ends before its body does — at its
    /// time limit, because the hold was lost, or because the caller dropped it — the body's future is
    /// dropped first and the lock released after. The exception is an operator's
    /// [`force_release`](LockSpace::force_release) and the end of a shutdown's grace: these take the lock
    /// from a running body, which is stopped when it next yields; the fencing token covers the gap.
    ///
    /// # Errors
    /// [`SectionError`]: the lock was not granted, the limit ended, or the lock was taken away.
    ///
    /// # Cancel safety
    /// Dropping the future stops the body, then releases the lock. What the body had done stays done.
    ///
    /// # Fairness
    /// As [`acquire`](LockSpace::acquire).
    ///
    /// # Panics
    /// A panic of the body releases the lock and goes on to the caller. With a time limit: outside of a
    /// tokio runtime with timers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use lockspace::{LockSpace, SectionOptions};
    ///
    /// let space = LockSpace::new();
    /// let sum = space
    ///     .critical_section("ledger", SectionOptions::new(), |_token| async { 40 + 2 })
    ///     .await;
    /// assert_eq!(sum, Ok(42));
    /// # }
    /// ```
    pub async fn critical_section<T, F: Future<Output = T>>(
        &self,
        name: &str,
        options: SectionOptions<'_>,
        body: impl FnOnce(FencingToken) -> F,
    ) -> Result<T, SectionError> {
        if options.time_limit == Some(Duration::ZERO) {
            return Err(SectionError::ZeroTimeLimit { name: checked(name)? });
        }
        // The guard comes before the body, so that however this function is left, the body goes first.
        let guard = self.section_guard(name, options).await?;
        let result = {
            let body = pin!(body(guard.fencing_token()));
            stop_at_end(body, &guard, options.time_limit).await
        };
        match result {
            Ok(output) => guard.release().map(|()| output).map_err(SectionError::Lost),
            Err(Stopped::Lost(lost)) => Err(SectionError::Lost(lost)),
            Err(Stopped::TimeLimit(limit)) => {
                Err(SectionError::TimeLimit { name: guard.name(), limit })
            }
        }
    }

    /// Runs a blocking, CPU-bound body on the runtime's blocking pool while holding `name`.
    ///
    /// The body is given the fencing token of its hold.
    ///
    /// # Guarantees
    /// The lock is held until the body has really ended (S1), also if the caller has given up waiting:
    /// a closure cannot be stopped from outside, so the guard goes with it.
    ///
    /// # Errors
    /// [`SectionError`]. With [`SectionError::Lost`] the body ran to its end, partly without the lock.
    ///
    /// # Cancel safety
    /// Before the body has begun, dropping the future leaves nothing behind. Afterwards it only gives up
    /// the result: the body runs on, and the lock is released when it ends.
    ///
    /// # Fairness
    /// As [`acquire`](LockSpace::acquire).
    ///
    /// # Panics
    /// A panic of the body releases the lock and goes on to the caller. Outside of a tokio runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use lockspace::{LockSpace, SectionOptions};
    ///
    /// let space = LockSpace::new();
    /// let primes = space
    ///     .critical_section_blocking("sieve", SectionOptions::new(), |_token| {
    ///         (2..100_u32).filter(|n| (2..*n).all(|d| n % d != 0)).count()
    ///     })
    ///     .await;
    /// assert_eq!(primes, Ok(25));
    /// # }
    /// ```
    pub async fn critical_section_blocking<T: Send + 'static>(
        &self,
        name: &str,
        options: SectionOptions<'_>,
        body: impl FnOnce(FencingToken) -> T + Send + 'static,
    ) -> Result<T, SectionError> {
        let guard = self.section_guard(name, options).await?.into_owned();
        let closure = move || {
            let output = body(guard.fencing_token());
            (output, guard.release())
        };
        match runtime::run_blocking(closure).await {
            Ok((output, Ok(()))) => Ok(output),
            Ok((_, Err(lost))) => Err(SectionError::Lost(lost)),
            Err(BlockingError::NotRun) => Err(SectionError::NotRun { name: checked(name)? }),
            Err(BlockingError::Panicked(panic)) => std::panic::resume_unwind(panic),
        }
    }

    async fn section_guard(
        &self,
        name: &str,
        options: SectionOptions<'_>,
    ) -> Result<Guard<'_>, AcquireError> {
        let mut request = self.acquire(name).unplaced();
        if let Some(wait_timeout) = options.wait_timeout {
            request = request.wait_timeout(wait_timeout);
        }
        if let Some(label) = options.label {
            request = request.label(label);
        }
        if let Some(id) = options.owner {
            request = request.owner(id);
        }
        request.await
    }
}

/// Why a body was stopped.
enum Stopped {
    Lost(LostHold),
    TimeLimit(Duration),
}

/// Runs the body until it ends, or until it must. A body that must stop is not polled again.
async fn stop_at_end<F: Future>(
    mut body: Pin<&mut F>,
    guard: &Guard<'_>,
    time_limit: Option<Duration>,
) -> Result<F::Output, Stopped> {
    let mut lost = pin!(guard.lost());
    let mut limit_ended = pin!(runtime::sleep(time_limit));
    poll_fn(|cx| {
        if let Poll::Ready(lost) = lost.as_mut().poll(cx) {
            return Poll::Ready(Err(Stopped::Lost(lost)));
        }
        if let Poll::Ready(output) = body.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let limit_ended = limit_ended.as_mut().poll(cx).is_ready();
        match time_limit {
            Some(limit) if limit_ended => Poll::Ready(Err(Stopped::TimeLimit(limit))),
            _ => Poll::Pending,
        }
    })
    .await
}

fn checked(name: &str) -> Result<LockName, AcquireError> {
    Ok(LockName::new(name)?)
}
