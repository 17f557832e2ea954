//! A store that counts the calls that were answered, and lets no more through than it is told to.

use std::future::{Future, pending};
use std::sync::Arc;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use tokio::sync::watch;

/// See the [module](self). Clones share everything.
pub(crate) struct Counted<S> {
    store: Arc<S>,
    calls: Arc<watch::Sender<Calls>>,
}

/// How many calls were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Those about names,
    pub(crate) of_names: usize,
    /// and how many of them were swaps.
    pub(crate) swaps_of_names: usize,
    /// Those about sessions.
    pub(crate) of_sessions: usize,
    /// How many more are let through; None: all.
    left: Option<usize>,
    under_way: usize,
}

impl<S> Clone for Counted<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), calls: Arc::clone(&self.calls) }
    }
}

impl<S: Store> Counted<S> {
    pub(crate) fn over(store: S) -> Self {
        Self { store: Arc::new(store), calls: Arc::default() }
    }

    pub(crate) fn calls(&self) -> Calls {
        *self.calls.borrow()
    }

    /// Waits until so many calls were answered.
    pub(crate) async fn until(&self, enough: impl FnMut(&Calls) -> bool) {
        let mut calls = self.calls.subscribe();
        calls.wait_for(enough).await.expect("it is there as long as the store is");
    }

    /// Lets no call through that has not begun, and waits for those that have.
    pub(crate) async fn shut(&self) {
        self.open_for(0);
        self.until(|calls| calls.under_way == 0).await;
    }

    /// Lets so many calls through, and then none.
    pub(crate) fn open_for(&self, calls: usize) {
        self.calls.send_modify(|state| state.left = Some(calls));
    }

    async fn travel<T>(
        &self,
        key: &str,
        swap: bool,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _under_way = self.pass().await;
        let answer = call.await?;
        let of_name = key.starts_with("lock/");
        self.calls.send_modify(|calls| {
            calls.of_names += usize::from(of_name);
            calls.swaps_of_names += usize::from(of_name && swap);
            calls.of_sessions += usize::from(!of_name);
        });
        Ok(answer)
    }

    /// Goes through, or stays outside until it is opened.
    async fn pass(&self) -> UnderWay<'_> {
        let mut calls = self.calls.subscribe();
        loop {
            let mut may = false;
            self.calls.send_if_modified(|state| {
                may = state.left != Some(0);
                state.left = state.left.map(|left| left.saturating_sub(1));
                state.under_way += usize::from(may);
                false
            });
            if may {
                return UnderWay(&self.calls);
            }
            if calls.changed().await.is_err() {
                return pending().await;
            }
        }
    }
}

/// A call that has been let through and has not ended.
struct UnderWay<'a>(&'a watch::Sender<Calls>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|calls| calls.under_way -= 1);
    }
}

impl<S: Store> Store for Counted<S> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.travel(key, false, self.store.load(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.travel(key, true, self.store.swap(key, expected, new)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.store.scan(prefix).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.store.watch(key, known).await;
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}
