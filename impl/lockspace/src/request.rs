//! Acquiring: the request, and its three ways to wait: a task's, a thread's and none.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::clock::{self, Limit};
use crate::engine::{
    Acquired, Ask, Door, Effects, Exit, Failure, HoldKey, Patience, TurnedAway, WaitKey,
};
use crate::error::{AcquireError, Deadlock, TimedOut, Unreachable, UnreadableSession};
use crate::guard::Guard;
use crate::name::LockName;
#[cfg(feature = "tracing")]
use crate::record::Place;
use crate::record::{self, Said, Taped};
use crate::runtime::{self, Budget, Owner};
use crate::space::Shared;
use crate::sync::with_parker;

/// A request for a name, made with [`LockSpace::acquire`](crate::LockSpace::acquire).
///
/// Await it to wait as a task, or end it with [`blocking`](Self::blocking) to wait as a thread or with
/// [`try_now`](Self::try_now) not to wait at all. All three stand in the same queue.
///
/// # Guarantees
/// Whoever is granted the name is its only holder (S1), with a token greater than every earlier one of
/// the name (S2), in the order of queueing (S3). There is one answer (S4). If the name is free, nothing
/// waits, and no timer is touched unless a lease was asked for.
///
/// # Errors
/// [`AcquireError`] says why the name was not granted. A refused request leaves nothing behind (S5, S6).
///
/// # Cancel safety
/// The future may be dropped at any moment. If it waits, it leaves the queue and loses its place; if it
/// was granted the name and has not seen it, the name goes to the next waiter (S7). Either way nothing
/// is left behind.
///
/// # Fairness
/// Strict FIFO for each name: a request queues when its future is first polled, and nobody overtakes
/// it. A queued future must be polled when it is woken: one that is kept and never polled again will be
/// granted the name all the same, and block those behind it until it is polled or dropped. Every
/// acquire that succeeds spends some of the task's tokio cooperation budget, so that a loop of them
/// cannot starve its neighbours; with the budget spent, the future first yields and then queues.
///
/// # Panics
/// Never when awaited. [`blocking`](Self::blocking) panics where it must not block, and over a store so does
/// [`try_now`](Self::try_now).
#[derive(Clone, Copy)]
#[must_use = "a request does nothing until it is awaited or ended"]
pub struct Acquire<'s, 'n> {
    space: &'s Shared,
    name: &'n str,
    wait_timeout: Limit,
    lease: Limit,
    label: Option<&'n str>,
    owner: Option<u64>,
    /// Where it was asked for. Only there with traces, since it is carried about by every future.
    #[cfg(feature = "tracing")]
    place: Option<Place>,
}

impl<'s, 'n> Acquire<'s, 'n> {
    #[cfg_attr(feature = "tracing", track_caller)]
    pub(crate) fn new(space: &'s Shared, name: &'n str) -> Self {
        Self {
            space,
            name,
            wait_timeout: Limit::NONE,
            lease: Limit::NONE,
            label: None,
            owner: None,
            #[cfg(feature = "tracing")]
            place: Some(std::panic::Location::caller()),
        }
    }

    /// Asked for by this package itself, which is nowhere in its user's code.
    pub(crate) fn unplaced(self) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            place: None,
            ..self
        }
    }

    fn said(&self) -> Said<'n> {
        Said {
            label: self.label,
            #[cfg(feature = "tracing")]
            place: self.place,
            #[cfg(not(feature = "tracing"))]
            place: None,
        }
    }

    /// Waits at most this long. Zero means not to wait at all, exactly as
    /// [`try_now`](Self::try_now). Without it the wait has no limit.
    ///
    /// An async wait timeout is kept by the lockspace's reaper, to the millisecond; it starts when the
    /// request queues. A request that need not wait costs no timer. Whatever is longer than a century is a
    /// century.
    pub fn wait_timeout(mut self, wait_timeout: Duration) -> Self {
        self.wait_timeout = Limit::of(wait_timeout);
        self
    }

    /// Holds the name at most this long, counted from the grant. When the lease ends, the hold is lost:
    /// the guard is told and the next waiter is granted. Without it the hold lasts until it is released.
    ///
    /// Whatever is longer than a century is a century.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Limit::of(lease);
        self
    }

    /// Says what the hold is for, to be seen in [`snapshot`](crate::LockSpace::snapshot).
    pub fn label(mut self, label: &'n str) -> Self {
        self.label = Some(label);
        self
    }

    /// Says whose the request is, where [deadlocks](crate::Builder::detect_deadlocks) or
    /// [self-waits](crate::Builder::detect_self_wait) are looked for; elsewhere it changes nothing. An
    /// owner does one thing after the other, in whatever tasks and threads: a job, a session of a user, a
    /// saga. Without it the owner is the task that awaits, or the task or thread that blocks; whoever
    /// awaits outside of tokio's tasks has none.
    ///
    /// ```
    /// use lockspace::{AcquireError, LockSpace};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let space = LockSpace::builder().detect_self_wait(true).build();
    /// let guard = space.acquire("invoice/42").owner(7).await.unwrap();
    /// let again = space.acquire("invoice/42").owner(7).await;
    /// assert!(matches!(again, Err(AcquireError::SelfWait { .. })));
    /// # drop(guard);
    /// # }
    /// ```
    pub fn owner(mut self, id: u64) -> Self {
        self.owner = Some(id);
        self
    }

    /// Acquires the name if it is free, and otherwise gives up at once, whatever the wait timeout.
    ///
    /// Over a store, a name that nobody here holds or waits for is asked of the store once, and the thread
    /// blocks for that answer as in [`blocking`](Self::blocking). Await a
    /// [`wait_timeout`](Self::wait_timeout) of zero to do the same as a task.
    ///
    /// # Errors
    /// [`AcquireError::Busy`] if the name is held, and whatever else rules the request out.
    ///
    /// # Panics
    /// Over a store, as [`blocking`](Self::blocking).
    ///
    /// ```
    /// use lockspace::{AcquireError, LockSpace};
    ///
    /// let space = LockSpace::new();
    /// let guard = space.acquire("printer").label("report 7").try_now()?;
    /// assert!(matches!(space.acquire("printer").try_now(), Err(AcquireError::Busy { .. })));
    /// # drop(guard);
    /// # Ok::<(), AcquireError>(())
    /// ```
    pub fn try_now(mut self) -> Result<Guard<'s>, AcquireError> {
        if self.space.over_a_store() {
            self.wait_timeout = Limit::ZERO;
            return self.blocking();
        }
        let (call, door) = self.begin(Limit::ZERO);
        let Some(mut door) = door else { return self.ask_now(None, call) };
        if let Some(hold) = door.take_free(self.name) {
            drop(door);
            return Ok(self.granted(hold, call));
        }
        self.ask_now(Some(door), call)
    }

    #[inline(never)]
    fn ask_now(&self, door: Option<Door<'s>>, call: Taped) -> Result<Guard<'s>, AcquireError> {
        let patience = Patience::No { waker: Waker::noop() };
        self.answer(self.ask(door, patience, || Some(Owner::caller()), call)?, call)
    }

    /// Waits as a thread does, without a runtime.
    ///
    /// # Errors
    /// As when awaited.
    ///
    /// # Panics
    /// If it would have to wait in a task of a tokio runtime, which it would block. Await it there, or
    /// use `spawn_blocking`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lockspace::{AcquireError, LockSpace};
    ///
    /// let space = LockSpace::new();
    /// let guard = space.acquire("printer").blocking()?;
    /// let briefly = space.acquire("printer").wait_timeout(Duration::from_millis(1));
    /// assert!(matches!(briefly.blocking(), Err(AcquireError::TimedOut { .. })));
    /// # drop(guard);
    /// # Ok::<(), AcquireError>(())
    /// ```
    pub fn blocking(self) -> Result<Guard<'s>, AcquireError> {
        let (call, door) = match self.take_free(self.wait_timeout) {
            Ok(guard) => return Ok(guard),
            Err(not_taken) => not_taken,
        };
        with_parker(|parker, waker| {
            // The thread keeps its own time: as far as the engine knows, it waits without a limit.
            let patience = match self.patience(waker) {
                Patience::Queue { waker, .. } => Patience::Queue { waker, wait: None },
                at_once @ Patience::No { .. } => at_once,
            };
            let asked = match door.map(|door| self.take_place(door, patience, call)) {
                Some(Ok(key)) => Acquired::Queued(key),
                not_placed => {
                    let door = not_placed.and_then(Result::err);
                    self.ask(door, patience, || Some(Owner::caller()), call)?
                }
            };
            let mut waiting = match asked {
                Acquired::Queued(key) => Waiting::new(self.space, key, call),
                acquired => return self.answer(acquired, call),
            };
            waiting.note();
            runtime::assert_may_block();
            // Whoever does not wait is not in the queue, or only until the store has answered.
            let limit = self.wait_timeout.duration().filter(|limit| !limit.is_zero());
            let deadline = limit.and_then(clock::deadline);
            loop {
                if let Poll::Ready(acquired) = waiting.poll(waker) {
                    return self.answer(acquired, waiting.call);
                }
                match deadline {
                    None => parker.park(),
                    Some(deadline) if clock::has_passed(deadline) => waiting.give_up(),
                    Some(deadline) => parker.park_deadline(deadline),
                }
            }
        })
    }

    /// What rules a request out before the protocol is asked.
    #[inline]
    fn check(&self) -> Result<(), AcquireError> {
        LockName::check(self.name)?;
        if self.lease == Limit::ZERO {
            return Err(AcquireError::ZeroLease { name: self.lock_name() });
        }
        Ok(())
    }

    fn patience<'w>(&self, waker: &'w Waker) -> Patience<'w> {
        match self.wait_timeout {
            Limit::ZERO => Patience::No { waker },
            wait => Patience::Queue { waker, wait: wait.nanoseconds() },
        }
    }

    /// Comes to the door of the name, if the request wants no more than the name: no lease, nothing to be
    /// noted. Nearly every request is such. Without a door this one was not: [ask](Self::ask).
    #[inline(always)]
    fn begin(&self, wait_timeout: Limit) -> (Taped, Option<Door<'s>>) {
        if self.check().is_err() {
            return (Taped::OFF, None);
        }
        // Over a store every hold may end by itself, with its session.
        let leased = || self.lease != Limit::NONE || self.space.over_a_store();
        let asked = || record::acquire(self.name, wait_timeout, leased());
        let call = self.space.tape().asked(asked, || self.said());
        let bare = self.lease == Limit::NONE && self.label.is_none();
        if !bare || self.space.knows_owners() {
            return (call, None);
        }
        (call, Some(self.space.engine().door(self.name)))
    }

    /// Takes the name if it is free and there is no more to it. `Err` means only that it was not so:
    /// [ask](Self::ask), through the door that it stands in, if it has got so far.
    #[inline(always)]
    fn take_free(&self, wait_timeout: Limit) -> Result<Guard<'s>, (Taped, Option<Door<'s>>)> {
        let (call, door) = self.begin(wait_timeout);
        let Some(mut door) = door else { return Err((call, None)) };
        let Some(hold) = door.take_free(self.name) else {
            return Err((call, Some(door)));
        };
        drop(door);
        Ok(self.granted(hold, call))
    }

    /// Takes a place in the queue of a held name, if there is nothing else to it either. Otherwise it still
    /// stands in the door.
    #[inline(always)]
    fn take_place<'e>(
        &self,
        mut door: Door<'e>,
        patience: Patience<'_>,
        call: Taped,
    ) -> Result<WaitKey, Door<'e>> {
        let Patience::Queue { waker, wait } = patience else { return Err(door) };
        let Some(key) = door.take_place(self.name, waker) else { return Err(door) };
        if let Some(wait) = wait {
            let mut effects = Effects::default();
            door.limit(key, wait, &mut effects);
            carry_out(self.space, &mut effects, || Some(Acquired::Queued(key)), call);
        }
        Ok(key)
    }

    /// `caller`: who asks, if the request names nobody.
    #[inline(always)]
    fn ask(
        &self,
        door: Option<Door<'_>>,
        patience: Patience<'_>,
        caller: impl FnOnce() -> Option<Owner>,
        call: Taped,
    ) -> Result<Acquired, AcquireError> {
        // Who stands in a door has been checked, and wants nothing beyond the name.
        if door.is_none() {
            self.check()?;
        }
        let door = door.unwrap_or_else(|| self.space.engine().door(self.name));
        let lease = self.lease.nanoseconds().and_then(NonZeroU64::new);
        let owner = match self.owner {
            _ if !self.space.knows_owners() => None,
            Some(id) => Some(Owner::named(id)),
            None => caller(),
        };
        let ask = Ask { name: self.name, patience, lease, label: self.label, owner };
        let mut effects = Effects::default();
        let asked = door.acquire(&ask, &mut effects);
        carry_out(self.space, &mut effects, || asked.as_ref().ok().cloned(), call);
        asked.map_err(|why| {
            self.space.tape().returned(call, record::ruled_out);
            self.turned_away(why)
        })
    }

    #[cold]
    fn turned_away(&self, why: TurnedAway) -> AcquireError {
        let name = self.lock_name();
        match why {
            TurnedAway::SelfWait => AcquireError::SelfWait { name },
            TurnedAway::Deadlock(cycle) => {
                AcquireError::Deadlock(Box::new(Deadlock { name, cycle }))
            }
        }
    }

    #[inline(always)]
    fn answer(&self, acquired: Acquired, call: Taped) -> Result<Guard<'s>, AcquireError> {
        match acquired {
            Acquired::Granted(hold) => Ok(self.granted(hold, call)),
            in_vain => {
                self.space.tape().returned(call, || record::acquired(&in_vain));
                Err(self.error(in_vain))
            }
        }
    }

    #[inline(always)]
    fn granted(&self, hold: HoldKey, call: Taped) -> Guard<'s> {
        if self.space.tape().is_running() {
            self.record_grant(hold, call);
        }
        Guard::new(self.space, hold, call)
    }

    #[cold]
    fn record_grant(&self, hold: HoldKey, call: Taped) {
        // Meanwhile this guard has the hold: a recorder that panics leaves none behind.
        let guard = Guard::new(self.space, hold, call);
        self.space.tape().returned(call, || record::acquired(&Acquired::Granted(hold)));
        std::mem::forget(guard);
    }

    #[cold]
    fn error(&self, acquired: Acquired) -> AcquireError {
        match acquired {
            Acquired::TimedOut(told) => self.timed_out(told),
            Acquired::Refused(refusal) => AcquireError::refused(refusal, self.lock_name()),
            Acquired::Failed(Failure::Unreadable(problem)) => {
                AcquireError::Unreadable { name: self.lock_name(), problem }
            }
            Acquired::Failed(Failure::UnreadableSession(place)) => {
                let (row, problem) = self.space.unreadable_session(place);
                let name = self.lock_name();
                AcquireError::UnreadableSession(Box::new(UnreadableSession { name, row, problem }))
            }
            Acquired::Failed(Failure::Unreachable) => {
                self.unreachable(Duration::ZERO, self.space.store_problem().unwrap_or_default())
            }
            Acquired::Granted(_) | Acquired::Queued(_) => {
                unreachable!("neither a grant nor a place in the queue is an error")
            }
        }
    }

    /// Its wait ended in vain: because somebody held the name, or because the store was out of reach.
    fn timed_out(&self, mut told: Box<TimedOut>) -> AcquireError {
        told.wait_timeout = self.wait_timeout.duration().unwrap_or_default();
        match self.space.store_problem_of(&told.name) {
            Some(problem) => self.unreachable(told.wait_timeout, problem),
            None => AcquireError::TimedOut(told),
        }
    }

    fn unreachable(&self, wait_timeout: Duration, problem: String) -> AcquireError {
        let name = self.lock_name();
        AcquireError::Unreachable(Box::new(Unreachable { name, wait_timeout, problem }))
    }

    fn lock_name(&self) -> LockName {
        LockName::new(self.name).expect("checked when the request was asked")
    }
}

impl<'s, 'n> IntoFuture for Acquire<'s, 'n> {
    type Output = Result<Guard<'s>, AcquireError>;
    type IntoFuture = AcquireFuture<'s, 'n>;

    fn into_future(self) -> AcquireFuture<'s, 'n> {
        AcquireFuture { request: self, waiting: None }
    }
}

impl fmt::Debug for Acquire<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("name", &self.name)
            .field("wait_timeout", &self.wait_timeout.duration())
            .field("lease", &self.lease.duration())
            .field("label", &self.label)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// The future of an [`Acquire`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct AcquireFuture<'s, 'n> {
    request: Acquire<'s, 'n>,
    waiting: Option<Waiting<'s>>,
}

impl<'s> Future for AcquireFuture<'s, '_> {
    type Output = Result<Guard<'s>, AcquireError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let budget = ready!(Budget::poll(cx));
        if self.waiting.is_some() {
            return self.look(cx.waker(), budget);
        }
        let request = &self.request;
        let (call, door) = request.begin(request.wait_timeout);
        let Some(mut door) = door else { return self.ask(None, call, cx.waker(), budget) };
        if let Some(hold) = door.take_free(request.name) {
            drop(door);
            budget.spend();
            return Poll::Ready(Ok(request.granted(hold, call)));
        }
        self.line_up(door, call, cx.waker(), budget)
    }
}

/// What a poll comes to, where it does not simply take a free name.
impl<'s> AcquireFuture<'s, '_> {
    /// It waits, and looks whether it has been answered.
    #[inline(always)]
    fn look(&mut self, waker: &Waker, budget: Budget) -> Poll<Result<Guard<'s>, AcquireError>> {
        let waiting = self.waiting.as_mut().expect("it waits");
        let acquired = ready!(waiting.poll(waker));
        let call = waiting.call;
        budget.spend();
        Poll::Ready(self.request.answer(acquired, call))
    }

    /// The name is held: it takes a place in the queue, if there is no more to it.
    #[inline(always)]
    fn line_up(
        &mut self,
        door: Door<'s>,
        call: Taped,
        waker: &Waker,
        budget: Budget,
    ) -> Poll<Result<Guard<'s>, AcquireError>> {
        match self.request.take_place(door, self.request.patience(waker), call) {
            Ok(key) => self.wait(key, call),
            Err(door) => self.ask(Some(door), call, waker, budget),
        }
    }

    /// There is more to it.
    #[inline(always)]
    fn ask(
        &mut self,
        door: Option<Door<'s>>,
        call: Taped,
        waker: &Waker,
        budget: Budget,
    ) -> Poll<Result<Guard<'s>, AcquireError>> {
        let patience = self.request.patience(waker);
        match self.request.ask(door, patience, Owner::task, call)? {
            Acquired::Queued(key) => self.wait(key, call),
            acquired => {
                budget.spend();
                Poll::Ready(self.request.answer(acquired, call))
            }
        }
    }

    #[inline(always)]
    fn wait(&mut self, key: WaitKey, call: Taped) -> Poll<Result<Guard<'s>, AcquireError>> {
        self.waiting.insert(Waiting::new(self.request.space, key, call)).note();
        Poll::Pending
    }
}

/// Does what an action has left to do. Meanwhile what it `answered` is somebody's: a waker that panics leaves
/// neither a hold nor a place in a queue behind.
#[inline(always)]
fn carry_out(
    space: &Shared,
    effects: &mut Effects,
    answered: impl FnOnce() -> Option<Acquired>,
    call: Taped,
) {
    if !effects.is_empty() {
        carry_out_with(space, effects, answered(), call);
    }
}

#[inline(never)]
fn carry_out_with(space: &Shared, effects: &mut Effects, answered: Option<Acquired>, call: Taped) {
    match answered {
        Some(Acquired::Granted(hold)) => {
            let guard = Guard::new(space, hold, call);
            space.carry_out(effects);
            std::mem::forget(guard);
        }
        Some(Acquired::Queued(key)) => {
            let waiting = Waiting::new(space, key, call);
            space.carry_out(effects);
            std::mem::forget(waiting);
        }
        _ => space.carry_out(effects),
    }
}

/// A place in a queue. Dropped before it is answered, it is given up.
struct Waiting<'s> {
    space: &'s Shared,
    // The two parts of its `WaitKey`, so that the number of the request fits in beside the smaller one.
    /// `None` once the answer has been seen.
    ticket: Option<NonZeroU64>,
    slot: u32,
    call: Taped,
}

impl<'s> Waiting<'s> {
    #[inline]
    fn new(space: &'s Shared, key: WaitKey, call: Taped) -> Self {
        let WaitKey { ticket, slot } = key;
        Self { space, ticket: Some(ticket), slot, call }
    }

    /// Tells recorders of it.
    #[inline]
    fn note(&self) {
        self.space.tape().queued(self.call, || self.ticket.map_or(0, NonZeroU64::get));
    }

    #[inline(always)]
    fn key(&self) -> Option<WaitKey> {
        self.ticket.map(|ticket| WaitKey { ticket, slot: self.slot })
    }

    #[inline(always)]
    fn poll(&mut self, waker: &Waker) -> Poll<Acquired> {
        let key = self.key().expect("polled after it was answered");
        // Without the shard's lock, and without effects.
        if let Some(hold) = self.space.engine().take_post(key) {
            self.ticket = None;
            return Poll::Ready(Acquired::Granted(hold));
        }
        let mut effects = Effects::default();
        let answer = self.space.engine().poll_wait(key, waker, &mut effects);
        let answered = match &answer {
            Poll::Pending => None,
            // Before anybody's waker is called, which may panic: the key is spent.
            Poll::Ready(answer) => {
                self.ticket = None;
                Some(answer)
            }
        };
        carry_out(self.space, &mut effects, || answered.cloned(), self.call);
        answer
    }

    fn cancel(&self, key: WaitKey) {
        let call = self.space.tape().invoke(|| record::cancel(self.call));
        match self.space.engine().exit_of_wait(key).leave(key) {
            Ok(waker) => drop(waker),
            Err(exit) => self.cancel_at(exit, key),
        }
        self.space.tape().returned(call, record::cancelled);
    }

    /// There is more to it.
    #[inline(never)]
    fn cancel_at(&self, exit: Exit<'_>, key: WaitKey) {
        self.space.act(|_, effects| exit.cancel(key, effects));
    }

    /// The wait timeout has ended; the next poll is ready.
    fn give_up(&self) {
        if let Some(key) = self.key() {
            self.space.act(|engine, effects| engine.give_up(key, effects));
        }
    }
}

impl Drop for Waiting<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(key) = self.key() {
            self.cancel(key);
        }
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("key", &self.key()).finish_non_exhaustive()
    }
}
