//! Whether somebody who stands before us lives: for those who would not wait behind him, and whose process
//! does not run for long enough to find out that he is dead.
//!
//! What this file must not do: declare anybody dead, or change anything. The driver does, for whoever asks
//! for the name meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::erased::{AnyStore, Problem, ask_row};
use super::record::{Record, RecordError, SessionId, SessionRecord};
use super::{Ask, Key, OperateError, Reply, Version};
use crate::engine::HoldKey;
use crate::name::LockName;
use crate::runtime;
use crate::space::LockSpace;

/// The longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// At so many sessions a look looks, in turns if there are more: a row that many stand in is looked at by
/// many.
const AT_ONCE: usize = 8;

/// How often in a row looking may fail.
const ATTEMPTS: u32 = 3;

impl LockSpace {
    /// Until somebody who stands before this process in the line for `name`, its holder or another waiter,
    /// has given a sign of life: the row of his session has moved on since this call first saw it. A session
    /// that lives moves its row on about every third of its ttl, so it does not take longer, unless more than
    /// eight stand there and few of them live: eight are looked at every quarter of a second. There is no end
    /// to it while nobody lives. Somebody in this process who holds the name, and still does so at the next
    /// look, a quarter of a second later at most, lives as well.
    ///
    /// It is for processes that do not run for long. Only whoever asks for a name for a whole ttl finds out
    /// that its holder has died; one that is always [refused at once](LockSpace::try_acquire), or after a
    /// shorter wait timeout, would be refused for ever. Asking and looking at the same time, it waits behind
    /// nobody who lives, and is granted what a dead one has left:
    ///
    /// ```
    /// use lockspace::LockSpace;
    /// use lockspace::store::{Memory, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Memory::new();
    /// let here = LockSpace::open(store.clone(), Options::new()).await?;
    /// let there = LockSpace::open(store, Options::new()).await?;
    /// let guard = here.acquire("nightly").await?;
    ///
    /// tokio::select! {
    ///     biased; // Whoever has both answers is granted.
    ///     guard = there.acquire("nightly") => drop(guard?),
    ///     alive = there.until_seen_alive("nightly") => alive?, // Busy, and not with a dead one.
    /// }
    /// # drop(guard);
    /// # Ok(()) }
    /// ```
    ///
    /// No clock is compared with another one: that a row has moved on is seen by its version.
    ///
    /// # Errors
    /// [`OperateError`]: the name is not one, there is no store, it did not answer several times, or the
    /// name's row cannot be read. The row of a session that cannot be read gives no sign; an acquire
    /// [says](crate::AcquireError::UnreadableSession) that it is there.
    ///
    /// # Cancel safety
    /// It changes nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime with timers.
    pub async fn until_seen_alive(&self, name: &str) -> Result<(), OperateError> {
        let name = LockName::new(name)?;
        let (store, limit) = self.shared().store().ok_or(OperateError::NoStore)?;
        let holder_here = || self.shared().engine().holder_of(name.as_str());
        let mut watch = Watch { held_here: holder_here(), first_seen: BTreeMap::new(), next: 0 };
        let mut failed = 0;
        loop {
            let me = self.shared().session_id();
            match watch.look(store, &name, me, limit).await {
                Ok(true) => return Ok(()),
                Ok(false) => failed = 0,
                Err(problem) => {
                    failed += 1;
                    match problem {
                        Problem::Row(problem) => {
                            return Err(OperateError::Unreadable { name, problem });
                        }
                        problem if failed == ATTEMPTS => {
                            let problem = problem.of_store().unwrap_or_default();
                            return Err(OperateError::Store { problem });
                        }
                        _ => {}
                    }
                }
            }
            // A call has a fraction of the ttl.
            runtime::sleep(Some(limit.min(LOOK_EVERY))).await;
            if watch.is_still_held(holder_here()) {
                return Ok(());
            }
        }
    }
}

/// What was seen, the last time and before.
struct Watch {
    held_here: Option<HoldKey>,
    first_seen: BTreeMap<SessionId, Version>,
    /// The place in the line of the session that is looked at next.
    next: usize,
}

impl Watch {
    /// Whether a hold here was there the last time already. One that was not may be that of the very task
    /// that asks, which has not looked yet.
    fn is_still_held(&mut self, hold: Option<HoldKey>) -> bool {
        let before = std::mem::replace(&mut self.held_here, hold);
        hold.is_some() && hold == before
    }

    /// Whether the row of anybody before `me` has moved on, as far as it is his turn to be looked at.
    async fn look(
        &mut self,
        store: &dyn AnyStore,
        name: &LockName,
        me: Option<SessionId>,
        limit: Duration,
    ) -> Result<bool, Problem> {
        let key = Key::Lock(name.clone()).to_string();
        let row = load(store, &key, Record::read, limit).await?;
        let line = row.iter().flat_map(|(_, record)| record.line()).map(|claim| claim.session);
        let ahead: Vec<_> = line.take_while(|session| Some(*session) != me).collect();
        let (first, some) = (self.next, ahead.len().min(AT_ONCE));
        self.next = (first + some) % ahead.len().max(1);
        let in_turn = ahead.iter().copied().cycle().skip(first).take(some);
        let looks = in_turn.map(|session| async move {
            let key = Key::Session(session).to_string();
            (session, load(store, &key, SessionRecord::read, limit).await)
        });
        let mut moved = false;
        for (session, row) in join_all(looks).await {
            match row {
                Ok(Some((version, _))) => {
                    moved |= *self.first_seen.entry(session).or_insert(version) != version;
                }
                Ok(None) | Err(Problem::Row(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(moved)
    }
}

async fn load<Content: ToString>(
    store: &dyn AnyStore,
    key: &str,
    read: impl FnOnce(&[u8]) -> Result<Content, RecordError>,
    limit: Duration,
) -> Result<Option<(Version, Content)>, Problem> {
    let mut problem = None;
    match ask_row(store, key, Ask::Load, read, limit, &mut problem).await {
        Reply::Loaded(row) => Ok(row),
        _ => Err(problem.expect("whatever is not answered has a reason")),
    }
}
