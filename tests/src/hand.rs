//! A future in our own hands: polled when we say so, with a waker that counts, and outside of any task's
//! cooperation budget, so that what it answers depends upon the future alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::{Unconstrained, unconstrained};

/// Polls one future by hand and knows how often it was woken. Dropping it drops the future.
pub struct Hand<F> {
    future: Pin<Box<Unconstrained<F>>>,
    wakes: Arc<Wakes>,
    /// The counters of wakers that have been replaced: waking one of these wakes nobody.
    replaced: Vec<Arc<Wakes>>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<F: Future> Hand<F> {
    /// Takes a future in hand; nothing is polled yet.
    pub fn new(future: F) -> Self {
        Self {
            future: Box::pin(unconstrained(future)),
            wakes: Arc::default(),
            replaced: Vec::new(),
        }
    }

    /// Polls once.
    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls once, as a task does that has moved: with another waker than before.
    pub fn poll_elsewhere(&mut self) -> Poll<F::Output> {
        self.replaced.push(std::mem::take(&mut self.wakes));
        self.poll()
    }

    /// How often it was woken since this was last asked, through its latest waker.
    pub fn take_wakes(&mut self) -> usize {
        self.wakes.0.swap(0, Ordering::SeqCst)
    }

    /// How often a waker was woken that had been replaced.
    pub fn wakes_in_vain(&self) -> usize {
        let counts = self.replaced.iter();
        counts.map(|wakes| wakes.0.load(Ordering::SeqCst)).sum()
    }

    /// The answer of a future that must have one.
    ///
    /// # Panics
    /// If it has none yet.
    #[track_caller]
    pub fn answer(mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the future was to be ready, and is pending"),
        }
    }

    /// Polls a future that must not have an answer yet, and hands it back.
    ///
    /// # Panics
    /// If it has one.
    #[track_caller]
    pub fn waits(mut self) -> Self {
        assert!(self.poll().is_pending(), "the future was to wait, and is ready");
        self
    }
}
