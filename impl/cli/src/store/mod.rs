//! The stores that the command can speak to, and what stands in them.
//!
//! What this module must not do: decide anything about locks. The library does.

mod opened;
mod url;

use std::env;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lockspace::store::{Key, OperateError, Store, StoreError, Survey};
use lockspace::{LockName, NameError};
use lockspace_sqlite::SqliteStore;

use opened::Opened;

pub(crate) use url::{Place, StoreUrl, UrlError};

/// The environment variable that says which store, where `--store` does not: for URLs with a password,
/// which would be seen among the arguments.
const VARIABLE: &str = "LOCKSPACE_STORE";

/// How long a single call to the store may take, for those who look or force.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Which store.
#[derive(Clone, clap::Args)]
pub(crate) struct StoreArgs {
    /// Where the lockspace is: sqlite:PATH, postgres://…, redis://… or etcd://…. Default: $LOCKSPACE_STORE,
    /// or a file in the state directory
    #[arg(long, value_name = "URL", value_parser = StoreUrl::new)]
    store: Option<StoreUrl>,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{1}: {0}")]
    Url(UrlError, StoreUrl),
    #[error(
        "there is no place for locks: neither XDG_STATE_HOME nor HOME is set; use --store sqlite:PATH"
    )]
    NoStateDirectory,
    #[error("{VARIABLE} is empty: let it say which store, as --store does, or unset it")]
    EmptyVariable,
    #[error(
        "{VARIABLE} is not UTF-8, so it names no store: write the URL, or the path in it, in UTF-8"
    )]
    VariableNotUtf8,
    #[error("{0}: {1}")]
    Directory(PathBuf, io::Error),
    #[error("{0}: {1}")]
    Open(StoreUrl, String),
    #[error("the store cannot be used: {0}")]
    Call(String),
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Call(chain(&error))
    }
}

/// An error and what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

impl StoreArgs {
    /// The URL of the store that is meant.
    pub(crate) fn url(&self) -> Result<StoreUrl, Problem> {
        match (&self.store, env::var_os(VARIABLE)) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(text)) => variable_url(&text),
            (None, None) => default_url(),
        }
    }

    /// Opens it.
    pub(crate) async fn open(&self) -> Result<Opened, Problem> {
        let url = self.url()?;
        let failed = |error: &dyn std::error::Error| Problem::Open(url.clone(), chain(error));
        match url.place().map_err(|error| Problem::Url(error, url.clone()))? {
            Place::Sqlite(path) => {
                let opened = SqliteStore::open(path).await.map(Box::new);
                opened.map(Opened::Sqlite).map_err(|error| failed(&error))
            }
            #[cfg(feature = "etcd")]
            Place::Etcd => {
                let connected = lockspace_etcd::EtcdStore::builder().connect(url.address()).await;
                connected.map(Box::new).map(Opened::Etcd).map_err(|error| failed(&error))
            }
            #[cfg(feature = "postgres")]
            Place::Postgres => {
                let connected =
                    lockspace_postgres::PostgresStore::builder().connect(url.address()).await;
                connected.map(Box::new).map(Opened::Postgres).map_err(|error| failed(&error))
            }
            #[cfg(feature = "redis")]
            Place::Redis => {
                let connected = lockspace_redis::RedisStore::builder().connect(url.address()).await;
                connected.map(Box::new).map(Opened::Redis).map_err(|error| failed(&error))
            }
        }
    }
}

/// What the variable says. Somebody who sets it means something by it: there is no default then.
fn variable_url(text: &OsStr) -> Result<StoreUrl, Problem> {
    match text.to_str() {
        Some("") => Err(Problem::EmptyVariable),
        Some(text) => {
            let Ok(url) = StoreUrl::new(text);
            Ok(url)
        }
        None => Err(Problem::VariableNotUtf8),
    }
}

/// A file in the user's state directory, which is made if it is not there: for this user alone.
fn default_url() -> Result<StoreUrl, Problem> {
    let absolute =
        |variable| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(absolute("HOME")?.join(".local/state"));
    let folder = absolute("XDG_STATE_HOME").or_else(home).ok_or(Problem::NoStateDirectory)?;
    let folder = folder.join("lockspace");
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(|error| Problem::Directory(folder.clone(), error))?;
    let file = folder.join("locks.sqlite");
    if file.to_str().is_none() {
        return Err(Problem::Directory(folder, io::Error::other("its path is not UTF-8")));
    }
    Ok(StoreUrl::file(&file))
}

/// Runs what speaks to a store, on this thread.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Problem>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    done.map_err(|problem| match problem {
        Problem::Io(error) => error,
        problem => io::Error::other(problem.to_string()),
    })
}

/// Who holds and who waits.
pub(crate) async fn survey(store: &impl Store) -> Result<Survey, Problem> {
    Ok(lockspace::store::survey(store, CALL_LIMIT).await?)
}

/// The key of a name's row.
pub(crate) fn key(name: &str) -> Result<String, NameError> {
    Ok(Key::Lock(LockName::new(name)?).to_string())
}

/// Until the row of `key` may be another one, and not for long.
pub(crate) async fn changed(
    store: &impl Store,
    key: &str,
    known: Option<lockspace::store::Version>,
) {
    const LONGEST: Duration = Duration::from_millis(250);
    let _ = tokio::time::timeout(LONGEST, store.watch(key, known)).await;
}
