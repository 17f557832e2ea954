//! Who is killed: the server, or a process that has the store open.

use lockspace::store::{Row, Store, StoreError, Swap, Version};

use super::{Stop, soon};
use crate::place::{Opened, Place};
use crate::process::{Processes, Remote};

/// What can be killed under a store: its server; or, where there is none, the process that has it open.
pub(super) enum Victim {
    Server,
    Process(Processes),
}

impl Victim {
    /// Kills the server once, to see whether that is offered. Nothing has happened yet.
    pub(super) async fn of(place: &Place) -> Result<Self, Stop> {
        match soon("a kill", place.kill()).await {
            Ok(()) => Ok(Self::Server),
            Err(kill) => match Processes::at(place) {
                Ok(processes) => Ok(Self::Process(processes)),
                Err(_) => Err(kill.into()),
            },
        }
    }

    /// The store, in the hands of the victim.
    pub(super) async fn open(&self, place: &Place) -> Killable<Opened> {
        match self {
            Self::Server => Killable::Served(place.open().await),
            Self::Process(processes) => Killable::Remote(Remote(processes.start().into())),
        }
    }

    /// Kills who has this store in hands.
    pub(super) async fn kill(&self, place: &Place, store: &Killable<Opened>) {
        match store {
            Killable::Served(_) => {
                soon("a kill", place.kill()).await.expect("it was offered before");
            }
            Killable::Remote(remote) => remote.0.kill(),
        }
    }
}

/// A store that can be killed.
pub(super) enum Killable<S> {
    Served(S),
    Remote(Remote),
}

impl<S: Store> Store for Killable<S> {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        match self {
            Self::Served(store) => store.load(key).await,
            Self::Remote(store) => store.load(key).await,
        }
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        match self {
            Self::Served(store) => store.swap(key, expected, new).await,
            Self::Remote(store) => store.swap(key, expected, new).await,
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Served(store) => store.scan(prefix).await,
            Self::Remote(store) => store.scan(prefix).await,
        }
    }
}
