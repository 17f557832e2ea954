//! A store of any kind, and the calls that a session makes to it, each within its limit of time.
//!
//! What this file must not do: decide anything. It turns asks into calls and what comes of them into replies.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::member::{Answer, Call, Rows};
use super::record::{Record, RecordError, SessionId, SessionRecord};
use super::{Ask, Key, Reply, Row, Store, StoreError, Swap, Version};
use crate::runtime;
use crate::sync::Arc;

/// A future of which only the output is known.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a load finds.
type Found = Option<(Version, Vec<u8>)>;

/// A [`Store`], without its type.
pub(crate) trait AnyStore: Send + Sync {
    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Found, StoreError>>;
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Version>,
        new: Option<&'a [u8]>,
    ) -> Boxed<'a, Result<Swap, StoreError>>;
    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Result<Vec<Row>, StoreError>>;
    fn watch<'a>(&'a self, key: &'a str, known: Option<Version>) -> Boxed<'a, ()>;
    fn has_hints(&self) -> bool;
}

impl<S: Store> AnyStore for S {
    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Found, StoreError>> {
        Box::pin(Store::load(self, key))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Version>,
        new: Option<&'a [u8]>,
    ) -> Boxed<'a, Result<Swap, StoreError>> {
        Box::pin(Store::swap(self, key, expected, new))
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(Store::scan(self, prefix))
    }

    fn watch<'a>(&'a self, key: &'a str, known: Option<Version>) -> Boxed<'a, ()> {
        Box::pin(Store::watch(self, key, known))
    }

    fn has_hints(&self) -> bool {
        self.capabilities().hints
    }
}

/// What came of a call.
pub(crate) struct Done {
    /// Whose call it was.
    pub(crate) session: SessionId,
    pub(crate) answer: Answer,
    pub(crate) problem: Option<Problem>,
}

/// Why a call was not answered as one would wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The store did not answer, or said that something failed.
    Store(String),
    /// The store has given a version that is no fencing token.
    Version(Version),
    /// The store has given a version, after one that it must be greater than and is not.
    WentBack { version: Version, after: Version },
    /// A row cannot be read.
    Row(RecordError),
}

impl Problem {
    /// What is wrong with the store, if something is.
    pub(crate) fn of_store(&self) -> Option<String> {
        match self {
            Self::Store(problem) => Some(problem.clone()),
            Self::Version(version) => Some(format!(
                "it has given the version {version}, and none may be greater than {}",
                Version::MAX
            )),
            Self::WentBack { version, after } => {
                Some(format!("it has gone back: it has given the version {version} after {after}"))
            }
            Self::Row(_) => None,
        }
    }
}

/// The greatest version in an answer.
pub(crate) fn greatest(answer: &Answer) -> Option<Version> {
    fn of<Content>(reply: &Reply<Content>) -> Option<Version> {
        match reply {
            Reply::Swapped(version) | Reply::Loaded(Some((version, _))) => Some(*version),
            _ => None,
        }
    }
    match answer {
        Answer::Own(reply) | Answer::Other(_, reply) => of(reply),
        Answer::Name(_, reply) => of(reply),
        Answer::Scan(rows) => {
            let rows = rows.as_ref()?;
            let names = rows.names.iter().map(|(_, version, _)| *version);
            names.chain(rows.sessions.iter().map(|(_, version, _)| *version)).max()
        }
    }
}

/// Makes a call, and gives up after `limit`: whether it had an effect is then not known. `after`: the
/// greatest version that was seen before. What is written now is not believed to have a smaller one (upholds
/// S2).
pub(crate) async fn make(
    store: Arc<dyn AnyStore>,
    session: SessionId,
    call: Call,
    limit: Duration,
    after: Option<Version>,
) -> Done {
    let mut problem = None;
    let writes = matches!(
        call,
        Call::Own(Ask::Swap { new: Some(_), .. }) | Call::Name(_, Ask::Swap { new: Some(_), .. })
    );
    let answer = match call {
        Call::Own(ask) => {
            let key = Key::Session(session).to_string();
            Answer::Own(ask_row(&*store, &key, ask, SessionRecord::read, limit, &mut problem).await)
        }
        Call::Other(id, ask) => {
            let key = Key::Session(id).to_string();
            let reply = ask_row(&*store, &key, ask, SessionRecord::read, limit, &mut problem).await;
            Answer::Other(id, reply)
        }
        Call::Name(name, ask) => {
            let key = Key::Lock(name.clone()).to_string();
            let reply = ask_row(&*store, &key, ask, Record::read, limit, &mut problem).await;
            Answer::Name(name, reply)
        }
        Call::Scan => Answer::Scan(scan_all(&*store, limit, &mut problem).await),
    };
    match (greatest(&answer), after) {
        (Some(version), Some(after)) if writes && version <= after => {
            let answer = match answer {
                Answer::Name(name, _) => Answer::Name(name, Reply::Unknown),
                _ => Answer::Own(Reply::Unknown),
            };
            Done { session, answer, problem: Some(Problem::WentBack { version, after }) }
        }
        _ => Done { session, answer, problem },
    }
}

/// Asks for a row, and says besides what was wrong, if anything was.
pub(crate) async fn ask_row<Content: ToString>(
    store: &dyn AnyStore,
    key: &str,
    ask: Ask<Content>,
    read: impl FnOnce(&[u8]) -> Result<Content, RecordError>,
    limit: Duration,
    problem: &mut Option<Problem>,
) -> Reply<Content> {
    let failed = match ask {
        Ask::Load => match runtime::within(limit, store.load(key)).await {
            Some(Ok(None)) => return Reply::Loaded(None),
            Some(Ok(Some((version, _)))) if version > Version::MAX => {
                *problem = Some(Problem::Version(version));
                return Reply::NotDone;
            }
            Some(Ok(Some((version, bytes)))) => match read(&bytes) {
                Ok(content) => return Reply::Loaded(Some((version, content))),
                Err(error) => {
                    *problem = Some(Problem::Row(error));
                    return Reply::Unreadable;
                }
            },
            Some(Err(error)) => Some(error),
            None => None,
        },
        Ask::Swap { expected, new } => {
            let new = new.map(|content| content.to_string().into_bytes());
            match runtime::within(limit, store.swap(key, expected, new.as_deref())).await {
                Some(Ok(Swap::Swapped(version))) if version > Version::MAX => {
                    *problem = Some(Problem::Version(version));
                    return Reply::Unknown;
                }
                Some(Ok(Swap::Swapped(version))) => return Reply::Swapped(version),
                Some(Ok(Swap::Conflict)) => return Reply::Conflict,
                Some(Err(error)) => Some(error),
                None => None,
            }
        }
    };
    *problem = Some(Problem::Store(tell(failed.as_ref(), limit)));
    match failed {
        Some(StoreError::NotDone(_)) => Reply::NotDone,
        Some(StoreError::Unknown(_)) | None => Reply::Unknown,
    }
}

/// All rows of names that can be read, and then all rows of sessions.
async fn scan_all(
    store: &dyn AnyStore,
    limit: Duration,
    problem: &mut Option<Problem>,
) -> Option<Rows> {
    let mut rows = Rows::default();
    for prefix in [Key::LOCKS, Key::SESSIONS] {
        let found = match scan(store, prefix, limit).await {
            Ok(found) => found,
            Err(why) => {
                *problem = Some(why);
                return None;
            }
        };
        for Row { key, version, bytes } in found {
            match Key::parse(&key) {
                Some(Key::Lock(name)) => {
                    rows.names.extend(Record::read(&bytes).ok().map(|row| (name, version, row)));
                }
                Some(Key::Session(id)) => {
                    // One that cannot be read is there all the same, and is nobody's to remove.
                    let unread = |_| SessionRecord::new(Duration::MAX, "");
                    let row = SessionRecord::read(&bytes).unwrap_or_else(unread);
                    rows.sessions.push((id, version, row));
                }
                None => {}
            }
        }
    }
    Some(rows)
}

/// All rows whose keys begin so.
pub(crate) async fn scan(
    store: &dyn AnyStore,
    prefix: &str,
    limit: Duration,
) -> Result<Vec<Row>, Problem> {
    let answer = runtime::within(limit, store.scan(prefix)).await;
    let failed = |error: Option<&StoreError>| Problem::Store(tell(error, limit));
    let found = answer.ok_or_else(|| failed(None))?.map_err(|error| failed(Some(&error)))?;
    match found.iter().find(|row| row.version > Version::MAX) {
        Some(row) => Err(Problem::Version(row.version)),
        None => Ok(found),
    }
}

/// An error and its causes, in one line; none if there was no answer within the limit.
pub(crate) fn tell(error: Option<&StoreError>, limit: Duration) -> String {
    let Some(error) = error else { return format!("no answer within {limit:?}") };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
