//! Recording: what users ask and are told, for a [`Recorder`] that somebody has set.
//!
//! Without one, an operation pays a branch that always goes the same way. With one, each operation is
//! told in one place: a call is invoked before the engine is asked and returned after it has answered,
//! with no lock held. See the package `lockspace-history` for writing histories down and judging them.
//!
//! Over a store a process sees only its own part of what happens: who is told that a name is somebody else's
//! cannot show by whom. So there a history says less, or says it otherwise, than users were told
//! ([`told_over_a_store`], [`Answer`]), and nothing that cannot be judged by it.
//!
//! What this file must not do: change what an operation does.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Recorder, Return, Ticket, What};
use lockspace_spec::{FencingToken, Grace, Lease, Refusal, Wait};

use crate::clock::{Limit, Stopwatch};
use crate::engine::{Acquired, Released};
use crate::error::Loss;
use crate::name::LockName;
use crate::sync::{Arc, AtomicUsize, Ordering};

/// Where in the code something was asked.
pub(crate) type Place = &'static Location<'static>;

/// What an acquire says of itself beyond what belongs to a history.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only traces look at it"))]
pub(crate) struct Said<'a> {
    pub(crate) label: Option<&'a str>,
    pub(crate) place: Option<Place>,
}

/// A [`Recorder`] that is told a little more.
pub(crate) trait Observer: Send + Sync {
    fn see(&self, event: Event, said: Said<'_>);

    /// The same, where a history has it otherwise, or not at all.
    fn see_otherwise(&self, seen: Event, _told: Option<Event>) {
        self.see(seen, Said::default());
    }

    /// Where the holds that it knows of were acquired.
    fn places(&self, _into: &mut HashMap<FencingToken, Place>) {}
}

/// A recorder of somebody else, who is told what a history keeps.
pub(crate) struct Outsider(pub(crate) Arc<dyn Recorder>);

impl Observer for Outsider {
    fn see(&self, event: Event, _: Said<'_>) {
        self.0.record(event);
    }

    fn see_otherwise(&self, seen: Event, told: Option<Event>) {
        self.0.record_seen(seen, told);
    }
}

/// Where the events of a lockspace go: nowhere, unless recorders were set.
pub(crate) struct Tape(Option<Box<Running>>);

struct Running {
    observers: Vec<Arc<dyn Observer>>,
    stopwatch: Stopwatch,
    process: u64,
    over_a_store: bool,
    /// The number of the latest call. A plain counter that orders nothing, so relaxed.
    calls: AtomicUsize,
}

/// Which call is being recorded; [`OFF`](Self::OFF) where none is. Guards and futures carry one about,
/// so it is kept small: after four billion calls the numbers begin anew. A history should be shorter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taped(u32);

impl Taped {
    /// Of no call: nothing is recorded.
    pub(crate) const OFF: Self = Self(0);

    fn id(self) -> CallId {
        CallId(u64::from(self.0))
    }
}

impl Tape {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>, over_a_store: bool) -> Self {
        if observers.is_empty() {
            return Self(None);
        }
        Self(Some(Box::new(Running {
            observers,
            stopwatch: Stopwatch::start(),
            process: u64::from(std::process::id()),
            over_a_store,
            calls: AtomicUsize::new(0),
        })))
    }

    /// A call is about to begin.
    #[inline]
    pub(crate) fn invoke(&self, call: impl FnOnce() -> Call) -> Taped {
        self.asked(call, Said::default)
    }

    /// An acquire is about to begin. Always inlined: with traces there is more to say, and a call for that is
    /// paid by those who have none.
    #[inline(always)]
    pub(crate) fn asked<'a>(
        &self,
        call: impl FnOnce() -> Call,
        said: impl FnOnce() -> Said<'a>,
    ) -> Taped {
        match &self.0 {
            None => Taped::OFF,
            Some(running) => running.invoke(call, said),
        }
    }

    /// Where the current holds were acquired, as far as anybody has noted it.
    pub(crate) fn places(&self) -> HashMap<FencingToken, Place> {
        let mut places = HashMap::new();
        if let Some(running) = &self.0 {
            running.observers.iter().for_each(|observer| observer.places(&mut places));
        }
        places
    }

    /// Whether anything is recorded.
    #[inline(always)]
    pub(crate) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// A call has ended.
    #[inline(always)]
    pub(crate) fn returned<A: Into<Answer>>(&self, call: Taped, how: impl FnOnce() -> A) {
        if let Some(running) = &self.0 {
            running.returned(call.id(), how);
        }
    }

    /// An acquire stands in the queue, with this ticket.
    #[inline]
    pub(crate) fn queued(&self, call: Taped, ticket: impl FnOnce() -> u64) {
        if let Some(running) = &self.0 {
            let queued = What::Queued(call.id(), Ticket(ticket()));
            // The queue is that of this process, which is not the queue of the name.
            let told = (!running.over_a_store).then(|| queued.clone());
            running.tell_otherwise(queued, told);
        }
    }

    /// A holder is told that its hold is lost.
    #[inline]
    pub(crate) fn lost(&self, request: Taped, why: Loss) {
        if let Some(running) = &self.0 {
            let lost = |why| What::Lost(request.id(), why);
            running.tell_otherwise(lost(as_counted(why)), Some(lost(why.into())));
        }
    }

    /// Somebody is told that the lockspace is closed.
    #[inline]
    pub(crate) fn closed(&self) {
        if let Some(running) = &self.0 {
            running.tell(What::Closed);
        }
    }
}

impl Running {
    // What there is to say is put together in these, and not where they are called: nobody need step over it.
    #[cold]
    fn invoke<'a>(&self, call: impl FnOnce() -> Call, said: impl FnOnce() -> Said<'a>) -> Taped {
        let taped = Taped((self.calls.fetch_add(1, Ordering::Relaxed) as u32).wrapping_add(1));
        self.tell_all(What::Invoke(taped.id(), call()), said());
        taped
    }

    #[cold]
    fn returned<A: Into<Answer>>(&self, call: CallId, how: impl FnOnce() -> A) {
        let Answer { seen, told } = how().into();
        let told = if self.over_a_store { told_over_a_store(told) } else { told };
        self.tell_otherwise(What::Return(call, seen), Some(What::Return(call, told)));
    }

    #[cold]
    fn tell(&self, what: What) {
        self.tell_all(what, Said::default());
    }

    fn tell_otherwise(&self, seen: What, told: Option<What>) {
        if told.as_ref() == Some(&seen) {
            return self.tell(seen);
        }
        let seen = self.event(seen);
        for observer in &self.observers {
            let told = told.clone().map(|what| Event { what, ..seen });
            observer.see_otherwise(seen.clone(), told);
        }
    }

    fn event(&self, what: What) -> Event {
        Event { at: self.stopwatch.nanoseconds(), process: self.process, what }
    }

    fn tell_all(&self, what: What, said: Said<'_>) {
        let event = self.event(what);
        let (last, others) = self.observers.split_last().expect("a tape runs for somebody");
        others.iter().for_each(|observer| observer.see(event.clone(), said));
        last.see(event, said);
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "on" } else { "off" })
    }
}

// What a call asks and how it ended, in the words of a history.

/// How a call has ended.
pub(crate) struct Answer {
    /// What its caller was told, as near as the protocol has a word for it.
    seen: Return,
    /// What a history says.
    told: Return,
}

impl From<Return> for Answer {
    fn from(how: Return) -> Self {
        Self { seen: how, told: how }
    }
}

impl From<Loss> for Answer {
    fn from(why: Loss) -> Self {
        let lost = |why| Return::NotDone(NotDone::Lost(why));
        Self { seen: lost(as_counted(why)), told: lost(why.into()) }
    }
}

/// The word for a loss where losses are counted. An outage is nothing that whoever asked for too short a
/// lease could mend, so it counts as what comes from outside.
fn as_counted(why: Loss) -> lockspace_spec::Loss {
    match why {
        Loss::Session(_) | Loss::Unreadable => lockspace_spec::Loss::Forced,
        Loss::LeaseElapsed | Loss::Forced | Loss::Shutdown => why.into(),
    }
}

/// What a history of a lockspace over a store says in place of an answer that rests upon what it does not
/// show: who else holds or waits, and whether a hold of this process that is forced stands in the store yet.
fn told_over_a_store(how: Return) -> Return {
    match how {
        Return::NotDone(NotDone::Refused(
            Refusal::Busy | Refusal::TimedOut | Refusal::AtCapacity,
        )) => Return::NotDone(NotDone::RuledOut),
        // Only a forced release is answered so.
        Return::Done(Done::Released(Some(_))) | Return::NotDone(NotDone::NotHeld) => {
            Return::Unknown
        }
        how => how,
    }
}

pub(crate) fn acquire(name: &str, wait: Limit, lease: bool) -> Call {
    let wait = match wait {
        Limit::ZERO => Wait::No,
        Limit::NONE => Wait::Unbounded,
        _ => Wait::Bounded,
    };
    let lease = if lease { Lease::Bounded } else { Lease::Unbounded };
    Call::Acquire { name: name.into(), wait, lease }
}

pub(crate) fn acquired(acquired: &Acquired) -> Return {
    match acquired {
        Acquired::Granted(hold) => Return::Done(Done::Granted(Some(hold.token))),
        Acquired::Refused(refusal) => Return::NotDone(NotDone::Refused(*refusal)),
        Acquired::TimedOut(_) => Return::NotDone(NotDone::Refused(Refusal::TimedOut)),
        Acquired::Failed(_) => ruled_out(),
        Acquired::Queued(_) => unreachable!("a queued request has not been answered"),
    }
}

pub(crate) fn ruled_out() -> Return {
    Return::NotDone(NotDone::RuledOut)
}

pub(crate) fn cancel(request: Taped) -> Call {
    Call::Cancel { request: request.id() }
}

pub(crate) fn cancelled() -> Return {
    Return::Done(Done::Cancelled)
}

pub(crate) fn release(request: Taped) -> Call {
    Call::Release { request: request.id() }
}

pub(crate) fn released(released: &Released) -> Answer {
    match released {
        Released::Released => Return::Done(Done::Released(None)).into(),
        Released::Lost(lost) => lost.why.into(),
    }
}

pub(crate) fn renew(request: Taped) -> Call {
    Call::Renew { request: request.id() }
}

pub(crate) fn renewed(renewed: &Result<(), (LockName, Loss)>) -> Answer {
    match renewed {
        Ok(()) => Return::Done(Done::Renewed).into(),
        Err((_, why)) => (*why).into(),
    }
}

pub(crate) fn force_release(name: &str) -> Call {
    Call::ForceRelease { name: name.into() }
}

pub(crate) fn force_released(token: Option<FencingToken>) -> Return {
    match token {
        Some(_) => Return::Done(Done::Released(token)),
        None => Return::NotDone(NotDone::NotHeld),
    }
}

/// Whether and when a hold was ended is not known.
pub(crate) fn perhaps() -> Return {
    Return::Unknown
}

pub(crate) fn shutdown(grace: Duration) -> Call {
    let at_once = grace.is_zero();
    Call::Shutdown { grace: if at_once { Grace::No } else { Grace::Bounded } }
}

pub(crate) fn began() -> Return {
    Return::Done(Done::Began)
}
