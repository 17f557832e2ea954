//! A store in memory that keeps the contract, but for one [`Flaw`].

use std::collections::BTreeMap;
use std::future::pending;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use lockspace_conformance::{Harness, NotOffered, NotRun};
use tokio::sync::{Notify, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

/// What is wrong with a shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Nothing,
    /// No flaw, but it takes patience: every other connection answers nothing for longer than a call lasts.
    IsBusy,
    /// No flaw either: every other connection answers its second call too late.
    AnswersLate,
    /// Nor is this: every tenth swap is not done, and says so.
    EveryTenthSwapIsNotDone,
    /// Nor this, if it is not held against the store: nobody is answered for a while, and once only.
    StandsStillOnce,
    SwapIsNotAtomic,
    VersionsRestartWithTheRow,
    VersionIsDrawnBeforeTheRowIsLocked,
    KillLosesWrites,
    KillLosesTheCounter,
    LoadsAreStale,
    SwapIsDoneTwice,
    LostRepliesAreRetried,
    UnknownIsCalledNotDone,
    UnknownRemovalsAreCalledNotDone,
    LostRemovalsAreRetried,
    ScanEndsAfterAPage,
    PrefixIsAPattern,
    NamespacesAreShared,
    DroppedCallsKeepTheirPlace,
    HintsAreClaimed,
    LoadsAreKeptUntilAHint,
    VersionsWrap,
    VersionsGoOnBeyondTheGreatest,
}

type Rows = BTreeMap<String, (Version, Vec<u8>)>;
type Loaded = Option<(Version, Vec<u8>)>;

#[derive(Default)]
struct Server {
    last: u64,
    rows: Rows,
    /// What stale loads see, and what is left after a kill that loses writes.
    copy: Rows,
    swaps: u64,
    /// How many calls are still to fail.
    failing: u32,
    connections: u32,
    /// How many calls there have been, and until when none is answered.
    calls: u64,
    stands_still: Option<Instant>,
}

/// A connection to the shelf.
pub(crate) struct Shelf {
    flaw: Flaw,
    is_slow: bool,
    calls: AtomicUsize,
    server: Arc<Mutex<Server>>,
    changed: Arc<Notify>,
    /// Calls of one connection that can be under way at once.
    places: Semaphore,
    /// What was loaded over this connection, until a hint comes.
    kept: Mutex<BTreeMap<String, Loaded>>,
}

/// At what point a call's connection fails.
#[derive(PartialEq, Eq)]
enum Fails {
    Not,
    Before,
    After,
}

impl Shelf {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    fn fails(&self) -> bool {
        let mut server = self.server();
        let fails = server.failing > 0;
        server.failing -= u32::from(fails);
        fails
    }

    /// About half of the swaps that fail do so after their effect. Not every other one: clients do the same
    /// in step, and would have all their removals on one side.
    fn swap_fails(&self) -> Fails {
        if !self.fails() {
            return Fails::Not;
        }
        if fastrand::bool() { Fails::After } else { Fails::Before }
    }

    /// The network, and a place that a call needs. A call that is dropped gives it back; nearly always.
    async fn travel(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_slow && (self.flaw == Flaw::IsBusy || call == 1) {
            sleep(Duration::from_secs(1)).await;
        }
        if self.flaw == Flaw::StandsStillOnce {
            let until = self.server().stands_still();
            sleep_until(until).await;
        }
        let place = self.places.acquire().await.unwrap();
        if self.flaw == Flaw::DroppedCallsKeepTheirPlace {
            place.forget();
            yield_now().await;
            self.places.add_permits(1);
        } else {
            yield_now().await;
        }
    }

    /// What this connection has written it knows, and where it was in error it looks again.
    fn keep(&self, key: &str, swap: &Swap, new: Option<&[u8]>) {
        let mut kept = self.kept.lock().unwrap();
        match swap {
            Swap::Swapped(version) if self.flaw == Flaw::LoadsAreKeptUntilAHint => {
                kept.insert(key.into(), new.map(|bytes| (*version, bytes.into())));
            }
            _ => _ = kept.remove(key),
        }
    }

    async fn apply(&self, key: &str, expected: Option<Version>, new: Option<&[u8]>) -> Swap {
        let early = (self.flaw == Flaw::VersionIsDrawnBeforeTheRowIsLocked).then(|| {
            let mut server = self.server();
            server.last += 1;
            server.last
        });
        if early.is_some() {
            someone_comes_between().await;
        }
        if self.flaw == Flaw::SwapIsNotAtomic {
            if self.server().version(key) != expected {
                return Swap::Conflict;
            }
            someone_comes_between().await;
        }
        let mut server = self.server();
        if server.version(key) != expected && self.flaw != Flaw::SwapIsNotAtomic {
            return Swap::Conflict;
        }
        if server.swaps.is_multiple_of(5) {
            server.copy = server.rows.clone();
        }
        let version = match (self.flaw, early) {
            (_, Some(drawn)) => drawn,
            (Flaw::VersionsRestartWithTheRow, _) => expected.map_or(0, |version| version.0) + 1,
            (Flaw::VersionsWrap, _) if server.last >= Version::MAX.0 => {
                server.last = 1;
                1
            }
            _ => {
                server.last += 1;
                server.last
            }
        };
        server.write(key, Version(version), new);
        if self.flaw == Flaw::SwapIsDoneTwice {
            server.last += 1;
            let again = Version(server.last);
            server.write(key, again, new);
        }
        drop(server);
        self.changed.notify_waiters();
        Swap::Swapped(Version(version))
    }
}

/// Sleeps, so that others are served meanwhile.
async fn someone_comes_between() {
    sleep(Duration::from_micros(fastrand::u64(..500))).await;
}

impl Server {
    /// Until when nobody is answered. The sixtieth call finds a server that stands still.
    fn stands_still(&mut self) -> Instant {
        self.calls += 1;
        if self.calls == 60 {
            self.stands_still = Some(Instant::now() + Duration::from_secs(3));
        }
        self.stands_still.unwrap_or_else(Instant::now)
    }

    fn is_the_tenth(&mut self) -> bool {
        self.calls += 1;
        self.calls.is_multiple_of(10)
    }

    fn version(&self, key: &str) -> Option<Version> {
        self.rows.get(key).map(|(version, _)| *version)
    }

    fn write(&mut self, key: &str, version: Version, new: Option<&[u8]>) {
        self.swaps += 1;
        match new {
            Some(bytes) => self.rows.insert(key.into(), (version, bytes.into())),
            None => self.rows.remove(key),
        };
    }
}

impl Store for Shelf {
    async fn load(&self, key: &str) -> Result<Loaded, StoreError> {
        self.travel().await;
        if self.fails() {
            return Err(StoreError::NotDone("cut off".into()));
        }
        if self.flaw == Flaw::LoadsAreKeptUntilAHint {
            let mut kept = self.kept.lock().unwrap();
            let now = || self.server().rows.get(key).cloned();
            return Ok(kept.entry(key.into()).or_insert_with(now).clone());
        }
        let server = self.server();
        let stale = self.flaw == Flaw::LoadsAreStale && !server.swaps.is_multiple_of(5);
        let rows = if stale { &server.copy } else { &server.rows };
        Ok(rows.get(key).cloned())
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.travel().await;
        let fails = self.swap_fails();
        if fails == Fails::Before {
            return Err(StoreError::NotDone("cut off".into()));
        }
        if self.flaw == Flaw::EveryTenthSwapIsNotDone && self.server().is_the_tenth() {
            return Err(StoreError::NotDone("the tenth".into()));
        }
        let goes_on =
            [Flaw::VersionsWrap, Flaw::VersionsGoOnBeyondTheGreatest].contains(&self.flaw);
        if self.server().last >= Version::MAX.0 && !goes_on {
            return Err(StoreError::NotDone("there are no more versions".into()));
        }
        let swap = self.apply(key, expected, new).await;
        self.keep(key, &swap, new);
        match (fails, self.flaw) {
            (Fails::After, Flaw::LostRepliesAreRetried) => Ok(self.apply(key, expected, new).await),
            (Fails::After, Flaw::LostRemovalsAreRetried) if new.is_none() => {
                Ok(self.apply(key, expected, new).await)
            }
            (Fails::After, Flaw::UnknownIsCalledNotDone) => {
                Err(StoreError::NotDone("cut off".into()))
            }
            (Fails::After, Flaw::UnknownRemovalsAreCalledNotDone) if new.is_none() => {
                Err(StoreError::NotDone("cut off".into()))
            }
            (Fails::After, _) => Err(StoreError::Unknown("cut off".into())),
            _ => Ok(swap),
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.travel().await;
        let begins = |key: &str| match self.flaw {
            // As in SQL's LIKE.
            Flaw::PrefixIsAPattern => {
                let same = |(pattern, c): (char, char)| pattern == '_' || pattern == c;
                key.chars().count() >= prefix.chars().count()
                    && prefix.chars().zip(key.chars()).all(same)
            }
            _ => key.starts_with(prefix),
        };
        let page = if self.flaw == Flaw::ScanEndsAfterAPage { 1_000 } else { usize::MAX };
        let server = self.server();
        let rows = server.rows.iter().filter(|(key, _)| begins(key)).take(page);
        let row = |(key, (version, bytes)): (&String, &(Version, Vec<u8>))| Row {
            key: key.clone(),
            version: *version,
            bytes: bytes.clone(),
        };
        Ok(rows.map(row).collect())
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        if self.flaw == Flaw::HintsAreClaimed {
            pending::<()>().await;
        }
        loop {
            let changed = self.changed.notified();
            if self.server().version(key) != known {
                return;
            }
            changed.await;
            self.kept.lock().unwrap().remove(key);
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut promises = Capabilities::default();
        promises.hints = true;
        promises.durable = true;
        promises
    }
}

/// Which flaw, as a type.
pub(crate) trait Has: Send + Sync + 'static {
    const FLAW: Flaw;
}

/// A place on a shelf with this flaw.
pub(crate) struct Place<F> {
    server: Arc<Mutex<Server>>,
    changed: Arc<Notify>,
    flaw: PhantomData<F>,
}

impl<F: Has> Harness for Place<F> {
    const NAME: &str = "a shelf";
    type Store = Shelf;

    async fn start() -> Result<Self, NotRun> {
        static SHARED: Mutex<Option<Arc<Mutex<Server>>>> = Mutex::new(None);
        let mut server = Arc::default();
        if F::FLAW == Flaw::NamespacesAreShared {
            // The first place of a case empties it, as if it were new.
            let mut shared = SHARED.lock().unwrap();
            match &*shared {
                Some(there) if Arc::strong_count(there) > 1 => server = Arc::clone(there),
                _ => *shared = Some(Arc::clone(&server)),
            }
        }
        Ok(Self { server, changed: Arc::default(), flaw: PhantomData })
    }

    async fn open(&self) -> Shelf {
        let mut server = self.server.lock().unwrap();
        server.connections += 1;
        Shelf {
            flaw: F::FLAW,
            is_slow: matches!(F::FLAW, Flaw::IsBusy | Flaw::AnswersLate)
                && server.connections.is_multiple_of(2),
            calls: AtomicUsize::new(0),
            server: Arc::clone(&self.server),
            changed: Arc::clone(&self.changed),
            places: Semaphore::new(16),
            kept: Mutex::default(),
        }
    }

    async fn restart(&self) -> Result<(), NotOffered> {
        Ok(())
    }

    async fn kill(&self) -> Result<(), NotOffered> {
        let mut server = self.server.lock().unwrap();
        match F::FLAW {
            Flaw::KillLosesWrites => server.rows = server.copy.clone(),
            Flaw::KillLosesTheCounter => server.last = 0,
            _ => {}
        }
        Ok(())
    }

    async fn advance(&self, last: Version) -> Result<(), NotOffered> {
        self.server.lock().unwrap().last = last.0;
        Ok(())
    }

    async fn disturb(&self) -> Result<(), NotOffered> {
        self.server.lock().unwrap().failing = 20;
        while self.server.lock().unwrap().failing > 0 {
            yield_now().await;
        }
        Ok(())
    }
}
