//! `lockspace force-release` and `wait`: one name of a store.

use std::collections::{BTreeMap, BTreeSet};
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

/// How long to believe that a session lives which did. However often the row changes, and however many stand
/// in it, those that are known are not asked for each time.
const LIVES_FOR: Duration = Duration::from_secs(1);

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

/// The sessions in the row whose own rows were there. One that is silent for its ttl has ended, though it is
/// left to others to remove it.
#[derive(Default)]
struct Seen(BTreeMap<SessionId, Sighting>);

/// How a session's row was seen last.
#[derive(Clone, Copy)]
struct Sighting {
    version: Version,
    ttl: Duration,
    /// When the row was first seen to have this version.
    since: Instant,
    /// When it was asked for last.
    asked: Instant,
}

impl Seen {
    /// The version of the name's row, if anybody lives who stands in it.
    async fn look(&mut self, store: &impl Store, key: &str) -> Result<Option<Version>, Problem> {
        let Some((version, bytes)) = store.load(key).await? else { return Ok(None) };
        let unreadable = |problem| Problem::Unreadable(key.to_owned(), problem);
        let record = Record::read(&bytes).map_err(unreadable)?;
        let line: BTreeSet<_> = record.line().map(|claim| claim.session).collect();
        self.0.retain(|session, _| line.contains(session));
        let mut lives = false;
        for session in line {
            lives |= self.lives(store, session).await?;
        }
        Ok(lives.then_some(version))
    }

    async fn lives(&mut self, store: &impl Store, session: SessionId) -> Result<bool, Problem> {
        let asked = Instant::now();
        let before = self.0.get(&session).copied();
        if before.is_some_and(|seen| seen.is_fresh(asked)) {
            return Ok(true);
        }
        let Some((version, bytes)) = store.load(&Key::Session(session).to_string()).await? else {
            self.0.remove(&session);
            return Ok(false);
        };
        let ttl = SessionRecord::read(&bytes).map_or(Duration::MAX, |record| record.ttl());
        let as_before = before.filter(|seen| seen.version == version);
        let since = as_before.map_or_else(Instant::now, |seen| seen.since);
        let seen = Sighting { version, ttl, since, asked };
        self.0.insert(session, seen);
        // It was so when this was asked, and perhaps not any more when the answer came.
        Ok(!seen.is_silent(asked))
    }
}

impl Sighting {
    /// Whether it is to be believed without another look that the session lives.
    fn is_fresh(&self, at: Instant) -> bool {
        !self.is_silent(at) && at.saturating_duration_since(self.asked) < LIVES_FOR
    }

    fn is_silent(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.since) >= self.ttl
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use lockspace::LockSpace;
    use lockspace::store::{Memory, Options, Row, Store, StoreError, Swap, Version};
    use tokio::time::{Instant, sleep, timeout};

    use super::{LOOK_EVERY, Problem, free_within};

    const SECOND: Duration = Duration::from_secs(1);
    /// The usual one.
    const TTL: Duration = Duration::from_secs(15);

    /// A store that can be late, slow or out of reach.
    #[derive(Default)]
    struct Troubled {
        memory: Memory,
        loads: AtomicUsize,
        /// How many of them were of sessions.
        of_sessions: AtomicUsize,
        /// Which of these is answered late.
        late: Option<usize>,
        /// How long a watch takes until it listens.
        deaf_for: Duration,
        is_down: AtomicBool,
        watches: AtomicUsize,
    }

    impl Store for Troubled {
        async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
            if self.is_down.load(Ordering::Relaxed) {
                return Err(StoreError::NotDone("it is down".into()));
            }
            let row = self.memory.load(key).await;
            self.loads.fetch_add(1, Ordering::Relaxed);
            if key.starts_with("session/")
                && Some(self.of_sessions.fetch_add(1, Ordering::Relaxed)) == self.late
            {
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

        async fn watch(&self, key: &str, known: Option<Version>) {
            self.watches.fetch_add(1, Ordering::Relaxed);
            sleep(self.deaf_for).await;
            self.memory.watch(key, known).await;
        }
    }

    /// A store in which somebody who lives holds a name.
    async fn held() -> (Troubled, LockSpace) {
        let store = Troubled { deaf_for: SECOND, ..Troubled::default() };
        let space =
            LockSpace::open(store.memory.clone(), Options::new()).await.expect("it is there");
        std::mem::forget(space.acquire("a").await.expect("it is free"));
        (store, space)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lives_is_not_taken_for_dead_because_an_answer_is_late() {
        let (mut store, _space) = held().await;
        // The second one of the holder's.
        store.late = Some(1);
        let waited = timeout(600 * SECOND, free_within(None, &store, "lock/a")).await;
        assert!(waited.is_err(), "somebody lives who holds it");
        assert!(store.of_sessions.load(Ordering::Relaxed) > 100, "it has looked on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_row_is_looked_at_without_those_who_were_seen_to_live() {
        let (mut store, _space) = held().await;
        store.deaf_for = Duration::ZERO;
        let waits = free_within(None, &store, "lock/a");
        let changes = async {
            for _ in 0..50 {
                sleep(SECOND / 100).await;
                let (version, bytes) =
                    store.memory.load("lock/a").await.unwrap().expect("it is held");
                store.memory.swap("lock/a", Some(version), Some(&bytes)).await.unwrap();
            }
            sleep(SECOND / 100).await;
        };
        tokio::select! {
            biased;
            free = waits => panic!("it is held: {free:?}"),
            () = changes => {}
        }
        let of_sessions = store.of_sessions.load(Ordering::Relaxed);
        assert!(store.loads.load(Ordering::Relaxed) - of_sessions > 50, "each change was seen");
        assert_eq!(of_sessions, 1, "the holder's, which lives");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_silent_has_ended_after_the_ttl() {
        let (alive, _space) = held().await;
        let dead = Memory::new();
        for row in alive.memory.scan("").await.unwrap() {
            dead.swap(&row.key, None, Some(&row.bytes)).await.unwrap();
        }
        let begun = Instant::now();
        assert!(matches!(free_within(None, &dead, "lock/a").await, Ok(true)));
        assert!((TTL..TTL + LOOK_EVERY).contains(&begun.elapsed()), "{:?}", begun.elapsed());
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
