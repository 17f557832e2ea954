//! Whether everything stood still while a case looked: the machine, or the store.
//!
//! What hangs is refuted some day, and a session is believed in for so many milliseconds. Whoever stands
//! still exceeds such limits without having broken a promise. So both are watched: the machine by a thread
//! that asks to be woken every few milliseconds, the store by how long it leaves calls without an answer.
//!
//! What this module must not do: decide what is excused by that.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the thread sleeps at a time.
const NAP: Duration = Duration::from_millis(10);
/// Whoever is woken later than this has not just waited for his turn.
const LATE: Duration = Duration::from_millis(20);

/// A thread that notes by how much it is woken too late.
pub(crate) struct Canary {
    thread: JoinHandle<Duration>,
    is_done: Arc<AtomicBool>,
}

impl Canary {
    pub(crate) fn start() -> Self {
        Self::that_sleeps(thread::sleep)
    }

    fn that_sleeps(sleep: impl Fn(Duration) + Send + 'static) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let is_told = Arc::clone(&is_done);
        let thread = thread::spawn(move || {
            let mut still = Duration::ZERO;
            while !is_told.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                sleep(NAP);
                let late = asleep.elapsed().saturating_sub(NAP);
                still += if late < LATE { Duration::ZERO } else { late };
            }
            still
        });
        Self { thread, is_done }
    }

    /// For how long the machine has stood still, all in all.
    pub(crate) fn stop(self) -> Duration {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does nothing but sleep")
    }
}

/// For how long the store has left calls without an answer.
#[derive(Default)]
pub(crate) struct Silence(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// When the first call was made that followed upon the last answer.
    since: Option<Instant>,
    longest: Duration,
}

impl Silence {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a call, for which the caller may soon wait no more.
    pub(crate) async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let mut waits = Waits::new(self);
        let answer = call.await;
        waits.is_answered = true;
        answer
    }

    pub(crate) fn longest(&self) -> Duration {
        self.kept().longest
    }
}

/// A call that has been made. Its drop notes for how long somebody has waited in vain.
struct Waits<'a> {
    silence: &'a Silence,
    begun: Instant,
    is_answered: bool,
}

impl<'a> Waits<'a> {
    fn new(silence: &'a Silence) -> Self {
        let begun = Instant::now();
        silence.kept().since.get_or_insert(begun);
        Self { silence, begun, is_answered: false }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut kept = self.silence.kept();
        // One call after the other may be given up while the store is silent: that is one silence.
        let since = if self.is_answered { None } else { kept.since };
        if self.is_answered {
            kept.since = None;
        }
        kept.longest = kept.longest.max(since.unwrap_or(self.begun).elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_thread_that_is_woken_too_late_says_by_how_much() {
        let still = Duration::from_millis(50);
        let (sleeps, slept) = mpsc::channel();
        let canary = Canary::that_sleeps(move |nap| {
            thread::sleep(nap + still);
            let _ = sleeps.send(());
        });
        slept.recv().expect("it sleeps");
        assert!(canary.stop() >= still);
    }

    #[tokio::test]
    async fn calls_that_are_given_up_one_after_the_other_are_one_silence() {
        let (silence, patience) = (Silence::default(), Duration::from_millis(10));
        for _ in 0..3 {
            let given_up = timeout(patience, silence.around(pending::<()>())).await;
            assert!(given_up.is_err());
        }
        assert!(silence.longest() >= patience * 3, "{:?}", silence.longest());
    }

    #[tokio::test]
    async fn an_answer_ends_the_silence() {
        let (silence, patience) = (Silence::default(), Duration::from_millis(10));
        let begun = Instant::now();
        let _ = timeout(patience, silence.around(pending::<()>())).await;
        let first = begun.elapsed();
        silence.around(async {}).await;
        let second = Instant::now();
        let _ = timeout(patience, silence.around(pending::<()>())).await;
        assert!(silence.longest() <= first.max(second.elapsed()), "{:?}", silence.longest());
    }
}
