//! The cases. Each is one function of the name that its test has, and panics with what is wrong.

mod failures;
mod locks;
mod promises;
mod reads;
mod swap;
mod versions;
mod victim;

use std::future::Future;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

pub(crate) use locks::{LIMIT, open_again, options};
use locks::{alone, cut, many, processes};
use lockspace::store::{Capabilities, Store, StoreError, Swap, Version};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::NotOffered;
use crate::client::{Client, Seen};
use crate::place::Place;

/// Why a case has not looked.
#[derive(Debug)]
pub(crate) enum Stop {
    NotOffered(&'static str),
    NotClaimed,
}

impl From<NotOffered> for Stop {
    fn from(what: NotOffered) -> Self {
        Self::NotOffered(what.0)
    }
}

/// What a case has come to: nothing is wrong, or it has not looked.
pub(crate) type Looked = Result<(), Stop>;

crate::__each_case! { __table }

/// What a case panics with when it has waited in vain: the store may have to do with it, or the machine.
pub(crate) struct Late(pub(crate) String);

/// What should happen soon has not happened for good after this time.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Clients of a crowd.
const CROWD: usize = 6;

/// Goes on if the store claims this.
fn claimed(store: &impl Store, what: impl Fn(Capabilities) -> bool) -> Looked {
    if what(store.capabilities()) { Ok(()) } else { Err(Stop::NotClaimed) }
}

/// Waits for something that should happen soon.
async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let happened = timeout(SOON, happens).await;
    happened.unwrap_or_else(|_| late(format!("{what}: not within {SOON:?}")))
}

/// Fails, as whoever has waited in vain.
fn late(what: String) -> ! {
    resume_unwind(Box::new(Late(what)))
}

/// A swap that nobody disputes. One that was not done may be done the next time.
async fn swap(
    store: &impl Store,
    key: &str,
    expected: Option<Version>,
    new: Option<&[u8]>,
) -> Version {
    let swapped = until_done("a swap", || store.swap(key, expected, new)).await;
    match swapped {
        Ok(Swap::Swapped(version)) if version <= Version::MAX => version,
        other => panic!("a swap of {key:?} from {expected:?}, undisputed, ended with {other:?}"),
    }
}

/// A swap that must meet a conflict.
async fn conflict(store: &impl Store, key: &str, expected: Option<Version>, new: Option<&[u8]>) {
    let ended = until_done("a swap", || store.swap(key, expected, new)).await;
    assert!(matches!(ended, Ok(Swap::Conflict)), "{key:?} is not {expected:?}: {ended:?}");
}

async fn load(store: &impl Store, key: &str) -> Option<(Version, Vec<u8>)> {
    soon("a load", store.load(key)).await.unwrap_or_else(|error| panic!("a load failed: {error:?}"))
}

/// The version of a row, from a store that was disturbed and must come back.
async fn version_again(store: &impl Store, key: &str) -> Option<Version> {
    again("a load", || store.load(key)).await.map(|(version, _)| version)
}

/// Calls again while the store says that nothing was done, which the contract allows it at any time.
async fn until_done<T, F>(what: &str, call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let limit = Instant::now() + SOON;
    loop {
        match soon(what, call()).await {
            Err(StoreError::NotDone(why)) if Instant::now() >= limit => {
                late(format!("{what} is still not done: {why}"))
            }
            Err(StoreError::NotDone(_)) => {}
            ended => return ended,
        }
    }
}

/// Calls again until the store answers, as it must soon. Only calls show whether a server is there again.
async fn again<T, F>(what: &str, call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, StoreError>>,
{
    let limit = Instant::now() + SOON;
    loop {
        match soon(what, call()).await {
            Ok(done) => return done,
            Err(error) if Instant::now() >= limit => late(format!("{what} still fails: {error:?}")),
            Err(_) => {}
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// So many clients make so many steps each, at the same time. What they have seen.
async fn crowd(place: &Place, keys: &'static [&'static str], steps: usize) -> Vec<Seen> {
    let mut stores = Vec::new();
    for _ in 0..CROWD {
        stores.push(place.open().await);
    }
    crowd_of(stores, keys, steps).await
}

/// The same, of clients that have these stores.
async fn crowd_of(
    stores: Vec<impl Store>,
    keys: &'static [&'static str],
    steps: usize,
) -> Vec<Seen> {
    let mut clients = JoinSet::new();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    for (number, store) in stores.into_iter().enumerate() {
        let mut client = Client::new(store, number, seed);
        clients.spawn(async move {
            for _ in 0..steps {
                client.step(keys).await;
            }
            client.seen
        });
    }
    clients.join_all().await.concat()
}

/// Fails with what is wrong.
fn agree(judged: Result<(), String>) -> Looked {
    judged.unwrap_or_else(|fault| panic!("{fault}"));
    Ok(())
}
