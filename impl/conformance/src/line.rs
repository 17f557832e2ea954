//! A line to a store that can be cut: what a process sees of the world, in the hands of a case.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use tokio::sync::watch;

/// What is lost of a call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The call: it has no effect.
    Request,
    /// The answer: it has had its effect.
    Reply,
}

/// A store behind a line.
pub(crate) struct Line<S> {
    store: S,
    knob: Knob,
}

/// Cuts the line, and counts what goes over it.
#[derive(Clone)]
pub(crate) struct Knob {
    cut: Arc<watch::Sender<bool>>,
    calls: Arc<AtomicUsize>,
    fails: Option<(usize, Lost)>,
    hit: Arc<AtomicBool>,
}

impl<S: Store> Line<S> {
    /// A line over which nothing is lost until it is cut; or one call, counted from zero.
    pub(crate) fn new(store: S, fails: Option<(usize, Lost)>) -> (Self, Knob) {
        let cut = Arc::new(watch::Sender::new(false));
        let knob = Knob { cut, calls: Arc::default(), fails, hit: Arc::default() };
        (Self { store, knob: knob.clone() }, knob)
    }

    /// What goes over a line that is cut gets lost, both ways, and nobody is told so.
    async fn travel<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = self.knob.calls.fetch_add(1, Ordering::Relaxed);
        if *self.knob.cut.borrow() {
            return pending().await;
        }
        let fails = self.knob.fails.filter(|(at, _)| *at == number).map(|(_, lost)| lost);
        self.knob.hit.fetch_or(fails.is_some(), Ordering::Relaxed);
        if fails == Some(Lost::Request) {
            return Err(StoreError::Unknown("the request was lost".into()));
        }
        let answer = call.await;
        if *self.knob.cut.borrow() {
            return pending().await;
        }
        match fails {
            Some(_) => Err(StoreError::Unknown("the answer was lost".into())),
            None => answer,
        }
    }
}

impl Knob {
    /// From now on nothing comes through: as if the process stood still, or was gone.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// New calls come through again. Those that were lost stay lost.
    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Whether the call that was to fail has been made.
    pub(crate) fn has_failed(&self) -> bool {
        self.hit.load(Ordering::Relaxed)
    }
}

impl<S: Store> Store for Line<S> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.travel(self.store.load(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.travel(self.store.swap(key, expected, new)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.travel(self.store.scan(prefix)).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.store.watch(key, known).await;
        if *self.knob.cut.borrow() {
            pending::<()>().await;
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}
