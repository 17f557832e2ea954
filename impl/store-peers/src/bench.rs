//! What every workload is given: a runtime, the servers, and how much is to be measured.

use std::time::Duration;

use lockspace_servers::{Etcd, Postgres, Redis, Server};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::peer::Place;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// How long acquiring and releasing is repeated.
    pub(crate) sample: Duration,
    /// How often a name is handed to the other process.
    pub(crate) hand_offs: usize,
    /// How often each task of two processes has its turn.
    pub(crate) turns: usize,
    /// How often everybody has a turn.
    pub(crate) rounds: usize,
}

impl Scale {
    /// What the documents tell.
    pub(crate) const FULL: Self =
        Self { sample: Duration::from_millis(300), hand_offs: 11, turns: 10, rounds: 7 };
    /// A first look.
    pub(crate) const QUICK: Self =
        Self { sample: Duration::from_millis(100), hand_offs: 5, turns: 5, rounds: 3 };
}

/// What everybody's tasks run on.
pub(crate) fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

/// See the [module](self).
pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    pub(crate) scale: Scale,
    redis: Option<Server>,
    postgres: Option<Server>,
    etcd: Option<Server>,
    folder: TempDir,
}

impl Bench {
    /// Starts the servers that are wanted, with the settings that they have by themselves. One that is not
    /// installed says so, and is not there.
    pub(crate) fn new(scale: Scale, wanted: impl Fn(Place) -> bool) -> Self {
        let start = |place, start: fn() -> Option<Server>| wanted(place).then(start).flatten();
        Self {
            runtime: runtime(),
            scale,
            redis: start(Place::Redis, || Redis::start_with(&[])),
            postgres: start(Place::Postgres, Postgres::start),
            etcd: start(Place::Etcd, Etcd::start),
            folder: tempfile::tempdir().expect("there is room"),
        }
    }

    /// Where a place is, if it is there.
    pub(crate) fn url(&self, place: Place) -> Option<String> {
        match place {
            Place::Redis => self.redis.as_ref().map(Server::url),
            Place::Postgres => self.postgres.as_ref().map(Server::url),
            Place::Etcd => self.etcd.as_ref().map(Server::url),
            Place::Folder => Some(self.folder.path().display().to_string()),
        }
    }
}
