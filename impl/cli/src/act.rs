//! `lockspace force-release` and `wait`: one name of a store.

use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::time::{Duration, Instant};

use lockspace::store::record::{Record, SessionId, SessionRecord};
use lockspace::store::{Key, Store, Version};
use serde_json::json;

use crate::exit::Exit;
use crate::output::document;
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
    if !args.yes && !confirmed(&args.name)? {
        eprintln!("lockspace: nothing was done");
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
        let mut out = stdout().lock();
        writeln!(out, "{name:?} was taken from its holder, whose token was {token}")?;
    } else {
        eprintln!("lockspace: nobody holds {name:?}");
    }
    Ok(if taken.is_some() { Exit::Done } else { Exit::Deviates })
}

fn confirmed(name: &str) -> io::Result<bool> {
    if !stdin().is_terminal() {
        eprintln!("lockspace: nobody can be asked here; --yes does it without asking");
        return Ok(false);
    }
    eprint!("Take {name:?} from its holder, who may be in the middle of its work? [y/N] ");
    stderr().flush()?;
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
        eprintln!("lockspace: {:?} did not come free within {limit:?}", args.name);
    }
    Ok(if free { Exit::Done } else { Exit::Busy })
}

/// Until nobody who lives holds the name or waits for it.
async fn until_free(store: &impl Store, key: &str) -> Result<(), Problem> {
    let mut seen = Seen::default();
    loop {
        let Some((version, bytes)) = store.load(key).await? else { return Ok(()) };
        let record = Record::read(&bytes).map_err(|error| Problem::Call(error.to_string()))?;
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
        let Some((version, bytes)) = store.load(&Key::Session(session).to_string()).await? else {
            return Ok(false);
        };
        let ttl = SessionRecord::read(&bytes).map_or(Duration::MAX, |record| record.ttl());
        let now = Instant::now();
        let seen = self.0.entry(session).or_insert((version, now));
        if seen.0 != version {
            *seen = (version, now);
        }
        Ok(now.duration_since(seen.1) < ttl)
    }
}
