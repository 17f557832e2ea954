//! A line to a store that can be cut: what a process sees of the world, in the hands of a case.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// What happens to one call, counted from zero, or to all hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This call fails, and nobody knows whether it was done.
    Loses(usize, Lost),
    /// This call stands still, before or after its effect, until it may go on.
    Holds(usize, Lost),
    /// No hint comes.
    Deaf,
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
    fault: Option<Fault>,
    hit: Arc<watch::Sender<bool>>,
    goes_on: Arc<watch::Sender<bool>>,
}

impl<S: Store> Line<S> {
    /// A line with this fault; without one, nothing is lost until it is cut.
    pub(crate) fn new(store: S, fault: Option<Fault>) -> (Self, Knob) {
        let no = || Arc::new(watch::Sender::new(false));
        let knob = Knob { cut: no(), calls: Arc::default(), fault, hit: no(), goes_on: no() };
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
        let (loses, holds) = match self.knob.fault {
            Some(Fault::Loses(at, what)) if at == number => (Some(what), None),
            Some(Fault::Holds(at, when)) if at == number => (None, Some(when)),
            _ => (None, None),
        };
        if loses.is_some() {
            self.knob.hit.send_replace(true);
        }
        if loses == Some(Lost::Request) {
            return Err(StoreError::Unknown("the request was lost".into()));
        }
        if holds == Some(Lost::Request) {
            self.knob.stand_still().await;
        }
        let answer = call.await;
        if holds == Some(Lost::Reply) {
            self.knob.stand_still().await;
        }
        if *self.knob.cut.borrow() {
            return pending().await;
        }
        match loses {
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

    /// Whether the call that the fault is about has been made.
    pub(crate) fn is_hit(&self) -> bool {
        *self.hit.borrow()
    }

    /// Until it is made.
    pub(crate) async fn until_hit(&self) {
        let _ = self.hit.subscribe().wait_for(|hit| *hit).await;
    }

    /// The call that stands still goes on; one that has not been made will not stand still.
    pub(crate) fn go_on(&self) {
        self.goes_on.send_replace(true);
    }

    async fn stand_still(&self) {
        self.hit.send_replace(true);
        let _ = self.goes_on.subscribe().wait_for(|goes_on| *goes_on).await;
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
        if self.knob.fault == Some(Fault::Deaf) {
            pending::<()>().await;
        }
        self.store.watch(key, known).await;
        if *self.knob.cut.borrow() {
            pending::<()>().await;
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}
