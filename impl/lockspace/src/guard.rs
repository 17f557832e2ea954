//! Guards: the proof of a hold, in the hands of the holder.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lockspace_spec::FencingToken;

use crate::engine::{Exit, HoldKey, Released};
use crate::error::{Loss, LostHold, RenewError};
use crate::name::LockName;
use crate::record::{self, Taped};
use crate::space::Shared;
use crate::sync::Arc;

/// Proof that a name is held; dropping it releases the name.
///
/// A guard borrows its lockspace. [`into_owned`](Self::into_owned) makes it independent, to be stored or
/// sent away. It may be dropped anywhere, also outside of any runtime: a release never blocks for longer
/// than a short critical section, and never awaits.
///
/// # Guarantees
/// While the hold is current nobody else holds the name (S1), and its
/// [`fencing_token`](Self::fencing_token) is greater than those of all earlier holds of the name (S2). A
/// hold may end before its guard is dropped, if its lease ends, an operator forces it or a shutdown's
/// grace ends; the guard then [is told](Self::lost), and whatever it still does changes nothing (S8).
///
/// # Over a store
/// A hold may also end with its session. And one that somebody
/// [forces](crate::LockSpace::force_release_everywhere) in another process ends in the store first: its
/// guard is told by the next sweep, within [`sweep_every`](crate::store::Options::sweep_every) (by default
/// the ttl) and three calls. Until then the guard does not know, somebody else may hold the name, and only
/// the token protects what both work on.
///
/// # Panics
/// A panic while a guard is held releases it, as any drop does. There is no poisoning: whether what the
/// lock protects is still in order is for its owner to know.
#[must_use = "the name is released as soon as the guard is dropped"]
// In this order a `Result` of it is read as it was written: a pair takes 31 ns, and not 37.
#[repr(C)]
pub struct Guard<'a> {
    // The two parts of its `HoldKey`, so that the number of the request fits in beside the smaller one.
    token: FencingToken,
    entry: u32,
    request: Taped,
    /// `None` once released.
    space: Option<Handle<'a>>,
}

enum Handle<'a> {
    Borrowed(&'a Shared),
    Owned(Arc<Shared>),
}

impl std::ops::Deref for Handle<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        match self {
            Self::Borrowed(space) => space,
            Self::Owned(space) => space,
        }
    }
}

impl<'a> Guard<'a> {
    pub(crate) fn new(space: &'a Shared, hold: HoldKey, request: Taped) -> Self {
        let HoldKey { token, entry } = hold;
        Self { space: Some(Handle::Borrowed(space)), token, entry, request }
    }

    fn hold(&self) -> HoldKey {
        HoldKey { token: self.token, entry: self.entry }
    }

    fn space(&self) -> &Shared {
        self.space
            .as_ref()
            .expect("only release and drop take the handle, and both consume the guard")
    }

    /// The name that this guard holds, or held.
    ///
    /// Looks it up in the lockspace, which costs about as much as a release.
    #[must_use]
    pub fn name(&self) -> LockName {
        self.space().engine().name_of(self.hold())
    }

    /// The number of this grant, greater than that of every earlier grant of the name (S2) in this
    /// lockspace; over a store, in the life of its data. No two grants have the same, but the tokens of
    /// different names say nothing about which came first.
    ///
    /// Send it along with everything that you write to what the lock protects, and have the resource
    /// refuse a token smaller than the greatest it has seen: a lock alone cannot stop a holder that was
    /// overtaken and does not know it yet.
    ///
    /// Tokens of a lockspace in memory begin anew with the process, and those of two processes cannot be
    /// compared. A resource that outlives the process needs tokens from a store, or a number of its own
    /// before the token, greater with each start: compare `(start, token)`.
    #[must_use]
    pub fn fencing_token(&self) -> FencingToken {
        self.token
    }

    /// Starts the lease again: it ends `lease` from now. A hold without a lease has nothing to prolong,
    /// and stays without one.
    ///
    /// # Errors
    /// [`RenewError::Lost`] if the hold has ended: a renewal never brings one back (S8).
    /// [`RenewError::ZeroLease`] if `lease` is zero.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.acquire("invoice/42").lease(Duration::from_secs(10)).await.unwrap();
    /// tokio::time::sleep(Duration::from_secs(8)).await;
    /// guard.renew(Duration::from_secs(10)).unwrap();
    /// tokio::time::sleep(Duration::from_secs(8)).await;
    /// assert!(!guard.is_lost());
    /// tokio::time::sleep(Duration::from_secs(3)).await;
    /// assert!(guard.is_lost());
    /// # }
    /// ```
    pub fn renew(&self, lease: Duration) -> Result<(), RenewError> {
        if lease.is_zero() {
            return Err(RenewError::ZeroLease { name: self.name() });
        }
        let space = self.space();
        let call = space.tape().invoke(|| record::renew(self.request));
        let hold = self.hold();
        let renewed = space.act(|engine, effects| engine.renew(hold, lease, effects));
        space.tape().returned(call, || record::renewed(&renewed));
        renewed.map_err(|(name, reason)| self.lost_hold(name, reason).into())
    }

    /// Whether the hold has ended although this guard exists.
    ///
    /// `false` says that the hold was current at some moment during the call, and nothing of any moment
    /// after it. To be safe against what happens in between, use the
    /// [fencing token](Self::fencing_token).
    ///
    /// Over a store it says what this process knows, and asks nobody: `false` says that the session trusted
    /// itself at some moment during the call, and that no forced release had been noticed. A forced release
    /// elsewhere is noticed [later](Self#over-a-store).
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap();
    /// assert!(!guard.is_lost());
    /// space.force_release("invoice/42").unwrap();
    /// assert!(guard.is_lost());
    /// ```
    #[must_use]
    pub fn is_lost(&self) -> bool {
        !self.space().engine().is_held(self.hold())
    }

    /// Waits until the hold is lost; for ever, if it never is.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind and loses nothing: a later call tells of the same loss.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lockspace::{LockSpace, Loss};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let space = LockSpace::new();
    /// let guard = space.acquire("invoice/42").lease(Duration::from_secs(10)).await.unwrap();
    /// tokio::select! {
    ///     lost = guard.lost() => assert_eq!(lost.reason, Loss::LeaseElapsed),
    ///     () = tokio::time::sleep(Duration::from_secs(60)) => unreachable!("the work was too long"),
    /// }
    /// # }
    /// ```
    pub fn lost(&self) -> LostFuture<'_> {
        LostFuture { ended: EndFuture::new(self.space(), self.hold()), request: self.request }
    }

    /// Releases the name, and says whether it was still held, as far as this process knew.
    ///
    /// Dropping the guard does the same and keeps silent.
    ///
    /// # Guarantees
    /// The next waiter holds the name in the same step (S7). A hold that was lost stays lost, and its
    /// successor is not disturbed (S8).
    ///
    /// Over a store it answers before the store has heard of it, which takes one call more. Until then
    /// whoever asks elsewhere without waiting may be told `Busy`, and who waits is granted it by that call.
    /// If the process dies before, the name stays until its session is [dead](crate::store::Options::ttl).
    /// `Ok` says that no loss was known here: a hold that was forced elsewhere may have ended
    /// [before](Self#over-a-store).
    ///
    /// # Errors
    /// [`LostHold`] if the hold had ended before: what was done under it may have run beside a
    /// successor's work.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap();
    /// assert!(guard.release().is_ok());
    ///
    /// let overtaken = space.try_acquire("invoice/42").unwrap();
    /// space.force_release("invoice/42").unwrap();
    /// let lost = overtaken.release().unwrap_err();
    /// assert_eq!(lost.name.as_str(), "invoice/42");
    /// ```
    pub fn release(mut self) -> Result<(), LostHold> {
        // Taken before: whatever panics meanwhile, the guard's drop does not release once more.
        let space = self.space.take();
        match space.as_deref().map(|space| self.end(space)) {
            Some(Released::Lost(lost)) => Err(self.lost_hold(lost.name, lost.why)),
            Some(Released::Released) | None => Ok(()),
        }
    }

    /// The same hold in a guard that keeps its lockspace alive by itself.
    ///
    /// From here on the hold is no task's and no thread's: nobody is suspected of waiting for itself on its
    /// account (see [`detect_self_wait`](crate::Builder::detect_self_wait)). An owner that was
    /// [named](crate::Acquire::owner) stays its owner.
    ///
    /// ```
    /// let space = lockspace::LockSpace::new();
    /// let guard = space.try_acquire("invoice/42").unwrap().into_owned();
    /// drop(space); // The guard keeps what it needs.
    /// let elsewhere = std::thread::spawn(move || guard.release().is_ok());
    /// assert!(elsewhere.join().unwrap());
    /// ```
    #[must_use = "the name is released as soon as the guard is dropped"]
    pub fn into_owned(mut self) -> Guard<'static> {
        let space = match self.space.take() {
            Some(Handle::Borrowed(space)) => space.handle(),
            Some(Handle::Owned(space)) => space,
            None => {
                unreachable!("only release and drop take the handle, and both consume the guard")
            }
        };
        space.disown(self.hold());
        let Self { token, entry, request, .. } = self;
        Guard { space: Some(Handle::Owned(space)), token, entry, request }
    }

    #[inline]
    fn end(&self, space: &Shared) -> Released {
        let call = space.tape().invoke(|| record::release(self.request));
        let hold = self.hold();
        match space.engine().exit_of_hold(hold).give_back(hold) {
            Ok(None) => {}
            Ok(Some(waker)) => waker.wake(),
            Err(exit) => return self.end_at(exit, space, call),
        }
        space.tape().returned(call, || record::released(&Released::Released));
        Released::Released
    }

    /// There is more to it.
    #[inline(never)]
    fn end_at(&self, exit: Exit<'_>, space: &Shared, call: Taped) -> Released {
        let released = space.act(|_, effects| exit.release(self.hold(), effects));
        space.tape().returned(call, || record::released(&released));
        released
    }

    fn lost_hold(&self, name: LockName, reason: Loss) -> LostHold {
        LostHold { name, token: self.token, reason }
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(space) = &self.space {
            let _ = self.end(space);
        }
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("token", &self.token.0).finish_non_exhaustive()
    }
}

/// Waits for the loss of a hold. See [`Guard::lost`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct LostFuture<'a> {
    ended: EndFuture<'a>,
    request: Taped,
}

impl Future for LostFuture<'_> {
    type Output = LostHold;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LostHold> {
        std::task::ready!(Pin::new(&mut self.ended).poll(cx));
        let EndFuture { space, hold, .. } = self.ended;
        let (name, reason) =
            space.engine().loss_of(hold).expect("a hold that ends while its guard lives is lost");
        space.tape().lost(self.request, reason);
        Poll::Ready(LostHold { name, token: hold.token, reason })
    }
}

/// Waits for the end of a hold, whoever's it is and however it ends.
pub(crate) struct EndFuture<'a> {
    space: &'a Shared,
    hold: HoldKey,
    /// Set once it is watching.
    id: Option<u64>,
}

impl<'a> EndFuture<'a> {
    pub(crate) fn new(space: &'a Shared, hold: HoldKey) -> Self {
        Self { space, hold, id: None }
    }
}

impl Future for EndFuture<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { space, hold, id } = &mut *self;
        space.act(|engine, effects| engine.poll_ended(*hold, id, cx.waker(), effects))
    }
}

impl Drop for EndFuture<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.space.act(|engine, effects| engine.forget_watcher(self.hold, id, effects));
        }
    }
}

impl fmt::Debug for EndFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndFuture").field("token", &self.hold.token.0).finish_non_exhaustive()
    }
}
