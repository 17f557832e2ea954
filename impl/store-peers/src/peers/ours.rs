//! lockspace, over whichever store; and the store by itself.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use lockspace::store::{Capabilities, Options, Row, Store, StoreError, Swap, Version};
use lockspace::{Guard, LockSpace};
use lockspace_etcd::EtcdStore;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_sqlite::SqliteStore;
use tokio::sync::watch;

use crate::peer::{Peer, Place};

/// A store that knows where it is.
pub(crate) trait Placed: Store + Sized {
    const PLACE: Place;
    fn at(url: &str) -> impl Future<Output = Self> + Send;
}

macro_rules! placed {
    ($store:ident at $place:ident: |$url:ident| $open:expr) => {
        impl Placed for $store {
            const PLACE: Place = Place::$place;

            async fn at($url: &str) -> Self {
                $open.await.expect("it is there")
            }
        }
    };
}

placed!(RedisStore at Redis: |url| Self::connect(url, "default"));
placed!(PostgresStore at Postgres: |url| Self::connect(url, "default"));
placed!(EtcdStore at Etcd: |url| Self::connect(url, "default"));
placed!(SqliteStore at Folder: |url| Self::open(format!("{url}/lockspace.sqlite")));

/// lockspace with its default settings.
pub(crate) struct Ours<S> {
    space: LockSpace,
    /// How many swaps of names were answered.
    swaps: watch::Receiver<u64>,
    store: PhantomData<fn() -> S>,
}

impl<S: Placed> Peer for Ours<S> {
    const NAME: &'static str = "**lockspace**";
    const PLACE: Place = S::PLACE;
    type Held<'p> = Guard<'p>;

    async fn connect(url: &str) -> Self {
        let (counter, swaps) = watch::channel(0);
        let store = Told { store: S::at(url).await, counter };
        let space = LockSpace::open(store, Options::new()).await.expect("the store is there");
        Self { space, swaps, store: PhantomData }
    }

    async fn another(&self) -> Self {
        Self { space: self.space.clone(), swaps: self.swaps.clone(), store: PhantomData }
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> Guard<'p> {
        self.space.acquire(name).await.expect("nothing refuses")
    }

    async fn release<'p>(&'p self, held: Guard<'p>) {
        held.release().expect("it is held");
    }

    async fn release_fully<'p>(&'p self, held: Guard<'p>) {
        let mut swaps = self.swaps.clone();
        let before = *swaps.borrow();
        held.release().expect("it is held");
        swaps.wait_for(|swaps| *swaps > before).await.expect("the store is there");
    }

    async fn close(self) {
        self.space.shutdown(Duration::ZERO).await;
    }
}

/// The same, whose user goes on without waiting for the release to reach the store, as users do.
pub(crate) struct Unawaited<S>(Ours<S>);

impl<S: Placed> Peer for Unawaited<S> {
    const NAME: &'static str = "**lockspace**, the release left to it";
    const PLACE: Place = S::PLACE;
    type Held<'p> = Guard<'p>;

    async fn connect(url: &str) -> Self {
        Self(Ours::connect(url).await)
    }

    async fn another(&self) -> Self {
        Self(self.0.another().await)
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> Guard<'p> {
        self.0.acquire(name).await
    }

    async fn release<'p>(&'p self, held: Guard<'p>) {
        self.0.release(held).await;
    }

    async fn close(self) {
        self.0.close().await;
    }
}

/// The swaps of an acquire and a release, asked of the store by hand: what the store costs by itself.
pub(crate) struct Swaps<S>(Arc<S>);

/// About as much as stands in the row of a name that is held.
const ROW: &[u8] = &[b'x'; 64];

impl<S: Placed> Peer for Swaps<S> {
    const NAME: &'static str = "*its two swaps*";
    const PLACE: Place = S::PLACE;
    type Held<'p> = (String, Version);

    async fn connect(url: &str) -> Self {
        Self(Arc::new(S::at(url).await))
    }

    async fn another(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> (String, Version) {
        let key = format!("bare/{name}");
        match self.0.swap(&key, None, Some(ROW)).await {
            Ok(Swap::Swapped(version)) => (key, version),
            other => panic!("nobody else wants {key}: {other:?}"),
        }
    }

    async fn release(&self, (key, version): (String, Version)) {
        let gone = self.0.swap(&key, Some(version), None).await;
        assert!(matches!(gone, Ok(Swap::Swapped(_))), "{gone:?}");
    }
}

/// A store that tells of each swap of a name that was answered.
struct Told<S> {
    store: S,
    counter: watch::Sender<u64>,
}

impl<S: Store> Store for Told<S> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        self.store.load(key).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let answer = self.store.swap(key, expected, new).await;
        if key.starts_with("lock/") {
            self.counter.send_modify(|swaps| *swaps += 1);
        }
        answer
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
