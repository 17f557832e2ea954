//! A harness and its stores without their types: so a case is compiled once, and not once for each harness.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};

use crate::still::Silence;
use crate::{Harness, NotOffered, NotRun};

/// A future of which only the output is known.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a load finds.
type Found = Option<(Version, Vec<u8>)>;

/// The place where a case happens.
pub(crate) struct Place {
    harness: Box<dyn AnyHarness>,
    silence: Arc<Silence>,
}

impl Place {
    pub(crate) async fn start<H: Harness>(silence: Arc<Silence>) -> Result<Self, NotRun> {
        Ok(Self { harness: Box::new(H::start().await?), silence })
    }

    /// Another place, as new as this one was.
    pub(crate) async fn another(&self) -> Result<Self, NotRun> {
        self.harness.start_another(Arc::clone(&self.silence)).await
    }

    pub(crate) async fn open(&self) -> Opened {
        Opened { store: self.harness.connect().await, silence: Arc::clone(&self.silence) }
    }
}

impl Deref for Place {
    type Target = dyn AnyHarness;

    fn deref(&self) -> &Self::Target {
        &*self.harness
    }
}

/// A [`Harness`], without its type.
pub(crate) trait AnyHarness: Send + Sync {
    fn start_another(&self, silence: Arc<Silence>) -> Boxed<'_, Result<Place, NotRun>>;
    fn many(&self) -> usize;
    fn connect(&self) -> Boxed<'_, Box<dyn AnyStore>>;
    fn restart(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn kill(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn disturb(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn advance(&self, last: Version) -> Boxed<'_, Result<(), NotOffered>>;
    fn address(&self) -> Result<String, NotOffered>;
}

impl<H: Harness> AnyHarness for H {
    fn start_another(&self, silence: Arc<Silence>) -> Boxed<'_, Result<Place, NotRun>> {
        Box::pin(Place::start::<H>(silence))
    }

    fn many(&self) -> usize {
        H::MANY
    }

    fn connect(&self) -> Boxed<'_, Box<dyn AnyStore>> {
        Box::pin(async { Box::new(self.open().await) as Box<dyn AnyStore> })
    }

    fn restart(&self) -> Boxed<'_, Result<(), NotOffered>> {
        Box::pin(Harness::restart(self))
    }

    fn kill(&self) -> Boxed<'_, Result<(), NotOffered>> {
        Box::pin(Harness::kill(self))
    }

    fn disturb(&self) -> Boxed<'_, Result<(), NotOffered>> {
        Box::pin(Harness::disturb(self))
    }

    fn advance(&self, last: Version) -> Boxed<'_, Result<(), NotOffered>> {
        Box::pin(Harness::advance(self, last))
    }

    fn address(&self) -> Result<String, NotOffered> {
        Harness::address(self)
    }
}

/// A store that was opened in a place, and is listened to.
pub(crate) struct Opened {
    store: Box<dyn AnyStore>,
    silence: Arc<Silence>,
}

/// A [`Store`], without its type.
pub(crate) trait AnyStore: Send + Sync {
    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Found, StoreError>>;
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Version>,
        new: Option<&'a [u8]>,
    ) -> Boxed<'a, Result<Swap, StoreError>>;
    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Result<Vec<Row>, StoreError>>;
    fn watch<'a>(&'a self, key: &'a str, known: Option<Version>) -> Boxed<'a, ()>;
    fn capabilities(&self) -> Capabilities;
}

impl<S: Store> AnyStore for S {
    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Found, StoreError>> {
        Box::pin(Store::load(self, key))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Version>,
        new: Option<&'a [u8]>,
    ) -> Boxed<'a, Result<Swap, StoreError>> {
        Box::pin(Store::swap(self, key, expected, new))
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(Store::scan(self, prefix))
    }

    fn watch<'a>(&'a self, key: &'a str, known: Option<Version>) -> Boxed<'a, ()> {
        Box::pin(Store::watch(self, key, known))
    }

    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }
}

impl Store for Opened {
    async fn load(&self, key: &str) -> Result<Found, StoreError> {
        self.silence.around(self.store.load(key)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.silence.around(self.store.swap(key, expected, new)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.silence.around(self.store.scan(prefix)).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.store.watch(key, known).await;
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}
