//! A store in memory whose calls can be counted, lost, refused and never answered, at chosen moments.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockspace::store::{Capabilities, Memory, Row, Store, StoreError, Swap, Version};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done and answered.
    #[default]
    Done,
    /// It is not done, and that is said.
    Refused,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done, and nobody knows.
    RequestLost,
    /// It is not done, and never answered.
    Swallowed,
    /// It is done, and answered so many milliseconds later.
    Slow(u64),
    /// The store's own code panics.
    Panics,
}

/// See the [module](self). Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Faulty {
    pub inner: Memory,
    script: Arc<Mutex<Script>>,
    hints: bool,
    vain_hints: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Script {
    /// How many calls there have been.
    calls: usize,
    /// How many of them concerned names.
    about_names: usize,
    /// How many of them concerned sessions.
    about_sessions: usize,
    /// The fates of calls by their numbers; the others have the usual one.
    fates: BTreeMap<usize, Fate>,
    usual: Fate,
}

impl Faulty {
    pub(crate) fn over(inner: Memory) -> Self {
        Self { inner, ..Self::default() }
    }

    /// The same store, which gives hints.
    pub(crate) fn with_hints(mut self) -> Self {
        self.hints = true;
        self
    }

    /// The next so many hints come at once, for no reason.
    pub(crate) fn hints_in_vain(&self, hints: usize) {
        self.vain_hints.store(hints, Ordering::Relaxed);
    }

    /// From now on every call has this fate.
    pub(crate) fn usually(&self, fate: Fate) {
        self.script.lock().unwrap().usual = fate;
    }

    /// The call of this number, counted from zero, has this fate.
    pub(crate) fn at(&self, call: usize, fate: Fate) {
        self.script.lock().unwrap().fates.insert(call, fate);
    }

    pub(crate) fn calls(&self) -> usize {
        self.script.lock().unwrap().calls
    }

    pub(crate) fn calls_about_names(&self) -> usize {
        self.script.lock().unwrap().about_names
    }

    pub(crate) fn calls_about_sessions(&self) -> usize {
        self.script.lock().unwrap().about_sessions
    }

    fn next(&self, key: &str) -> Fate {
        let mut script = self.script.lock().unwrap();
        let number = script.calls;
        script.calls += 1;
        script.about_names += usize::from(key.starts_with("lock/") && key != "lock/");
        script.about_sessions += usize::from(key.starts_with("session/") && key != "session/");
        script.fates.get(&number).copied().unwrap_or(script.usual)
    }

    async fn suffer<T>(
        &self,
        key: &str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.next(key) {
            Fate::Done => call.await,
            Fate::Refused => Err(StoreError::NotDone("refused".into())),
            Fate::AnswerLost => {
                call.await?;
                Err(StoreError::Unknown("the answer was lost".into()))
            }
            Fate::RequestLost => Err(StoreError::Unknown("the request was lost".into())),
            Fate::Swallowed => pending().await,
            Fate::Panics => panic!("on purpose"),
            Fate::Slow(milliseconds) => {
                let answer = call.await;
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                answer
            }
        }
    }
}

impl Store for Faulty {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.suffer(key, self.inner.load(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.suffer(key, self.inner.swap(key, expected, new)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.suffer(prefix, self.inner.scan(prefix)).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        let left = |hints: usize| hints.checked_sub(1);
        if self.vain_hints.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
            self.inner.watch(key, known).await;
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.hints = self.hints;
        capabilities
    }
}
