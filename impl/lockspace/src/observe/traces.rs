//! Traces: an observer that makes a span of every acquire and of every hold, and warns of long holds.
//!
//! What this file must not do: make, clone, record, close or tell anything of a span while a shard of its own
//! is locked. All of that is the subscriber's code, which may come back into the lockspace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Return, What};
use lockspace_spec::{FencingToken, Loss, Refusal};
use tracing::Span;
use tracing::field::Empty;

use super::sharded::Sharded;
use crate::clock::Stopwatch;
use crate::record::{Observer, Place, Said};
use crate::runtime;
use crate::sync::Arc;

/// Spans and warnings of a lockspace, through the facade [`tracing`], with the target `lockspace`.
///
/// A span `acquire` lasts from the asking to the answer, a span `hold` from the grant to the release; both
/// are of the level `DEBUG`. A hold that is lost, or that lasts for [longer](Self::warn_after) than it
/// should, is told as a `WARN`, and that an operator took a name away as an `INFO`. One of these belongs to
/// one lockspace.
///
/// No lock is held while the subscriber is told, so it may use the lockspace too. What it does there is told
/// as well: it must see to it that this has an end.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use lockspace::{LockSpace, observe::Traces};
///
/// let traces = Arc::new(Traces::new("billing").warn_after(Duration::from_secs(60)));
/// let space = LockSpace::builder().traces(traces.clone()).build();
/// let _guard = space.try_acquire("invoice/42").unwrap();
///
/// // Where something is done regularly, such as answering a probe:
/// assert_eq!(traces.look(), 0, "nothing is held for too long");
/// let place = space.snapshot().names[0].holder.acquired_at.unwrap();
/// assert!(place.line() > 0);
/// ```
pub struct Traces {
    lockspace: Cow<'static, str>,
    warn_after: Option<Duration>,
    /// Calls that have not ended, and acquires whose holds have not.
    calls: Sharded<CallId, Open>,
}

/// What is remembered of a call.
enum Open {
    Request(Request),
    /// A cancel, release or renewal of that acquire.
    About(CallId, About),
    /// An operator's order to take this name away.
    Force(Arc<str>),
}

#[derive(Clone, Copy)]
enum About {
    Cancel,
    Release,
    Renew,
}

/// An acquire, until it is refused or its hold has ended.
struct Request {
    name: Arc<str>,
    label: Option<Arc<str>>,
    place: Option<Place>,
    /// Of the acquire, and then of the hold. Shared, since even cloning a span is the subscriber's code.
    span: Arc<Span>,
    /// Since it was asked, and then since it was granted.
    since: Stopwatch,
    held: Option<Held>,
}

struct Held {
    token: Option<FencingToken>,
    warned: bool,
    told_of_loss: bool,
}

impl Traces {
    /// Traces with this text as their field `lockspace`.
    pub fn new(lockspace: impl Into<Cow<'static, str>>) -> Self {
        Self { lockspace: lockspace.into(), warn_after: None, calls: Sharded::new() }
    }

    /// Warns of each hold that lasts for longer, once: at its release, or before, if somebody
    /// [looks](Self::look) or [watches](Self::watch).
    #[must_use]
    pub fn warn_after(mut self, limit: Duration) -> Self {
        self.warn_after = Some(limit);
        self
    }

    /// Warns of holds that have by now lasted for longer than they should, and were not warned of. Answers
    /// how many there were.
    ///
    /// It looks at every hold, so it is for once in a while. There is no timer for each hold: most end in
    /// time, and would pay for the few that do not.
    pub fn look(&self) -> usize {
        let Some(limit) = self.warn_after else {
            return 0;
        };
        let mut warnings = Vec::new();
        self.calls.for_each(|open| {
            if let Open::Request(request) = open {
                warnings.extend(request.overdue(limit));
            }
        });
        // With no lock held: what follows is the subscriber's code.
        warnings.iter().for_each(|warning| warning.tell(limit));
        warnings.len()
    }

    /// [Looks](Self::look) again and again, for ever: to be spawned, and aborted in the end.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    ///
    /// # Panics
    /// Outside of a tokio runtime with timers.
    pub async fn watch(&self, every: Duration) {
        loop {
            runtime::sleep(Some(every)).await;
            self.look();
        }
    }

    /// How many calls are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.calls.len()
    }
}

impl Observer for Traces {
    fn see(&self, event: Event, said: Said<'_>) {
        match event.what {
            What::Invoke(id, call) => self.invoked(id, call, said),
            What::Queued(id, _) => self.queued(id),
            What::Return(id, how) => self.returned(id, how),
            What::Lost(id, why) => self.lost(id, why),
            What::Closed | What::Rest => {}
        }
    }

    fn places(&self, into: &mut HashMap<FencingToken, Place>) {
        self.calls.for_each(|open| {
            if let Open::Request(Request { place: Some(place), held: Some(held), .. }) = open {
                into.extend(held.token.map(|token| (token, *place)));
            }
        });
    }
}

/// What is told.
impl Traces {
    fn invoked(&self, id: CallId, call: Call, said: Said<'_>) {
        let open = match call {
            Call::Acquire { name, .. } => Open::Request(self.asked(name, said)),
            Call::Cancel { request } => Open::About(request, About::Cancel),
            Call::Release { request } => Open::About(request, About::Release),
            Call::Renew { request } => Open::About(request, About::Renew),
            Call::ForceRelease { name } => Open::Force(name),
            Call::Shutdown { .. } => return,
        };
        self.calls.insert(id, open);
    }

    fn asked(&self, name: Arc<str>, Said { label, place }: Said<'_>) -> Request {
        let span = tracing::debug_span!(
            target: "lockspace",
            "acquire",
            lockspace = %self.lockspace,
            name = %name,
            label,
            at = place.map(display),
            queued = Empty,
            outcome = Empty,
            token = Empty,
            wait_seconds = Empty,
        );
        let (label, span) = (label.map(Arc::from), Arc::new(span));
        Request { name, label, place, span, since: Stopwatch::start(), held: None }
    }

    fn queued(&self, id: CallId) {
        if let Some(span) = self.with(id, |request| Arc::clone(&request.span)) {
            span.record("queued", true);
        }
    }

    fn returned(&self, id: CallId, how: Return) {
        match self.calls.remove(&id) {
            Some(Open::Request(request)) => self.answered(id, request, how),
            Some(Open::About(request, About::Cancel)) => {
                if let Some(Open::Request(request)) = self.calls.remove(&request) {
                    request.span.record("outcome", "cancelled");
                    request.span.record("wait_seconds", request.seconds());
                }
            }
            Some(Open::About(request, About::Renew)) => {
                if let Return::NotDone(NotDone::Lost(why)) = how {
                    self.lost(request, why);
                }
            }
            Some(Open::About(id, About::Release)) => self.released(id, how),
            Some(Open::Force(name)) => {
                if let Return::Done(Done::Released(token)) = how {
                    let (lockspace, token) = (&self.lockspace, token.map(|token| token.0));
                    tracing::info!(
                        target: "lockspace",
                        lockspace = %lockspace,
                        name = %name,
                        token,
                        "a name was taken from its holder"
                    );
                }
            }
            None => {}
        }
    }

    fn answered(&self, id: CallId, mut request: Request, how: Return) {
        request.span.record("outcome", outcome(how));
        request.span.record("wait_seconds", request.seconds());
        let Return::Done(Done::Granted(token)) = how else {
            return;
        };
        let number = token.map(|token| token.0);
        request.span.record("token", number);
        let hold = tracing::debug_span!(
            target: "lockspace",
            "hold",
            lockspace = %self.lockspace,
            name = %request.name,
            label = request.label.as_deref(),
            at = request.place.map(display),
            token = number,
            outcome = Empty,
        );
        hold.follows_from(&*request.span);
        request.span = Arc::new(hold);
        request.since = Stopwatch::start();
        request.held = Some(Held { token, warned: false, told_of_loss: false });
        self.calls.insert(id, Open::Request(request));
    }

    fn released(&self, id: CallId, how: Return) {
        // Forgotten first: the subscriber may panic.
        let Some(Open::Request(mut request)) = self.calls.remove(&id) else {
            return;
        };
        if let Return::NotDone(NotDone::Lost(why)) = how {
            if let Some(warning) = request.note_loss() {
                warning.tell_of_loss(why);
            }
        }
        if let Some(limit) = self.warn_after {
            if let Some(warning) = request.overdue(limit) {
                warning.tell(limit);
            }
        }
        if let Return::Done(_) = how {
            request.span.record("outcome", "released");
        }
    }

    /// A holder is told of its loss. It may be told again; it is one loss.
    fn lost(&self, id: CallId, why: Loss) {
        if let Some(warning) = self.with(id, Request::note_loss).flatten() {
            warning.tell_of_loss(why);
        }
    }

    /// What `look` says of an acquire, whose shard is locked meanwhile.
    fn with<T>(&self, id: CallId, look: impl FnOnce(&mut Request) -> T) -> Option<T> {
        match self.calls.shard(&id).get_mut(&id) {
            Some(Open::Request(request)) => Some(look(request)),
            _ => None,
        }
    }
}

/// What a warning says of a hold.
struct Warning {
    span: Arc<Span>,
    name: Arc<str>,
    label: Option<Arc<str>>,
    place: Option<Place>,
    token: Option<u64>,
    held_seconds: f64,
}

impl Warning {
    fn tell(&self, limit: Duration) {
        let Self { span, name, label, place, token, held_seconds } = self;
        tracing::warn!(
            target: "lockspace",
            parent: &**span,
            name = %name,
            token,
            label = label.as_deref(),
            at = place.map(display),
            held_seconds,
            limit_seconds = limit.as_secs_f64(),
            "a name is held for longer than it should be"
        );
    }

    fn tell_of_loss(&self, why: Loss) {
        let Self { span, name, label, place, token, .. } = self;
        span.record("outcome", loss(why));
        tracing::warn!(
            target: "lockspace",
            parent: &**span,
            name = %name,
            token,
            label = label.as_deref(),
            at = place.map(display),
            reason = loss(why),
            "a hold was lost"
        );
    }
}

impl Request {
    fn seconds(&self) -> f64 {
        Duration::from_nanos(self.since.nanoseconds()).as_secs_f64()
    }

    fn warning(&self) -> Warning {
        Warning {
            span: Arc::clone(&self.span),
            name: Arc::clone(&self.name),
            label: self.label.clone(),
            place: self.place,
            token: self.held.as_ref().and_then(|held| held.token).map(|token| token.0),
            held_seconds: self.seconds(),
        }
    }

    /// What to say of the loss of this hold, if it was not told.
    fn note_loss(&mut self) -> Option<Warning> {
        match &mut self.held {
            Some(Held { told_of_loss: told @ false, .. }) => *told = true,
            _ => return None,
        }
        Some(self.warning())
    }

    /// The warning that this hold lasts for too long, if it does and was not warned of.
    fn overdue(&mut self, limit: Duration) -> Option<Warning> {
        let overdue = self.seconds() > limit.as_secs_f64();
        let held = self.held.as_mut()?;
        if !overdue || held.warned || held.told_of_loss {
            return None;
        }
        held.warned = true;
        Some(self.warning())
    }
}

fn outcome(how: Return) -> &'static str {
    match how {
        Return::Done(_) => "granted",
        Return::NotDone(NotDone::Refused(refusal)) => match refusal {
            Refusal::Busy => "busy",
            Refusal::TimedOut => "timed_out",
            Refusal::ShuttingDown => "shutting_down",
            Refusal::AtCapacity => "at_capacity",
        },
        Return::NotDone(_) => "ruled_out",
        Return::Unknown => "unknown",
    }
}

fn loss(why: Loss) -> &'static str {
    match why {
        Loss::LeaseElapsed => "lease_elapsed",
        Loss::Forced => "forced",
        Loss::Shutdown => "shutdown",
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("lockspace", &self.lockspace)
            .field("warn_after", &self.warn_after)
            .finish_non_exhaustive()
    }
}
