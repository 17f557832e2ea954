//! The only file that names `std::sync`, crossbeam, loom or shuttle.
//!
//! Everything that the engine shares between threads comes from here, so that a build with
//! `--cfg lockspace_loom` or `--cfg lockspace_shuttle` runs the engine's own code under the scheduler of
//! loom or shuttle. The cfgs are private to this package: a global `--cfg loom` would change tokio and
//! everything built upon it.
//!
//! What this file must not do: decide anything about locks by name.

use std::sync::PoisonError;

#[cfg(lockspace_loom)]
use loom::sync as imp;
#[cfg(lockspace_shuttle)]
use shuttle::sync as imp;
#[cfg(not(any(lockspace_loom, lockspace_shuttle)))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;
pub(crate) use imp::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Weak};

pub(crate) use crossbeam_utils::CachePadded;

/// A mutex that ignores poisoning.
///
/// No code of a user runs while one is locked, but for `Waker::clone`, which comes before any change.
/// A panic inside is therefore a defect of ours, and must not add a deadlock for everybody else.
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

pub(crate) use parker::with_parker;

/// How a thread waits for its grant: a [`Waker`](std::task::Waker) like everybody else's, that unparks.
#[cfg(not(any(lockspace_loom, lockspace_shuttle)))]
mod parker {
    use std::task::{Wake, Waker};

    use crossbeam_utils::sync::{Parker, Unparker};

    use super::Arc;

    struct ThreadWaker(Unparker);

    impl Wake for ThreadWaker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    thread_local! {
        // One for each thread that has ever waited, so that waiting again costs no allocation.
        static PARKER: (Parker, Waker) = {
            let parker = Parker::new();
            let waker = Waker::from(Arc::new(ThreadWaker(parker.unparker().clone())));
            (parker, waker)
        };
    }

    /// Runs `wait` with this thread's parker. A wake-up meant for an earlier wait may unpark it once
    /// too often, so `wait` must check its condition in a loop.
    pub(crate) fn with_parker<R>(wait: impl FnOnce(&Parker, &Waker) -> R) -> R {
        PARKER.with(|(parker, waker)| wait(parker, waker))
    }
}

/// The same under loom, which does not see into crossbeam. It knows no time: a deadline never comes.
#[cfg(lockspace_loom)]
mod parker {
    use std::task::{Wake, Waker};
    use std::time::Instant;

    use super::Arc;

    pub(crate) struct Parker(Arc<ThreadWaker>);

    struct ThreadWaker(loom::sync::Notify);

    impl Wake for ThreadWaker {
        fn wake(self: Arc<Self>) {
            self.0.notify();
        }
    }

    impl Parker {
        pub(crate) fn park(&self) {
            self.0.0.wait();
        }

        pub(crate) fn park_deadline(&self, _: Instant) {
            self.park();
        }
    }

    pub(crate) fn with_parker<R>(wait: impl FnOnce(&Parker, &Waker) -> R) -> R {
        let inner = Arc::new(ThreadWaker(loom::sync::Notify::new()));
        wait(&Parker(Arc::clone(&inner)), &Waker::from(inner))
    }
}

/// The same under shuttle, with its threads and the time of its tests.
#[cfg(lockspace_shuttle)]
mod parker {
    use std::task::{Wake, Waker};
    use std::time::Instant;

    use shuttle::thread::{self, Thread};

    use super::Arc;
    use crate::schedules::stand_in::time;

    pub(crate) struct Parker(Waker);

    struct ThreadWaker(Thread);

    impl Wake for ThreadWaker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    impl Parker {
        pub(crate) fn park(&self) {
            thread::park();
        }

        pub(crate) fn park_deadline(&self, until: Instant) {
            if until > time::now().into_std() {
                let _alarm = time::Alarm::set(until.into(), &self.0);
                thread::park();
            }
        }
    }

    pub(crate) fn with_parker<R>(wait: impl FnOnce(&Parker, &Waker) -> R) -> R {
        let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
        wait(&Parker(waker.clone()), &waker)
    }
}
