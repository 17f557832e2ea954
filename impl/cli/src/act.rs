//! `lockspace force-release` and `wait`: one name of a store.

use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin};
use std::pin::Pin;
use std::time::Duration;

use lockspace::store::record::{Record, SessionId, SessionRecord};
use lockspace::store::{Key, Store, Version};
use serde_json::json;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::output::{document, out, say};
use crate::span::Span;
use crate::store::{self, CALL_LIMIT, Problem, StoreArgs};

#[derive(clap::Args)]
pub(crate) struct ForceArgs {
    /// The name that is taken from its holder
    name: String,
    #[command(flatten)]
    store: StoreArgs,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    /// Writes one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct WaitArgs {
    /// The name that is to come free
    name: String,
    #[command(flatten)]
    store: StoreArgs,
    /// How long to wait at most, such as 500ms, 10s, 5m or 1h
    #[arg(long, value_name = "TIME")]
    wait: Option<Span>,
    /// Writes one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn force_release(args: &ForceArgs) -> io::Result<Exit> {
    store::checked(&args.name).map_err(io::Error::other)?;
    if !args.yes && !confirmed(&args.name)? {
        say("nothing was done");
        return Ok(Exit::Failed);
    }
    let name = &args.name;
    let taken = store::run(async {
        let store = args.store.open().await?;
        Ok(lockspace::store::force_release(&store, name, CALL_LIMIT).await?)
    })?;
    if args.json {
        let token = taken.map(|token| token.0);
        document(&json!({ "name": name, "taken": taken.is_some(), "token": token }))?;
    } else if let Some(token) = taken {
        writeln!(out(), "{name:?} was taken from its holder, whose token was {token}")?;
    } else {
        say(format_args!("nobody holds {name:?}"));
    }
    Ok(if taken.is_some() { Exit::Done } else { Exit::Deviates })
}

fn confirmed(name: &str) -> io::Result<bool> {
    if !stdin().is_terminal() {
        say("nobody can be asked here; --yes does it without asking");
        return Ok(false);
    }
    let mut asks = stderr().lock();
    write!(asks, "Take {name:?} from its holder, who may be in the middle of its work? [y/N] ")?;
    asks.flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

pub(crate) fn wait(args: &WaitArgs) -> io::Result<Exit> {
    let limit = args.wait.map(Span::duration);
    let begun = Instant::now();
    let free = store::run(async {
        let key = store::key(&args.name)?;
        let store = args.store.open().await?;
        free_within(limit, &store, &key).await
    })?;
    if args.json {
        let waited = begun.elapsed().as_secs_f64();
        document(&json!({ "name": args.name, "free": free, "waited_seconds": waited }))?;
    } else if !free {
        let limit = limit.unwrap_or_default();
        say(format_args!("{:?} did not come free within {limit:?}", args.name));
    }
    Ok(if free { Exit::Done } else { Exit::Busy })
}

/// Whether nobody who lives holds the name or waits for it any more when the time is over, or before.
async fn free_within(
    limit: Option<Duration>,
    store: &impl Store,
    key: &str,
) -> Result<bool, Problem> {
    let mut out_of_reach = None;
    let free = until_free(store, key, &mut out_of_reach);
    let Some(limit) = limit else { return free.await.map(|()| true) };
    match tokio::time::timeout(limit, free).await {
        Ok(free) => free.map(|()| true),
        Err(_) => out_of_reach.map_or(Ok(false), Err),
    }
}

/// A store that is `out_of_reach` is asked until it answers, but for the first time: it may never have been
/// one.
async fn until_free(
    store: &impl Store,
    key: &str,
    out_of_reach: &mut Option<Problem>,
) -> Result<(), Problem> {
    let mut seen = Seen::default();
    let mut hints = Hints::new(store, key);
    let mut answered = false;
    loop {
        match seen.look(store, key).await {
            Ok(None) => return Ok(()),
            Ok(Some(version)) => {
                (answered, *out_of_reach) = (true, None);
                hints.next(version).await;
            }
            Err(problem @ Problem::Call(_)) if answered => {
                if out_of_reach.is_none() {
                    say(format_args!("{problem}; it is asked again until it answers"));
                }
                *out_of_reach = Some(problem);
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(problem) => return Err(problem),
        }
    }
}

/// How long to trust in hints.
const LOOK_EVERY: Duration = Duration::from_millis(250);

type Watch<'s> = Pin<Box<dyn Future<Output = ()> + Send + 's>>;

/// The hints about one row. A watch outlives a look: the store may take longer to begin with it.
struct Hints<'s, S> {
    store: &'s S,
    key: &'s str,
    watch: Option<(Version, Watch<'s>)>,
}

impl<'s, S: Store> Hints<'s, S> {
    fn new(store: &'s S, key: &'s str) -> Self {
        Self { store, key, watch: None }
    }

    /// Until the row may have another version than `known`, and not for long.
    async fn next(&mut self, known: Version) {
        let begun = self.watch.take().filter(|(version, _)| *version == known);
        let begin = || (known, Box::pin(self.store.watch(self.key, Some(known))) as Watch<'s>);
        let mut watch = begun.unwrap_or_else(begin);
        if tokio::time::timeout(LOOK_EVERY, &mut watch.1).await.is_err() {
            self.watch = Some(watch);
        }
    }
}

/// When the rows of sessions were last seen to change: one that is silent for its ttl has ended, though it
/// is left to others to remove it.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<SessionId, (Version, Instant)>);

impl Seen {
    /// The version of the name's row, if anybody lives who stands in it.
    async fn look(&mut self, store: &impl Store, key: &str) -> Result<Option<Version>, Problem> {
        let Some((version, bytes)) = store.load(key).await? else { return Ok(None) };
        let unreadable = |problem| Problem::Unreadable(key.to_owned(), problem);
        let record = Record::read(&bytes).map_err(unreadable)?;
        let mut lives = false;
        for claim in record.line() {
            lives |= self.lives(store, claim.session).await?;
        }
        Ok(lives.then_some(version))
    }

    async fn lives(&mut self, store: &impl Store, session: SessionId) -> Result<bool, Problem> {
        let asked = Instant::now();
        let Some((version, bytes)) = store.load(&Key::Session(session).to_string()).await? else {
            return Ok(false);
        };
        let ttl = SessionRecord::read(&bytes).map_or(Duration::MAX, |record| record.ttl());
        let seen = self.0.entry(session).or_insert((version, Instant::now()));
        if seen.0 != version {
            *seen = (version, Instant::now());
        }
        // It was so when this was asked, and perhaps not any more when the answer came.
        Ok(asked.saturating_duration_since(seen.1) < ttl)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use lockspace::LockSpace;
    use lockspace::store::{Memory, Options, Row, Store, StoreError, Swap, Version};
    use tokio::time::{Instant, sleep, timeout};

    use super::{Problem, free_within};

    const SECOND: Duration = Duration::from_secs(1);
    /// The usual one.
    const TTL: Duration = Duration::from_secs(15);

    /// A store that can be late, slow or out of reach.
    #[derive(Default)]
    struct Troubled {
        memory: Memory,
        loads: AtomicUsize,
        /// Which load is answered late.
        late: Option<usize>,
        is_down: AtomicBool,
        watches: AtomicUsize,
    }

    impl Store for Troubled {
        async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
            if self.is_down.load(Ordering::Relaxed) {
                return Err(StoreError::NotDone("it is down".into()));
            }
            let row = self.memory.load(key).await;
            if Some(self.loads.fetch_add(1, Ordering::Relaxed)) == self.late {
                sleep(2 * TTL).await;
            }
            row
        }

        async fn swap(
            &self,
            key: &str,
            expected: Option<Version>,
            new: Option<&[u8]>,
        ) -> Result<Swap, StoreError> {
            self.memory.swap(key, expected, new).await
        }

        async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
            self.memory.scan(prefix).await
        }

        /// It takes a second until it listens.
        async fn watch(&self, key: &str, known: Option<Version>) {
            self.watches.fetch_add(1, Ordering::Relaxed);
            sleep(SECOND).await;
            self.memory.watch(key, known).await;
        }
    }

    /// A store in which somebody who lives holds a name.
    async fn held() -> (Troubled, LockSpace) {
        let store = Troubled::default();
        let space =
            LockSpace::open(store.memory.clone(), Options::new()).await.expect("it is there");
        std::mem::forget(space.acquire("a").await.expect("it is free"));
        (store, space)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lives_is_not_taken_for_dead_because_an_answer_is_late() {
        let (mut store, _space) = held().await;
        // The second one of the holder's session.
        store.late = Some(3);
        let waited = timeout(600 * SECOND, free_within(None, &store, "lock/a")).await;
        assert!(waited.is_err(), "somebody lives who holds it");
        assert!(store.loads.load(Ordering::Relaxed) > 100, "it has looked on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_has_time_to_begin_to_listen() {
        let (store, space) = held().await;
        let waits = free_within(None, &store, "lock/a");
        let releases = async {
            // Between two looks.
            sleep(60 * SECOND + SECOND / 10).await;
            assert_eq!(store.watches.load(Ordering::Relaxed), 1, "the row is the same");
            space.shutdown(Duration::ZERO).await;
            Instant::now()
        };
        let (free, released) = tokio::join!(waits, releases);
        assert!(matches!(free, Ok(true)));
        assert_eq!(Instant::now(), released, "it was told, and did not have to look");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_for() {
        let (store, space) = held().await;
        let waits = free_within(Some(600 * SECOND), &store, "lock/a");
        let outage = async {
            sleep(SECOND).await;
            store.is_down.store(true, Ordering::Relaxed);
            sleep(60 * SECOND).await;
            store.is_down.store(false, Ordering::Relaxed);
            sleep(60 * SECOND).await;
            space.shutdown(Duration::ZERO).await;
        };
        let (free, ()) = tokio::join!(waits, outage);
        assert!(matches!(free, Ok(true)), "{free:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_that_lasts_as_long_as_the_wait_is_told() {
        let (store, _space) = held().await;
        let waits = free_within(Some(60 * SECOND), &store, "lock/a");
        let outage = async {
            sleep(SECOND).await;
            store.is_down.store(true, Ordering::Relaxed);
        };
        let begun = Instant::now();
        let (free, ()) = tokio::join!(waits, outage);
        assert!(matches!(free, Err(Problem::Call(_))), "{free:?}");
        assert_eq!(begun.elapsed(), 60 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_the_first_time_is_not_asked_again() {
        let (store, _space) = held().await;
        store.is_down.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let free = free_within(None, &store, "lock/a").await;
        assert!(matches!(free, Err(Problem::Call(_))), "{free:?}");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
