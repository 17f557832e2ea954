//! A harness and its stores without their types: so a case is compiled once, and not once for each harness.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};

use crate::{Harness, NotOffered, NotRun};

/// A future of which only the output is known.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a load finds.
type Found = Option<(Version, Vec<u8>)>;

/// The place where a case happens.
pub(crate) struct Place(Box<dyn AnyHarness>);

impl Place {
    pub(crate) async fn start<H: Harness>() -> Result<Self, NotRun> {
        Ok(Self(Box::new(H::start().await?)))
    }
}

impl Deref for Place {
    type Target = dyn AnyHarness;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A [`Harness`], without its type.
pub(crate) trait AnyHarness: Send + Sync {
    /// Another place, as new as this one was.
    fn another(&self) -> Boxed<'_, Result<Place, NotRun>>;
    fn many(&self) -> usize;
    fn open(&self) -> Boxed<'_, Opened>;
    fn restart(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn kill(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn disturb(&self) -> Boxed<'_, Result<(), NotOffered>>;
    fn advance(&self, last: Version) -> Boxed<'_, Result<(), NotOffered>>;
    fn address(&self) -> Result<String, NotOffered>;
}

impl<H: Harness> AnyHarness for H {
    fn another(&self) -> Boxed<'_, Result<Place, NotRun>> {
        Box::pin(Place::start::<H>())
    }

    fn many(&self) -> usize {
        H::MANY
    }

    fn open(&self) -> Boxed<'_, Opened> {
        Box::pin(async { Opened(Box::new(Harness::open(self).await)) })
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

/// A store that was opened in a place.
pub(crate) struct Opened(Box<dyn AnyStore>);

/// A [`Store`], without its type.
trait AnyStore: Send + Sync {
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
        self.0.load(key).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.0.swap(key, expected, new).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        self.0.scan(prefix).await
    }

    async fn watch(&self, key: &str, known: Option<Version>) {
        self.0.watch(key, known).await;
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}
