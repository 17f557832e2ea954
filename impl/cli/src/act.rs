//! `lockspace force-release` and `wait`: one name of a store.

use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin};
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
        let free = until_free(&store, &key);
        match limit {
            None => free.await.map(|()| true),
            Some(limit) => tokio::time::timeout(limit, free)
                .await
                .map_or(Ok(false), |done| done.map(|()| true)),
        }
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

/// Until nobody who lives holds the name or waits for it.
async fn until_free(store: &impl Store, key: &str) -> Result<(), Problem> {
    let mut seen = Seen::default();
    loop {
        let Some((version, bytes)) = store.load(key).await? else { return Ok(()) };
        let unreadable = |problem| Problem::Unreadable(key.to_owned(), problem);
        let record = Record::read(&bytes).map_err(unreadable)?;
        let mut lives = false;
        for claim in record.line() {
            lives |= seen.lives(store, claim.session).await?;
        }
        if !lives {
            return Ok(());
        }
        store::changed(store, key, Some(version)).await;
    }
}

/// When the rows of sessions were last seen to change: one that is silent for its ttl has ended, though it
/// is left to others to remove it.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<SessionId, (Version, Instant)>);

impl Seen {
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use lockspace::LockSpace;
    use lockspace::store::{Memory, Options, Row, Store, StoreError, Swap, Version};
    use tokio::time::{sleep, timeout};

    use super::until_free;

    /// The usual one.
    const TTL: Duration = Duration::from_secs(15);

    /// A store of which one load is answered late: the second one of the holder's session.
    struct Late {
        memory: Memory,
        loads: AtomicUsize,
    }

    impl Store for Late {
        async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
            let row = self.memory.load(key).await;
            if self.loads.fetch_add(1, Ordering::Relaxed) == 3 {
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
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lives_is_not_taken_for_dead_because_an_answer_is_late() {
        let memory = Memory::new();
        let space = LockSpace::open(memory.clone(), Options::new()).await.expect("it is there");
        let guard = space.acquire("a").await.expect("it is free");
        let late = Late { memory, loads: AtomicUsize::new(0) };
        let waited = timeout(Duration::from_secs(600), until_free(&late, "lock/a")).await;
        assert!(waited.is_err(), "somebody lives who holds it");
        assert!(!guard.is_lost());
        assert!(late.loads.load(Ordering::Relaxed) > 100, "it has looked on");
    }
}
