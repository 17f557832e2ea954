//! What operators ask of a store: who holds what, everywhere, and to take a name from whoever holds it.
//!
//! Who only operates has no session, and writes no row of one: [`survey`] and [`force_release`] need a store
//! and nothing else. Those of a lockspace that is open over a store are the same, past its driver.
//!
//! What this file must not do: change anything otherwise than by the same [`decide`] and the same swap as
//! everything else.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lockspace_spec::FencingToken;
use lockspace_spec::history::Return;

use super::decide::{Decision, Intent, decide};
use super::erased::{AnyStore, Problem, ask_row, scan};
use super::record::{Claim, Record, RecordError, SessionId, SessionRecord};
use super::{Ask, Key, Reply, Row, Store, Version};
use crate::name::{LockName, NameError};
use crate::record::{self, Taped};
use crate::space::{LockSpace, Shared};

/// How often a call that fails is made before an operator is told so.
const ATTEMPTS: u32 = 3;

/// Who holds and who waits, in all processes. See [`survey`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Every name that is held, in alphabetical order.
    pub names: Vec<SurveyedName>,
    /// Every session that has a row.
    pub sessions: Vec<SurveyedSession>,
    /// The keys of rows that cannot be read, and why: the rows are left as they are.
    pub unreadable: Vec<(String, RecordError)>,
}

/// A name in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurveyedName {
    /// The name.
    pub name: LockName,
    /// The token of the hold.
    pub token: FencingToken,
    /// Whose the hold is.
    pub holder: Claimed,
    /// Which sessions wait, the next one first. Each stands for all who wait in its process.
    pub queue: Vec<Claimed>,
}

/// A session that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurveyedSession {
    /// Which.
    pub session: SessionId,
    /// What it says of itself: [`Options::label`](super::Options::label).
    pub label: String,
    /// After how long a silence others remove it.
    pub ttl: Duration,
}

/// Whose a claim is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claimed {
    /// The session.
    pub session: SessionId,
    /// What it says of itself. None if it has no row that can be read.
    pub label: Option<String>,
    /// It has no row: it has ended, and whoever meets the claim next removes it.
    pub gone: bool,
    /// When it asked for the name, *by its own clock*: so long after the beginning of 1970. A holder has held
    /// the name since then at most. None if that is not known. See [`Claim::asked`].
    pub asked: Option<Duration>,
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.gone { ", which has ended" } else { "" };
        match self.label.as_deref().filter(|label| !label.is_empty()) {
            Some(label) => write!(f, "{label} (session {}{end})", self.session),
            None => write!(f, "session {}{end}", self.session),
        }
    }
}

/// Why an operator's question or order came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The name is not one.
    #[error(transparent)]
    InvalidName(#[from] NameError),
    /// The lockspace is one of a single process: [`snapshot`](LockSpace::snapshot) shows all of it, and
    /// [`force_release`](LockSpace::force_release) reaches all of it.
    #[error("the lockspace is not over a store")]
    NoStore,
    /// The store did not answer, several times. Whether the name was taken away is not known.
    #[error("the store cannot be used: {problem}")]
    Store {
        /// What it said last.
        problem: String,
    },
    /// Something stands in the store for this name that cannot be read. It is left as it is.
    #[error("the row \"lock/{name}\" cannot be read: {problem}")]
    Unreadable {
        /// The name.
        name: LockName,
        /// Why not.
        problem: RecordError,
    },
}

/// Who holds and who waits, in all processes that share this store, with the labels of their sessions.
/// Each of the two calls that it makes ends within `limit`.
///
/// It opens no session and writes nothing. It reads all rows, and is not a snapshot: each name is shown as it
/// was at some moment. A lockspace that is open over the store has the [same](LockSpace::survey).
///
/// # Guarantees
/// A session that is said to be [gone](Claimed::gone) has ended: its row was looked for after its claim was
/// found. A row that cannot be read is told, and left as it is.
///
/// # Errors
/// [`OperateError::Store`]: the store did not answer.
///
/// # Cancel safety
/// It changes nothing.
///
/// # Panics
/// Outside of a tokio runtime with timers.
///
/// ```
/// use std::time::Duration;
/// use lockspace::LockSpace;
/// use lockspace::store::{Memory, Options, survey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Memory::new();
/// let space = LockSpace::open(store.clone(), Options::new().label("worker 7")).await?;
/// let guard = space.acquire("invoice/42").await?;
///
/// let survey = survey(&store, Duration::from_secs(5)).await?;
/// assert_eq!(survey.names[0].holder.label.as_deref(), Some("worker 7"));
/// assert_eq!(survey.names[0].token, guard.fencing_token());
/// assert_eq!(survey.sessions.len(), 1); // Who looks has none.
/// # Ok(()) }
/// ```
pub async fn survey(store: &impl Store, limit: Duration) -> Result<Survey, OperateError> {
    read_all(store, limit).await
}

/// Takes `name` away from whoever holds it, in whatever process, and answers the token of the hold that has
/// ended; `None` if nobody held the name. The next session that waits holds it by the same swap. Each call
/// that it makes ends within `limit`; one that fails is made again, twice.
///
/// It opens no session. The holder is [told](crate::Guard::lost) that it was [forced](crate::Loss::Forced)
/// when it next looks at the store, within about one [`sweep_every`](super::Options::sweep_every); until
/// then it believes, and only fencing protects what it works on. A lockspace that is open over the store has
/// [the same](LockSpace::force_release_everywhere), which tells a holder of its own at once.
///
/// # Guarantees
/// One hold ends at most: whoever comes after the one that was found is left alone (S8). The token of the
/// next hold is greater (S2). Nobody who waits is overtaken (S3). A row that cannot be read is not touched.
///
/// # Errors
/// [`OperateError`], but for [`NoStore`](OperateError::NoStore).
///
/// # Cancel safety
/// If the future is dropped, the name may have been taken away, or may be.
///
/// # Panics
/// Outside of a tokio runtime with timers.
///
/// ```
/// use std::time::Duration;
/// use lockspace::LockSpace;
/// use lockspace::store::{Memory, Options, force_release};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Memory::new();
/// let space = LockSpace::open(store.clone(), Options::new()).await?;
/// let guard = space.acquire("invoice/42").await?;
///
/// let limit = Duration::from_secs(5);
/// let taken = force_release(&store, "invoice/42", limit).await?;
/// assert_eq!(taken, Some(guard.fencing_token()));
/// assert_eq!(force_release(&store, "invoice/42", limit).await?, None);
/// # Ok(()) }
/// ```
pub async fn force_release(
    store: &impl Store,
    name: &str,
    limit: Duration,
) -> Result<Option<FencingToken>, OperateError> {
    force(store, &LockName::new(name)?, limit).await
}

/// Operating, over the store of a lockspace.
impl LockSpace {
    /// Who holds and who waits, in all processes that have opened this store: [`survey`] of the store that
    /// the lockspace is over. Each call takes at most [`call_timeout`](super::Options::call_timeout).
    ///
    /// # Guarantees
    /// As [`survey`].
    ///
    /// # Errors
    /// [`OperateError`]: there is no store, or it did not answer.
    ///
    /// # Cancel safety
    /// It changes nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime with timers.
    ///
    /// ```
    /// use lockspace::LockSpace;
    /// use lockspace::store::{Memory, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Memory::new();
    /// let here = LockSpace::open(store.clone(), Options::new().label("worker 7")).await?;
    /// let there = LockSpace::open(store, Options::new()).await?;
    /// let guard = here.acquire("invoice/42").await?;
    ///
    /// let survey = there.survey().await?;
    /// assert_eq!(survey.names[0].holder.label.as_deref(), Some("worker 7"));
    /// assert_eq!(survey.names[0].token, guard.fencing_token());
    /// # Ok(()) }
    /// ```
    pub async fn survey(&self) -> Result<Survey, OperateError> {
        let (store, limit) = self.shared().store().ok_or(OperateError::NoStore)?;
        read_all(store, limit).await
    }

    /// Takes `name` away from whoever holds it, in whatever process: [`force_release`](force_release()) in
    /// the store that the lockspace is over. A holder here is told at once, one elsewhere when it next
    /// looks. Each call takes at most [`call_timeout`](super::Options::call_timeout).
    ///
    /// For operators, as [`force_release`](Self::force_release), which reaches this process only. Recorders
    /// of this lockspace are told of the order.
    ///
    /// # Guarantees
    /// As [`force_release`](force_release()).
    ///
    /// # Errors
    /// [`OperateError`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the name may have been taken away, or may be.
    ///
    /// # Panics
    /// Outside of a tokio runtime with timers.
    ///
    /// ```
    /// use lockspace::LockSpace;
    /// use lockspace::store::{Memory, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Memory::new();
    /// let here = LockSpace::open(store.clone(), Options::new()).await?;
    /// let there = LockSpace::open(store, Options::new()).await?;
    /// let guard = here.acquire("invoice/42").await?;
    ///
    /// let taken = there.force_release_everywhere("invoice/42").await?;
    /// assert_eq!(taken, Some(guard.fencing_token()));
    /// assert!(there.acquire("invoice/42").await?.fencing_token() > guard.fencing_token());
    /// # Ok(()) }
    /// ```
    pub async fn force_release_everywhere(
        &self,
        name: &str,
    ) -> Result<Option<FencingToken>, OperateError> {
        let name = LockName::new(name)?;
        let space = self.shared();
        let (store, limit) = space.store().ok_or(OperateError::NoStore)?;
        let order = Order::given(space, &name);
        let token = force(store, &name, limit).await;
        if let Ok(Some(token)) = token {
            space.act(|engine, effects| engine.taken_away(name.as_str(), token, effects));
        }
        order.carried_out(&token);
        token
    }
}

/// An order to take a name away, as far as recorders are told of it. Dropped before it is answered, nobody
/// knows what came of it.
struct Order<'a> {
    space: &'a Shared,
    call: Option<Taped>,
}

impl<'a> Order<'a> {
    fn given(space: &'a Shared, name: &LockName) -> Self {
        let call = space.tape().invoke(|| record::force_release(name.as_str()));
        Self { space, call: Some(call) }
    }

    fn carried_out(mut self, how: &Result<Option<FencingToken>, OperateError>) {
        self.end(how.as_ref().map_or_else(|_| record::perhaps(), |t| record::force_released(*t)));
    }

    fn end(&mut self, how: Return) {
        if let Some(call) = self.call.take() {
            self.space.tape().returned(call, || how);
        }
    }
}

impl Drop for Order<'_> {
    fn drop(&mut self) {
        self.end(record::perhaps());
    }
}

/// All rows of a store: first those of names, so that a session which has a claim and no row has ended.
async fn read_all(store: &dyn AnyStore, limit: Duration) -> Result<Survey, OperateError> {
    let failed =
        |problem: Problem| OperateError::Store { problem: problem.of_store().unwrap_or_default() };
    let locks = scan(store, Key::LOCKS, limit).await.map_err(failed)?;
    let sessions = scan(store, Key::SESSIONS, limit).await.map_err(failed)?;
    let mut survey = Survey::default();
    let labels = survey.take_sessions(sessions);
    let claimed = |claim: Claim| Claimed {
        session: claim.session,
        label: labels.get(&claim.session).cloned().flatten(),
        gone: !labels.contains_key(&claim.session),
        asked: claim.asked(),
    };
    for row in locks {
        match (Key::parse(&row.key), Record::read(&row.bytes)) {
            (Some(Key::Lock(name)), Ok(record)) => survey.names.push(SurveyedName {
                name,
                token: record.token_at(row.version),
                holder: claimed(record.holder),
                queue: record.queue.into_iter().map(claimed).collect(),
            }),
            (_, record) => {
                let why = record.err().unwrap_or(RecordError::Foreign);
                survey.unreadable.push((row.key, why));
            }
        }
    }
    survey.names.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(survey)
}

impl Survey {
    /// Notes the rows of sessions. Answers the labels of all that have one, or none for a row that cannot
    /// be read.
    fn take_sessions(&mut self, rows: Vec<Row>) -> BTreeMap<SessionId, Option<String>> {
        let mut labels = BTreeMap::new();
        for row in rows {
            let Some(Key::Session(session)) = Key::parse(&row.key) else {
                self.unreadable.push((row.key, RecordError::Foreign));
                continue;
            };
            let record = SessionRecord::read(&row.bytes);
            labels.insert(session, record.as_ref().ok().map(|record| record.label().to_owned()));
            match record {
                Ok(record) => {
                    let (label, ttl) = (record.label().to_owned(), record.ttl());
                    self.sessions.push(SurveyedSession { session, label, ttl });
                }
                Err(why) => self.unreadable.push((row.key, why)),
            }
        }
        labels
    }
}

/// Ends the hold that is found first, and no other one.
async fn force(
    store: &dyn AnyStore,
    name: &LockName,
    limit: Duration,
) -> Result<Option<FencingToken>, OperateError> {
    let key = Key::Lock(name.clone()).to_string();
    let (mut target, mut failed) = (None, 0);
    let mut known: Option<(Version, Record)> = None;
    loop {
        let ask = match &known {
            None => Ask::Load,
            Some((version, record)) => {
                let decision = decide(Some((*version, record)), Intent::Force, |_| false);
                let Decision::Swap(new) = decision else { return Ok(target) };
                Ask::Swap { expected: Some(*version), new }
            }
        };
        let mut problem = None;
        let reply = ask_row(store, &key, ask, Record::read, limit, &mut problem).await;
        known = None;
        match reply {
            Reply::Swapped(_) => return Ok(target),
            Reply::Loaded(None) => return Ok(target),
            Reply::Loaded(Some((version, record))) => {
                let token = record.token_at(version);
                // The hold that was to end has ended, by this order or by itself.
                if *target.get_or_insert(token) != token {
                    return Ok(target);
                }
                known = Some((version, record));
            }
            // What is not known to be done is looked at: the swap names the version, and ends no other hold.
            Reply::Conflict => {}
            Reply::Unreadable | Reply::NotDone | Reply::Unknown => {
                failed += 1;
                match problem {
                    Some(Problem::Row(problem)) => {
                        return Err(OperateError::Unreadable { name: name.clone(), problem });
                    }
                    problem if failed == ATTEMPTS => {
                        let problem = problem.and_then(|problem| problem.of_store());
                        return Err(OperateError::Store { problem: problem.unwrap_or_default() });
                    }
                    _ => {}
                }
            }
        }
    }
}
