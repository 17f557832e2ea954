//! Opening a lockspace over a store, and what it shares with its driver.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::driver::Driver;
use super::erased::AnyStore;
use super::record::{RecordError, SessionId};
use super::{Key, Moment, Options, OptionsError, Store, Version};
use crate::LockName;
use crate::engine::Inbox;
use crate::health::{SessionHealth, SessionState};
use crate::runtime;
use crate::space::{Builder, LockSpace};
use crate::sync::{Arc, Mutex};

/// Why a lockspace could not be opened. Nothing is left of it but, at worst, the row of a session that
/// others remove when its ttl has passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings cannot be.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The store did not take the row of a new session.
    #[error("the store cannot be used: {problem}")]
    Store {
        /// What it said.
        problem: String,
    },
    /// The store gives versions that are no fencing tokens: whatever keeps those could not keep them.
    #[error(
        "the store has given the version {version}, and none may be greater than {}",
        Version::MAX
    )]
    VersionTooGreat {
        /// The version.
        version: Version,
    },
}

/// The way from a lockspace to its store.
pub(crate) struct Remote {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) status: Arc<Status>,
    /// For what operators ask, past the driver.
    pub(crate) store: Arc<dyn AnyStore>,
    pub(crate) call_timeout: Duration,
}

/// How the driver's session is, for those who ask.
#[derive(Default)]
pub(crate) struct Status(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Whether the first session has begun, once that is known.
    opened: Option<bool>,
    opener: Option<Waker>,
    alive: bool,
    /// The session that lives, or the one that lived last.
    session: Option<SessionId>,
    /// What the last call that failed said.
    problem: Option<String>,
    /// The names whose last call has failed: of these, and of no others, it is not known how they are.
    unknown: BTreeSet<LockName>,
    /// When the last keep-alive was sent that was answered, and for how long the session is trusted then.
    proof: Option<(Moment, Duration)>,
    /// A version that the store has given and that is none.
    too_great: Option<Version>,
    /// Every row of a session that was found and could not be read: each is met a few times in the life of a
    /// store, if ever.
    unreadable: Vec<(SessionId, RecordError)>,
}

impl Status {
    /// What the last call that failed said.
    pub(crate) fn problem(&self) -> Option<String> {
        self.0.lock().problem.clone()
    }

    /// Why it is not known how a name is. Calls about other names, and about the session while that lives,
    /// say nothing of it.
    pub(crate) fn problem_of(&self, name: &LockName) -> Option<String> {
        let known = self.0.lock();
        known.problem.clone().filter(|_| !known.alive || known.unknown.contains(name))
    }

    /// How the session is at `now`. What a single call said is not told of a session that is well.
    pub(crate) fn session(&self, now: Moment) -> SessionHealth {
        let known = self.0.lock();
        let silent_for = known.proof.map(|(sent, _)| now.saturating_sub(sent));
        let state = match (known.alive, silent_for, known.proof) {
            (true, Some(silent), Some((_, trust))) if silent < trust / 2 => SessionState::Fresh,
            (true, Some(silent), Some((_, trust))) if silent < trust => SessionState::Suspect,
            _ => SessionState::Lost,
        };
        let problem = known.problem.clone().filter(|_| state != SessionState::Fresh);
        SessionHealth { state, silent_for, problem }
    }

    /// A call has failed, about this name or about none.
    pub(crate) fn failed(&self, name: Option<&LockName>, problem: String) {
        let mut known = self.0.lock();
        known.unknown.extend(name.cloned());
        known.problem = Some(problem);
    }

    /// The store has given a version that is too great.
    pub(crate) fn gave(&self, version: Version) {
        self.0.lock().too_great = Some(version);
    }

    fn open_error(&self) -> OpenError {
        let known = self.0.lock();
        if let Some(version) = known.too_great {
            return OpenError::VersionTooGreat { version };
        }
        let problem = known.problem.clone();
        let problem = problem.unwrap_or_else(|| "the session has no place".into());
        OpenError::Store { problem }
    }

    /// A call about this name was answered, or nothing is to be known of it any more.
    pub(crate) fn answered(&self, name: &LockName) {
        self.0.lock().unknown.remove(name);
    }

    /// A keep-alive that was sent then was answered.
    pub(crate) fn proved(&self, sent: Moment, trust: Duration) {
        self.0.lock().proof = Some((sent, trust));
    }

    /// The row of a session cannot be read. Answers its place among all such rows.
    pub(crate) fn unreadable(&self, session: SessionId, why: RecordError) -> u32 {
        let rows = &mut self.0.lock().unreadable;
        let place = rows.iter().position(|row| *row == (session, why)).unwrap_or_else(|| {
            rows.push((session, why));
            rows.len() - 1
        });
        u32::try_from(place).expect("there are not so many")
    }

    pub(crate) fn unreadable_at(&self, place: u32) -> (Key, RecordError) {
        let (session, why) = self.0.lock().unreadable[place as usize];
        (Key::Session(session), why)
    }

    /// A session has begun.
    pub(crate) fn began(&self, session: SessionId) {
        self.0.lock().session = Some(session);
    }

    /// The session that has begun last.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.0.lock().session
    }

    pub(crate) fn alive(&self, alive: bool) {
        let mut known = self.0.lock();
        known.alive = alive;
        known.unknown.clear();
        known.opened.get_or_insert(alive);
        let opener = known.opener.take();
        drop(known);
        opener.into_iter().for_each(Waker::wake);
    }

    async fn opened(&self) -> bool {
        poll_fn(|cx| {
            let mut known = self.0.lock();
            if let Some(opened) = known.opened {
                return Poll::Ready(opened);
            }
            let before = known.opener.replace(cx.waker().clone());
            drop(known);
            drop(before); // Only now: what a waker does when it is dropped is not ours.
            Poll::Pending
        })
        .await
    }
}

impl LockSpace {
    /// Opens a lockspace over a store, with the default settings otherwise: what is held in it is held by
    /// nobody else who has opened the same store, in whatever process or on whatever machine.
    ///
    /// See [`Builder::open`], also for what that does not say: how long a holder may not know that somebody
    /// has taken its name by force, and what processes do that do not run for long.
    ///
    /// # Errors
    /// As [`Builder::open`].
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
    ///
    /// let guard = here.acquire("invoice/42").await?;
    /// let no_wait = std::time::Duration::ZERO;
    /// assert!(there.acquire("invoice/42").wait_timeout(no_wait).await.is_err());
    ///
    /// let earlier = guard.fencing_token();
    /// drop(guard);
    /// let guard = there.acquire("invoice/42").await?;
    /// assert!(guard.fencing_token() > earlier);
    /// # Ok(()) }
    /// ```
    pub async fn open(store: impl Store, options: Options) -> Result<Self, OpenError> {
        Self::builder().open(store, options).await
    }
}

impl Builder {
    /// Makes the lockspace, over a store. It returns when its session has begun.
    ///
    /// The whole interface is that of a lockspace in one process. What differs:
    ///
    /// - An acquire takes a round trip to the store, and so does the release, which a guard leaves to the
    ///   lockspace: it [answers](crate::Guard::release) before the store has heard of it. A name that several
    ///   here want is asked for once.
    /// - A hold can be [lost](crate::Guard::lost) because the [session](crate::SessionEnd) ends. A new
    ///   session begins by itself, and those who wait go on waiting.
    /// - [`try_acquire`](LockSpace::try_acquire) asks the store and blocks the thread for the answer, which
    ///   panics in a task of a runtime.
    /// - [`snapshot`](LockSpace::snapshot), [`audit`](LockSpace::audit), [`stats`](LockSpace::stats),
    ///   [`wait_until_released`](LockSpace::wait_until_released),
    ///   [`force_release`](LockSpace::force_release), leases, limits and the detection of deadlocks concern
    ///   what is held and wanted here; [`survey`](LockSpace::survey) and
    ///   [`force_release_everywhere`](LockSpace::force_release_everywhere) reach all processes.
    /// - [`shards`](Self::shards) has no effect.
    /// - A [shutdown](LockSpace::shutdown) gives everything back to the store, after its grace at the
    ///   latest. A store that says nothing meanwhile for five seconds, or for twice the
    ///   [`call_timeout`](Options::call_timeout) if that is shorter, is left as it is: others take over
    ///   what is there when they have missed this process for its ttl.
    ///
    /// That another process has died is found out by being there for as long as that one's ttl, waiting or
    /// sweeping. A process that does not run for so long, and would not wait either, asks for the name and
    /// for a [sign of life](LockSpace::until_seen_alive) at the same time. With
    /// [`try_acquire`](LockSpace::try_acquire) or a short wait timeout alone, such processes are refused for
    /// ever once a holder has died.
    ///
    /// # Guarantees
    /// Nobody who trusts his guard ([`is_lost`](crate::Guard::is_lost) says no) holds what somebody else
    /// does (S1), as long as clocks keep their speed within the drift margin, the store loses nothing, and
    /// nobody takes names away by force. Who does [that](LockSpace::force_release_everywhere) puts a second
    /// holder beside the first one, until that has swept: for [`sweep_every`](Options::sweep_every) and three
    /// calls at most, while the store answers. Tokens grow for the life of
    /// the store's data (S2). Sessions are granted a name in the order in which they came, and requests of
    /// a session in theirs (S3). What a process that died held comes free (L2), for whoever waits for it.
    ///
    /// # Errors
    /// [`OpenError`]: settings that cannot be, or a store that did not take the session's row at the first
    /// attempt.
    ///
    /// # Cancel safety
    /// Dropping the future ends the session that may have begun, in the background.
    ///
    /// # Panics
    /// Outside of a tokio runtime with timers. The session lives on this runtime: if it ends first, the
    /// lockspace shuts down at once.
    pub async fn open(self, store: impl Store, options: Options) -> Result<LockSpace, OpenError> {
        let store: Arc<dyn AnyStore> = Arc::new(store);
        let plan = options.plan(store.has_hints())?;
        let (inbox, status) = (Arc::<Inbox>::default(), Arc::<Status>::default());
        let remote = Remote {
            inbox: Arc::clone(&inbox),
            status: Arc::clone(&status),
            store: Arc::clone(&store),
            call_timeout: plan.call_timeout,
        };
        let space = self.assemble(Some(remote));
        let driver = Driver::new(plan, store, inbox, Arc::clone(&status), space.shared());
        runtime::spawn(driver.run());
        if status.opened().await { Ok(space) } else { Err(status.open_error()) }
    }
}

#[cfg(all(test, not(any(lockspace_loom, lockspace_shuttle))))]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Wake};

    use super::*;
    use crate::sync::{AtomicUsize, Ordering};
    use crate::tests::in_time;

    /// Looks how the session is when it is woken, and when nobody has it any more.
    struct Curious {
        status: Arc<Status>,
        looked: Arc<AtomicUsize>,
    }

    impl Curious {
        fn waker(status: &Arc<Status>, looked: &Arc<AtomicUsize>) -> Waker {
            let (status, looked) = (Arc::clone(status), Arc::clone(looked));
            Waker::from(Arc::new(Self { status, looked }))
        }

        fn look(&self) {
            assert_eq!(self.status.session_id(), None);
            self.looked.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Wake for Curious {
        fn wake(self: Arc<Self>) {
            self.look();
        }
    }

    impl Drop for Curious {
        fn drop(&mut self) {
            self.look();
        }
    }

    #[test]
    fn the_waker_of_whoever_opens_may_look_at_the_session_when_it_is_woken_or_dropped() {
        let looked = in_time(|| {
            let (status, looked) = (Arc::<Status>::default(), Arc::<AtomicUsize>::default());
            let mut opened = pin!(status.opened());
            for _ in 0..2 {
                let waker = Curious::waker(&status, &looked);
                assert!(opened.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!(looked.load(Ordering::Relaxed), 1, "the first was replaced");
            status.alive(true);
            looked.load(Ordering::Relaxed)
        });
        assert_eq!(looked, 3, "the second was woken, and dropped");
    }
}
