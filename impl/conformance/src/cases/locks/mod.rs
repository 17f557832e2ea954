//! What users see: lockspaces that are opened over the store, as several processes would.
//!
//! A process that crashes, or stands still, is one whose line to the store is cut: nobody else can tell
//! the difference. Where the harness lets them be started, there are real ones, too, in [`processes`].

pub(crate) mod alone;
pub(crate) mod cut;
pub(crate) mod many;
pub(crate) mod processes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockspace::store::record::Record;
use lockspace::store::{Key, OpenError, Options, Store};
use lockspace::{Guard, LockSpace};
use tokio::time::{sleep, timeout};

use crate::line::{Fault, Knob, Line};
use crate::place::Place;

/// Short, so that a takeover is waited for; long enough for the disk of a busy machine.
const TTL: Duration = Duration::from_secs(2);

/// What must happen within some ttls must have happened after this time.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const NAME: &str = "invoice/42";

/// Those of all lockspaces here, unless a case says otherwise.
pub(crate) fn options() -> Options {
    let look = Duration::from_millis(100);
    // The longest that a call may take: a busy machine takes its time.
    let call = TTL * 2 / 5;
    Options::new().ttl(TTL).call_timeout(call).look_every(look).sweep_every(TTL / 4)
}

/// A lockspace, as a process of its own would open it.
async fn process(place: &Place) -> Arc<LockSpace> {
    behind_a_line(place, None).await.0
}

/// The same, and the knob by which its line is cut.
async fn behind_a_line(place: &Place, fault: Option<Fault>) -> (Arc<LockSpace>, Knob) {
    opened(place, options(), fault).await
}

/// A lockspace, and the knob of its line.
async fn opened(place: &Place, options: Options, fault: Option<Fault>) -> (Arc<LockSpace>, Knob) {
    let line = async || Line::new(place.open().await, fault);
    let (space, knob) = open_again(options, line).await;
    (Arc::new(space), knob)
}

/// A lockspace over such a store, and what came with the store. It does not open if its first call is not
/// answered in time: on a busy machine that says nothing of the store, so it is opened again.
pub(crate) async fn open_again<S: Store, T>(
    options: Options,
    open: impl AsyncFn() -> (S, T),
) -> (LockSpace, T) {
    let limit = Instant::now() + LIMIT;
    loop {
        let (store, with) = open().await;
        match LockSpace::open(store, options.clone()).await {
            Ok(space) => return (space, with),
            Err(OpenError::Store { .. }) if Instant::now() < limit => {}
            Err(error) => panic!("it cannot be opened: {error}"),
        }
    }
}

/// Holds the name, or fails.
async fn hold(space: &LockSpace) -> Guard<'static> {
    let held = space.acquire(NAME).wait_timeout(LIMIT).await;
    held.unwrap_or_else(|error| panic!("{NAME} is not granted: {error:?}")).into_owned()
}

/// Waits until it is so, as it must become. Stores need not tell of changes, so they are asked again.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < limit, "{what}: not within {LIMIT:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many wait for the name in the store.
async fn until_queued(store: &impl Store, count: usize) {
    let key = Key::Lock(lockspace::LockName::new(NAME).expect("a name")).to_string();
    let queued = async || match store.load(&key).await {
        Ok(Some((_, bytes))) => Record::read(&bytes).is_ok_and(|row| row.queue.len() == count),
        _ => false,
    };
    until(&format!("{count} in the queue"), queued).await;
}

/// Waits until there is no row whose key begins so.
async fn until_empty(store: &impl Store, prefix: &str) {
    let empty = async || store.scan(prefix).await.is_ok_and(|rows| rows.is_empty());
    until(&format!("no row of {prefix:?}"), empty).await;
}

/// Ends the lockspaces, and sees that nothing is left of them, nor of those that were cut off.
async fn nothing_is_left(place: &Place, spaces: &[&LockSpace]) {
    for space in spaces {
        let ended = timeout(LIMIT, space.shutdown(Duration::ZERO)).await;
        ended.unwrap_or_else(|_| panic!("a shutdown without grace takes longer than {LIMIT:?}"));
    }
    let store = place.open().await;
    // What the dead have left goes when somebody who lives comes by.
    let living = process(place).await;
    let alone = async || {
        let rows = store.scan("").await;
        rows.is_ok_and(|rows| rows.len() == 1 && rows[0].key.starts_with(Key::SESSIONS))
    };
    until("no row but that of one session", alone).await;
    timeout(LIMIT, living.shutdown(Duration::ZERO)).await.expect("a shutdown ends");
    until_empty(&store, "").await;
}
