//! The lockspace itself: what a user holds, and how it is built.

use std::fmt;
use std::time::Duration;

use lockspace_spec::history::Recorder;
use lockspace_spec::{FencingToken, Phase};

use crate::engine::{
    Audit, Effects, Engine, HoldKey, NameSnapshot, Notice, Setup, Snapshot, Stats,
};
use crate::error::{AcquireError, WaitError};
use crate::guard::{EndFuture, Guard};
use crate::health::{Health, HealthLimits, SessionHealth};
use crate::name::{LockName, NameError};
use crate::reaper::Reaper;
use crate::record::{self, Observer, Outsider, Tape};
use crate::request::Acquire;
use crate::runtime;
use crate::store::Key;
use crate::store::erased::AnyStore;
use crate::store::open::Remote;
use crate::store::record::{RecordError, SessionId};
use crate::sync::{Arc, Weak};

/// An isolated set of named, exclusive locks.
///
/// Cloning is cheap and gives another handle to the same lockspace. When the last handle and the last
/// owned guard are gone, so is everything: no task, no timer, no memory.
///
/// See the [crate](crate) for a tour.
#[derive(Clone)]
pub struct LockSpace {
    shared: Arc<Shared>,
}

/// What all handles, guards and futures of a lockspace share.
pub(crate) struct Shared {
    engine: Engine,
    tape: Tape,
    me: Weak<Shared>,
    knows_owners: bool,
    health_limits: HealthLimits,
    /// None in a lockspace of one process.
    remote: Option<Remote>,
}

impl Shared {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Has the engine do something, and then, with no lock held, what is left to do: whom it wants woken
    /// is woken, and the timers are served.
    #[inline(always)]
    pub(crate) fn act<R>(&self, action: impl FnOnce(&Engine, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = action(&self.engine, &mut effects);
        if effects.is_empty() {
            // To drop it would be to look once more whether there are wakers.
            std::mem::forget(effects);
        } else {
            self.carry_out(&mut effects);
        }
        result
    }

    /// Does what an action has left to do. No lock may be held.
    #[inline(always)]
    pub(crate) fn carry_out(&self, effects: &mut Effects) {
        if effects.must_start_reaper() {
            Reaper::start(self);
        }
        effects.carry_out();
    }

    pub(crate) fn over_a_store(&self) -> bool {
        self.remote.is_some()
    }

    /// What the store's last call that failed said.
    pub(crate) fn store_problem(&self) -> Option<String> {
        self.remote.as_ref().and_then(|remote| remote.status.problem())
    }

    /// The same, if it is therefore not known how this name is.
    pub(crate) fn store_problem_of(&self, name: &LockName) -> Option<String> {
        self.remote.as_ref().and_then(|remote| remote.status.problem_of(name))
    }

    /// The store, and how long a call to it may take.
    pub(crate) fn store(&self) -> Option<(&dyn AnyStore, Duration)> {
        self.remote.as_ref().map(|remote| (&*remote.store, remote.call_timeout))
    }

    /// How the session is; none in a lockspace of one process.
    pub(crate) fn session(&self) -> Option<SessionHealth> {
        let now = self.engine.clock().now().moment();
        self.remote.as_ref().map(|remote| remote.status.session(now))
    }

    /// Which session has begun last; none in a lockspace of one process.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.remote.as_ref().and_then(|remote| remote.status.session_id())
    }

    /// The row at this place in the list of those that cannot be read, and why not.
    pub(crate) fn unreadable_session(&self, place: u32) -> (Key, RecordError) {
        let remote = self.remote.as_ref().expect("only over a store");
        remote.status.unreadable_at(place)
    }

    /// Somebody elsewhere has taken the name from the hold with this token. Who ordered it, and when, was
    /// seen by nobody here; but a history in which a hold is forced needs an order.
    pub(crate) fn taken_elsewhere(&self, name: &str, token: FencingToken) {
        let call = self.tape.invoke(|| record::force_release(name));
        self.act(|engine, effects| engine.taken_away(name, token, effects));
        self.tape.returned(call, record::perhaps);
    }

    pub(crate) fn begin_shutdown(&self, grace: Duration) {
        let call = self.tape.invoke(|| record::shutdown(grace));
        self.act(|engine, effects| engine.shutdown(grace, effects));
        self.tape.returned(call, record::began);
    }

    pub(crate) fn handle(&self) -> Arc<Self> {
        self.me.upgrade().expect("whoever borrows the lockspace keeps it alive")
    }

    pub(crate) fn downgrade(&self) -> Weak<Self> {
        self.me.clone()
    }

    /// Whether it matters whose a request is.
    pub(crate) fn knows_owners(&self) -> bool {
        self.knows_owners
    }

    pub(crate) fn disown(&self, hold: HoldKey) {
        if self.knows_owners {
            self.engine.disown(hold);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A lease may still be armed if its guard was leaked; its reaper must not sleep until then.
        let mut effects = Effects::default();
        self.engine.dismiss_reaper(&mut effects);
        if let Some(remote) = &self.remote {
            remote.inbox.put(Notice::Gone, &mut effects);
        }
        effects.carry_out();
    }
}

/// Making and acquiring.
impl LockSpace {
    /// A lockspace with the default settings; see [`Builder`].
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A lockspace with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Requests a name. Await the request, or end it otherwise: see [`Acquire`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), lockspace::AcquireError> {
    /// let space = lockspace::LockSpace::new();
    /// let guard = space
    ///     .acquire("invoice/42")
    ///     .wait_timeout(Duration::from_secs(5))
    ///     .lease(Duration::from_secs(60))
    ///     .await?;
    /// assert_eq!(guard.name().as_str(), "invoice/42");
    /// # Ok(()) }
    /// ```
    #[cfg_attr(feature = "tracing", track_caller)]
    pub fn acquire<'s, 'n>(&'s self, name: &'n str) -> Acquire<'s, 'n> {
        Acquire::new(&self.shared, name)
    }

    /// Acquires a name if it is free, without waiting. Short for `acquire(name).try_now()`.
    ///
    /// Over a store, whoever never waits never learns that a holder has died: see
    /// [`until_seen_alive`](Self::until_seen_alive).
    ///
    /// # Errors
    /// As [`Acquire::try_now`].
    ///
    /// # Panics
    /// Over a store, as [`Acquire::try_now`].
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42")?;
    /// assert!(space.try_acquire("invoice/42").is_err());
    /// # drop(guard);
    /// # Ok::<(), lockspace::AcquireError>(())
    /// ```
    #[cfg_attr(feature = "tracing", track_caller)]
    pub fn try_acquire(&self, name: &str) -> Result<Guard<'_>, AcquireError> {
        self.acquire(name).try_now()
    }

    /// Acquires a name, waiting as a thread does. Short for `acquire(name).blocking()`; use that form
    /// for a wait timeout or a lease.
    ///
    /// # Errors
    /// As [`Acquire::blocking`].
    ///
    /// # Panics
    /// As [`Acquire::blocking`].
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.blocking_acquire("invoice/42")?;
    /// # drop(guard);
    /// # Ok::<(), lockspace::AcquireError>(())
    /// ```
    #[cfg_attr(feature = "tracing", track_caller)]
    pub fn blocking_acquire(&self, name: &str) -> Result<Guard<'_>, AcquireError> {
        self.acquire(name).blocking()
    }

    /// Waits until the hold of `name` that is current now has ended, without wanting the name. If it is
    /// free, that is at once. When this returns, somebody else may hold the name already.
    ///
    /// Over a store it looks at this process only: a name that another process holds counts as free here.
    ///
    /// # Errors
    /// [`WaitError`]: the name is not one, or the hold did not end within `limit`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind and loses nothing.
    ///
    /// # Fairness
    /// It stands in no queue and delays nobody.
    ///
    /// # Panics
    /// With a limit: outside of a tokio runtime with timers.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42")?;
    /// let second = Duration::from_secs(1);
    /// assert!(space.wait_until_released("invoice/42", Some(second)).await.is_err());
    /// drop(guard);
    /// space.wait_until_released("invoice/42", None).await?;
    /// # Ok(()) }
    /// ```
    pub async fn wait_until_released(
        &self,
        name: &str,
        limit: Option<Duration>,
    ) -> Result<(), WaitError> {
        LockName::check(name)?;
        let Some(hold) = self.shared.engine.holder_of(name) else {
            return Ok(());
        };
        let mut ended = std::pin::pin!(EndFuture::new(&self.shared, hold));
        let mut limit_ended = std::pin::pin!(runtime::sleep(limit));
        std::future::poll_fn(|cx| {
            if ended.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(Ok(()));
            }
            limit_ended.as_mut().poll(cx).map(|()| {
                let limit = limit.unwrap_or_default();
                Err(WaitError::TimedOut { name: LockName::new(name)?, limit })
            })
        })
        .await
    }
}

/// Operating.
impl LockSpace {
    /// Takes `name` away from whoever holds it, and answers the token of the hold that it ended; `None`
    /// if the name was free. The holder is [told](Guard::lost), and the next waiter is granted.
    ///
    /// For operators: the holder may be in the middle of its work, and only fencing can then protect
    /// what it works on. Over a store it reaches what is held here;
    /// [`force_release_everywhere`](Self::force_release_everywhere) reaches all.
    ///
    /// # Errors
    /// [`NameError`] if the name is not one.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap();
    /// assert_eq!(space.force_release("invoice/42"), Ok(Some(guard.fencing_token())));
    /// assert!(guard.is_lost());
    /// ```
    pub fn force_release(&self, name: &str) -> Result<Option<FencingToken>, NameError> {
        LockName::check(name)?;
        let space = &*self.shared;
        let call = space.tape.invoke(|| record::force_release(name));
        let token = space.act(|engine, effects| engine.force_release(name, effects));
        space.tape.returned(call, || record::force_released(token));
        Ok(token)
    }

    /// Who holds and who waits, for people to look at. By the time they do, it may be otherwise. Over a
    /// store it shows who does here; [`survey`](Self::survey) shows everybody.
    ///
    /// Each name is shown as it was at one moment; two names may be shown at different moments.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.acquire("printer").label("report 7").try_now()?;
    /// let snapshot = space.snapshot();
    /// let printer = &snapshot.names[0];
    /// assert_eq!(printer.name.as_str(), "printer");
    /// assert_eq!(printer.holder.label.as_deref(), Some("report 7"));
    /// assert_eq!(printer.holder.token, guard.fencing_token());
    /// # Ok::<(), lockspace::AcquireError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.shared.engine.snapshot();
        let places = self.shared.tape.places();
        for NameSnapshot { holder, .. } in &mut snapshot.names {
            holder.acquired_at = places.get(&holder.token).copied();
        }
        snapshot
    }

    /// Recounts every entry, waiter, timer and queue, and names what is out of place. Over a store it
    /// counts what there is in this process.
    ///
    /// It holds all locks of the lockspace while it counts: for tests and for the worst of nights, not for a
    /// loop.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("printer")?;
    /// let audit = space.audit();
    /// assert_eq!((audit.held, audit.waiting, audit.timers), (1, 0, 0));
    /// assert!(audit.faults.is_empty());
    /// drop(guard);
    /// assert!(space.audit().is_quiescent());
    /// # Ok::<(), lockspace::AcquireError>(())
    /// ```
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.shared.engine.audit()
    }

    /// The lockspace judged against its [limits](Builder::health_limits), and over a store by how its session
    /// is.
    ///
    /// ```
    /// use lockspace::{HealthLevel, LockSpace};
    ///
    /// let space = LockSpace::new();
    /// assert!(space.health().is_well());
    /// space.begin_shutdown(std::time::Duration::ZERO);
    /// let health = space.health();
    /// assert_eq!(health.level(), HealthLevel::Failing);
    /// assert_eq!(health.to_string(), "failing\nfailing: the lockspace is shutting down");
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        Health::judge(&self.snapshot(), self.shared.session(), &self.shared.health_limits)
    }

    /// What has happened so far. Always counted; waits and holds are timed only where
    /// [timing](Builder::timing) is switched on.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("printer")?;
    /// assert!(space.try_acquire("printer").is_err());
    /// drop(guard);
    /// let stats = space.stats();
    /// assert_eq!((stats.granted, stats.refused_busy, stats.released), (1, 1, 1));
    /// # Ok::<(), lockspace::AcquireError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.engine.stats()
    }

    /// Where the lockspace is in its life.
    ///
    /// ```
    /// use lockspace::{LockSpace, Phase};
    ///
    /// let space = LockSpace::new();
    /// assert_eq!(space.phase(), Phase::Open);
    /// space.begin_shutdown(std::time::Duration::ZERO);
    /// assert_eq!(space.phase(), Phase::Closed); // Nothing was held.
    /// ```
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.engine.phase()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Default for LockSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LockSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockSpace").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

/// The settings of a lockspace.
///
/// ```
/// use std::time::Duration;
/// use lockspace::{HealthLimits, LockSpace};
///
/// let space = LockSpace::builder()
///     .max_names(100_000)
///     .max_waiters_per_name(1_000)
///     .health_limits(HealthLimits::new().longest_wait(Duration::from_secs(30)))
///     .build();
/// assert!(space.health().is_well());
/// ```
///
/// What each setting does, in one lockspace:
///
/// ```
/// use lockspace::{AcquireError, LockSpace};
///
/// let space = LockSpace::builder()
///     .max_names(1)
///     .max_waiters_per_name(1)
///     .timing(true)
///     .detect_self_wait(true)
///     .shards(4)
///     .build();
/// let guard = space.acquire("a").blocking()?;
/// assert!(matches!(space.try_acquire("b"), Err(AcquireError::AtCapacity { .. })));
/// // It would wait for itself.
/// assert!(matches!(space.acquire("a").blocking(), Err(AcquireError::SelfWait { .. })));
/// assert!(space.snapshot().names[0].holder.held_for.is_some()); // Timed.
/// # drop(guard);
/// # Ok::<(), lockspace::AcquireError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    setup: Setup,
    detect_self_wait: bool,
    health_limits: HealthLimits,
    observers: Vec<Arc<dyn Observer>>,
}

impl Default for Builder {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let setup = Setup {
            shards: (16 * cores).next_power_of_two(),
            max_names: None,
            max_waiters_per_name: None,
            timing: false,
            detect_deadlocks: false,
            inbox: None,
        };
        Self {
            setup,
            detect_self_wait: false,
            health_limits: HealthLimits::new(),
            observers: Vec::new(),
        }
    }
}

impl Builder {
    /// At most this many names are in use at once; a request for one more is refused as
    /// [`AtCapacity`](AcquireError::AtCapacity). Without it there is no limit but memory.
    ///
    /// The limit costs one shared counter on every acquire and release of a free name. Over a store it is
    /// one of this process: names that are held or wanted here.
    pub fn max_names(mut self, max: usize) -> Self {
        self.setup.max_names = Some(max);
        self
    }

    /// At most this many requests wait for one name; one more is refused as
    /// [`AtCapacity`](AcquireError::AtCapacity). Without it there is no limit but memory. Over a store it
    /// is one of this process: those who wait elsewhere do not count.
    pub fn max_waiters_per_name(mut self, max: u32) -> Self {
        self.setup.max_waiters_per_name = Some(max);
        self
    }

    /// Notes when each wait and each hold began, for [`snapshot`](LockSpace::snapshot),
    /// [`stats`](LockSpace::stats) and [`health`](LockSpace::health). Off by default: reading the clock
    /// costs about as much as an acquire. On whenever a [health limit](Self::health_limits) needs it.
    pub fn timing(mut self, on: bool) -> Self {
        self.setup.timing = on;
        self
    }

    /// Refuses a request whose own task (or thread, if it blocks) holds the name, as
    /// [`SelfWait`](AcquireError::SelfWait): it would wait for itself for ever. Off by default.
    ///
    /// What it knows of a hold is the task or thread that acquired it, until
    /// [`Guard::into_owned`] says that this no longer counts; or the owner that the request
    /// [named](Acquire::owner), for good. So it finds what waits in a straight line.
    /// It is mistaken about one task that polls several futures (`join!`, `select!`,
    /// `FuturesUnordered`), of which one holds the name and another asks for it: it refuses, although
    /// the first would have released. And it does not find a queued future that nobody polls until that
    /// has been granted the name. [`detect_deadlocks`](Self::detect_deadlocks) finds cycles of several
    /// names besides, and costs more.
    pub fn detect_self_wait(mut self, on: bool) -> Self {
        self.detect_self_wait = on;
        self
    }

    /// Refuses a request that would close a cycle of owners that wait for each other, as
    /// [`Deadlock`](AcquireError::Deadlock), which tells the cycle; or as
    /// [`SelfWait`](AcquireError::SelfWait), if the owner would wait for itself. Off by default.
    ///
    /// An *owner* does one thing after the other: the task that awaits, the task or thread that blocks, or
    /// whoever the request [names](Acquire::owner). A future that is polled outside of a tokio task and
    /// names no owner has none, and so has a hold whose guard was made
    /// [owned](Guard::into_owned), unless its owner is named.
    ///
    /// # Guarantees
    /// As long as each owner waits for one name at a time: no owners of this process wait for each other in a
    /// cycle, and no request is refused that would not have closed one (D1); so if every holder whose owner
    /// waits for nothing ends, every waiter is answered (D2). Whoever is refused keeps what it holds, and
    /// should release it: the others wait for that.
    ///
    /// An owner that waits for several names at once, such as a task that joins two acquires, may be refused
    /// although one of them would have released what the other one needs; and a hand-over may close a cycle
    /// through it, which nobody can be refused for. Over a store only the owners of this process are known.
    ///
    /// # Cost
    /// One lock that all names share, taken once or twice for each acquire and each release.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use lockspace::{AcquireError, LockSpace};
    ///
    /// let space = LockSpace::builder().detect_deadlocks(true).build();
    /// let ann = space.acquire("a").owner(1).await.unwrap();
    /// let ben = space.acquire("b").owner(2).await.unwrap();
    /// let waits = tokio::spawn({
    ///     let space = space.clone();
    ///     async move { space.acquire("b").owner(1).await.map(drop) }
    /// });
    /// tokio::task::yield_now().await;
    ///
    /// let refused = space.acquire("a").owner(2).await.unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "\"a\" is not granted: nobody would go on, since owner 2 waits for \"a\" of owner 1, \
    ///      owner 1 waits for \"b\" of owner 2"
    /// );
    /// drop(ben);
    /// waits.await.unwrap().unwrap();
    /// # drop(ann);
    /// # }
    /// ```
    pub fn detect_deadlocks(mut self, on: bool) -> Self {
        self.setup.detect_deadlocks = on;
        self
    }

    /// What [`health`](LockSpace::health) judges against.
    pub fn health_limits(mut self, limits: HealthLimits) -> Self {
        self.health_limits = limits;
        self
    }

    /// Has everything that users ask and are told written down by `recorder`, to be judged afterwards:
    /// acquires (with their place in the queue and their answer), cancels, releases, renewals, forced
    /// releases, shutdown, and the losses that [`Guard::lost`] tells. Off by default, and then next to
    /// free. The package `lockspace-history` has recorders and the judge.
    ///
    /// Over a store, a history says of some of it [otherwise](Recorder::record_seen) than users were told,
    /// since it does not show what other processes do; "Histories", in the documentation of lockspace,
    /// says of what.
    ///
    /// Each call adds a recorder; every one is told everything.
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.observers.push(Arc::new(Outsider(recorder)));
        self
    }

    /// Has every acquire and every hold traced, and notes where in the code names were acquired. See
    /// [`Traces`](crate::observe::Traces).
    #[cfg(feature = "tracing")]
    pub fn traces(mut self, traces: Arc<crate::observe::Traces>) -> Self {
        self.observers.push(traces);
        self
    }

    /// How many shards the table has, rounded up to a power of two between 1 and 65,536. The default,
    /// 16 for each core, suits all but the extremes; names in different shards never meet.
    pub fn shards(mut self, shards: usize) -> Self {
        self.setup.shards = shards.clamp(1, 1 << 16).next_power_of_two();
        self
    }

    /// Makes the lockspace.
    #[must_use]
    pub fn build(self) -> LockSpace {
        self.assemble(None)
    }

    /// The lockspace, over a store if there is one.
    pub(crate) fn assemble(mut self, remote: Option<Remote>) -> LockSpace {
        self.setup.timing |= self.health_limits.need_timing();
        if let Some(remote) = &remote {
            self.setup.shards = 1;
            self.setup.inbox = Some(Arc::clone(&remote.inbox));
        }
        let shared = Arc::new_cyclic(|me| Shared {
            engine: Engine::new(&self.setup),
            tape: Tape::new(self.observers, remote.is_some()),
            me: me.clone(),
            knows_owners: self.detect_self_wait || self.setup.detect_deadlocks,
            health_limits: self.health_limits,
            remote,
        });
        LockSpace { shared }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("setup", &self.setup)
            .field("detect_self_wait", &self.detect_self_wait)
            .field("health_limits", &self.health_limits)
            .field("recorders", &self.observers.len())
            .finish()
    }
}
