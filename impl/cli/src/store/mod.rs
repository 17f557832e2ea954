//! The stores that the command can speak to, and what stands in them.
//!
//! What this module must not do: decide anything about locks. The library does.

mod opened;
mod url;

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lockspace::store::record::RecordError;
use lockspace::store::{Key, OpenError, OperateError, Store, StoreError, Survey};
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
    /// Which lockspace of the store, by the namespace that the service gave. Default: the store's own
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
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
    #[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
    #[error("{0}: {1}; see that it runs, and that the URL is right")]
    Server(StoreUrl, String),
    #[error("the store cannot be used: {0}")]
    Call(String),
    #[error(transparent)]
    Session(#[from] OpenError),
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error("the row {0:?} cannot be read: {1}")]
    Unreadable(String, RecordError),
    #[error("{0:?}: {1}")]
    Name(String, NameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Call(chain(&error))
    }
}

/// An error and what caused it, each cause told once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        // It goes without saying of who connects or looks.
        if matches!(error.downcast_ref(), Some(StoreError::NotDone(_))) {
            continue;
        }
        let text = error.to_string();
        match told.last_mut() {
            Some(last) if last.ends_with(&text) => {}
            Some(last) if text.starts_with(&*last) => *last = text,
            _ => told.push(text),
        }
    }
    told.join(": ")
}

/// Whether it is the server that was not there, or would not: not what it was asked.
#[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
fn came_from_outside(error: &(dyn Error + 'static)) -> bool {
    error.is::<StoreError>() || error.source().is_some_and(came_from_outside)
}

/// A store's builder, with the namespace that was asked for. The builders have no trait in common.
macro_rules! in_namespace {
    ($args:expr, $builder:expr) => {
        match &$args.namespace {
            Some(namespace) => $builder.namespace(namespace),
            None => $builder,
        }
    };
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
        #[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
        let failed = |error: &(dyn Error + 'static)| match came_from_outside(error) {
            true => Problem::Server(url.clone(), chain(error)),
            false => Problem::Open(url.clone(), chain(error)),
        };
        match url.place().map_err(|error| Problem::Url(error, url.clone()))? {
            Place::Sqlite(path) => {
                let opened = in_namespace!(self, SqliteStore::builder()).open(path).await;
                let failed = |error| Problem::Open(url, chain(&error));
                opened.map(Box::new).map(Opened::Sqlite).map_err(failed)
            }
            #[cfg(feature = "etcd")]
            Place::Etcd => {
                let builder = in_namespace!(self, lockspace_etcd::EtcdStore::builder());
                let connected = builder.connect(url.address()).await;
                connected.map(Box::new).map(Opened::Etcd).map_err(|error| failed(&error))
            }
            #[cfg(feature = "postgres")]
            Place::Postgres => {
                let builder = in_namespace!(self, lockspace_postgres::PostgresStore::builder());
                let connected = builder.connect(url.address()).await;
                connected.map(Box::new).map(Opened::Postgres).map_err(|error| failed(&error))
            }
            #[cfg(feature = "redis")]
            Place::Redis => {
                let builder = in_namespace!(self, lockspace_redis::RedisStore::builder());
                let connected = builder.connect(url.address()).await;
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

/// Checks a name before anything is done about it.
pub(crate) fn checked(name: &str) -> Result<LockName, Problem> {
    const SHOWN: usize = 32;
    LockName::new(name).map_err(|error| {
        let shown = match name.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &name[..end]),
            None => name.to_owned(),
        };
        Problem::Name(shown, error)
    })
}

/// The key of a name's row.
pub(crate) fn key(name: &str) -> Result<String, Problem> {
    Ok(Key::Lock(checked(name)?).to_string())
}

#[cfg(test)]
mod tests {
    use lockspace::store::StoreError;

    use super::{Problem, chain, checked};

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn no_cause_is_told_twice() {
        let refused = Said("refused", None);
        let again = Said("connecting: refused", Some(Box::new(refused)));
        let outer = Said("connecting", Some(Box::new(again)));
        let error = StoreError::NotDone(Box::new(Said("no connection", Some(Box::new(outer)))));
        assert_eq!(chain(&error), "no connection: connecting: refused");
        let Problem::Call(told) = Problem::from(error) else { panic!("it is a call") };
        assert_eq!(told, "no connection: connecting: refused");
    }

    #[test]
    fn a_name_that_is_none_is_told_with_its_beginning() {
        let told = |name: &str| checked(name).expect_err("it is none").to_string();
        assert_eq!(told(""), "\"\": a lock's name must not be empty");
        let long = "ä".repeat(128);
        assert!(told(&long).starts_with(&format!("\"{}…\": ", "ä".repeat(32))), "{}", told(&long));
    }
}
