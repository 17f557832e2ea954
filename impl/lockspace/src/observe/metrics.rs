//! Metrics: a recorder that counts and measures what it is told.
//!
//! What this file must not do: register, count, measure or drop a series while one of its own locks is held.
//! All of that is the exporter's code, which may come back into the lockspace. What is remembered is put in
//! order first, since that code may also panic.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use lockspace_spec::Loss;
use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Recorder, Return, What};

use super::series::{self, Gauges, Series};
use super::sharded::{Sharded, remove};
use crate::space::LockSpace;
use crate::sync::{Arc, Mutex};

/// How many classes there may be; names of any further one are counted as [`OTHER`].
const MOST_CLASSES: usize = 100;

/// The class of names whose own class would be one too many.
const OTHER: &str = "other";

/// Counters, histograms and gauges of a lockspace, through the facade [`metrics`].
///
/// Install the exporter first, then make this: series belong to the exporter that is there when they are
/// registered.
///
/// Names are not labels, since there is no limit to their number. Each falls into a class, which is a
/// label: all into `all`, unless there is a [classifier](Self::classify).
///
/// No lock is held while the exporter or the classifier is asked, so they may use the lockspace too. What
/// they do there is counted as well: they must see to it that this has an end.
///
/// ```
/// use std::sync::Arc;
/// use lockspace::{LockSpace, observe::Metrics};
///
/// // Whichever exporter the service has; this one only answers what it was told.
/// let exporter = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().unwrap();
///
/// // `invoice/42` is counted as `invoice`.
/// let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
/// let metrics = Arc::new(Metrics::new("billing").classify(kind));
/// let space = LockSpace::builder().recorder(metrics.clone()).build();
/// let _guard = space.try_acquire("invoice/42").unwrap();
///
/// // Where the service is scraped.
/// metrics.publish(&space);
/// let page = exporter.render();
/// assert!(page.contains(r#"lockspace_acquires_total{lockspace="billing",class="invoice"} 1"#));
/// assert!(page.contains(r#"lockspace_held{lockspace="billing"} 1"#));
/// ```
pub struct Metrics {
    lockspace: Cow<'static, str>,
    classify: Box<Classify>,
    /// None: its series are being registered.
    classes: Mutex<HashMap<Class, Option<Arc<Series>>>>,
    gauges: Gauges,
    /// Calls that have not ended, and acquires whose holds have not.
    calls: Sharded<CallId, Open>,
    /// The names that somebody waits for.
    queues: Sharded<Arc<str>, Queue>,
}

type Class = Cow<'static, str>;

/// The class of a name.
type Classify = dyn Fn(&str) -> Class + Send + Sync;

/// What is remembered of a call.
enum Open {
    Request(Request),
    About { request: CallId, begun: u64, what: About },
    Force { name: Arc<str> },
}

/// An acquire, until it is refused or its hold has ended.
struct Request {
    name: Arc<str>,
    series: Arc<Series>,
    stage: Stage,
}

enum Stage {
    Asked { at: u64, queued: bool },
    Held { since: u64, told_of_loss: bool },
}

/// A call about an acquire.
#[derive(Clone, Copy)]
enum About {
    Cancel,
    Release,
    Renew,
}

/// A name that somebody waits for.
#[derive(Default)]
struct Queue {
    waiters: usize,
    /// Which call last set out to free the name, and when, until somebody has it again.
    freed: Option<(CallId, u64)>,
}

impl Metrics {
    /// Metrics with this text as their label `lockspace`.
    ///
    /// It describes the metrics to the exporter, and registers the gauges.
    pub fn new(lockspace: impl Into<Cow<'static, str>>) -> Self {
        let lockspace = lockspace.into();
        series::describe();
        Self {
            gauges: Gauges::new(&lockspace),
            lockspace,
            classify: Box::new(|_| Cow::Borrowed("all")),
            classes: Mutex::new(HashMap::new()),
            calls: Sharded::new(),
            queues: Sharded::new(),
        }
    }

    /// Which class a name falls into: the label `class`. It is asked once for each acquire, and must be
    /// quick and not panic.
    ///
    /// There should be few classes. After the first hundred, names of any other count as `other`.
    #[must_use]
    pub fn classify<C: Into<Cow<'static, str>>>(
        mut self,
        classify: impl Fn(&str) -> C + Send + Sync + 'static,
    ) -> Self {
        self.classify = Box::new(move |name| classify(name).into());
        self
    }

    /// Sets the gauges to what `space` holds now. To be called where the service is scraped; it looks into
    /// each shard for an instant.
    pub fn publish(&self, space: &LockSpace) {
        let census = space.shared().engine().census();
        self.gauges.held.set(census.held as f64);
        self.gauges.waiters.set(census.waiters as f64);
        self.gauges.timers.set(census.timers as f64);
        if let Some(session) = space.shared().session() {
            Gauges::set_session(&self.lockspace, &session);
        }
    }

    /// How much is remembered: calls, and names that somebody waits for.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.calls.len(), self.queues.len())
    }

    fn series_of(&self, name: &str) -> Arc<Series> {
        let class = (self.classify)(name);
        self.registered(class).unwrap_or_else(|class| {
            // Several may register the same series at once. They are the same, and the first are kept.
            let new = Arc::new(Series::new(&self.lockspace, &class));
            let mut classes = self.classes.lock();
            Arc::clone(classes.entry(class).or_default().get_or_insert_with(|| Arc::clone(&new)))
        })
    }

    /// The series of a class that has them; or else the class, which has its place among the hundred then.
    fn registered(&self, mut class: Class) -> Result<Arc<Series>, Class> {
        let mut classes = self.classes.lock();
        if classes.len() >= MOST_CLASSES && !classes.contains_key(&class) {
            class = Cow::Borrowed(OTHER);
        }
        match classes.entry(class.clone()).or_default() {
            Some(series) => Ok(Arc::clone(series)),
            None => Err(class),
        }
    }
}

impl Recorder for Metrics {
    fn record(&self, event: Event) {
        match event.what {
            What::Invoke(id, call) => self.invoked(id, event.at, call),
            What::Queued(id, _) => self.queued(id),
            What::Return(id, how) => self.returned(id, event.at, how),
            What::Lost(id, why) => self.lost(id, why),
            What::Closed | What::Rest => {}
        }
    }

    fn record_seen(&self, seen: Event, _told: Option<Event>) {
        self.record(seen);
    }
}

/// What is told.
impl Metrics {
    fn invoked(&self, id: CallId, begun: u64, call: Call) {
        let about = |request, what| Open::About { request, begun, what };
        let open = match call {
            Call::Acquire { name, .. } => {
                let stage = Stage::Asked { at: begun, queued: false };
                Open::Request(Request { series: self.series_of(&name), name, stage })
            }
            Call::Cancel { request } => about(request, About::Cancel),
            Call::Renew { request } => about(request, About::Renew),
            Call::Release { request } => {
                if let Some(name) = self.name_held_by(request) {
                    self.freeing(&name, id, begun);
                }
                about(request, About::Release)
            }
            Call::ForceRelease { name } => {
                self.freeing(&name, id, begun);
                Open::Force { name }
            }
            Call::Shutdown { .. } => return,
        };
        self.calls.insert(id, open);
    }

    fn queued(&self, id: CallId) {
        let queued = self.with(id, |request| {
            if let Stage::Asked { queued, .. } = &mut request.stage {
                *queued = true;
            }
            (Arc::clone(&request.name), Arc::clone(&request.series))
        });
        if let Some((name, series)) = queued {
            self.queues.shard(&name).entry(Arc::clone(&name)).or_default().waiters += 1;
            series.contended.increment(1);
        }
    }

    fn returned(&self, id: CallId, at: u64, how: Return) {
        match self.calls.remove(&id) {
            Some(Open::Request(request)) => self.answered(id, request, at, how),
            Some(Open::About { request, what: About::Cancel, .. }) => self.cancelled(request, at),
            Some(Open::About { request, what: About::Renew, .. }) => self.renewed(request, how),
            Some(Open::About { request, begun, what: About::Release }) => {
                self.released(id, request, begun, how);
            }
            Some(Open::Force { name }) => match how {
                Return::Done(_) => self.series_of(&name).forced.increment(1),
                Return::NotDone(_) | Return::Unknown => self.not_freed(&name, id),
            },
            None => {}
        }
    }

    /// A holder is told of its loss. It may be told again; it is one loss.
    fn lost(&self, request: CallId, why: Loss) {
        if let Some(series) = self.with(request, Request::note_loss).flatten() {
            series.lost(why);
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

/// How calls end.
impl Metrics {
    fn answered(&self, id: CallId, mut request: Request, at: u64, how: Return) {
        let freed = self.waits_no_more(&request, at, Some(how));
        match how {
            Return::Done(Done::Granted(_)) => {
                request.series.acquires.increment(1);
                if let Some(freed) = freed {
                    request.series.handoff.record(seconds(freed, at));
                }
                request.stage = Stage::Held { since: at, told_of_loss: false };
                self.calls.insert(id, Open::Request(request));
            }
            Return::NotDone(why) => request.series.refused(why),
            Return::Done(_) | Return::Unknown => {}
        }
    }

    fn cancelled(&self, request: CallId, at: u64) {
        if let Some(Open::Request(request)) = self.calls.remove(&request) {
            self.waits_no_more(&request, at, None);
            request.series.cancelled.increment(1);
        }
    }

    fn renewed(&self, request: CallId, how: Return) {
        match how {
            Return::Done(_) => {
                if let Some(series) = self.with(request, |request| Arc::clone(&request.series)) {
                    series.renewals.increment(1);
                }
            }
            Return::NotDone(NotDone::Lost(why)) => self.lost(request, why),
            Return::NotDone(_) | Return::Unknown => {}
        }
    }

    fn released(&self, id: CallId, request: CallId, begun: u64, how: Return) {
        let Some(Open::Request(mut request)) = self.calls.remove(&request) else {
            return;
        };
        match (how, &request.stage) {
            (Return::Done(_), Stage::Held { since, .. }) => {
                request.series.hold.record(seconds(*since, begun));
            }
            (Return::NotDone(NotDone::Lost(why)), _) => {
                self.not_freed(&request.name, id);
                if let Some(series) = request.note_loss() {
                    series.lost(why);
                }
            }
            _ => {}
        }
    }
}

/// Queues.
impl Metrics {
    /// A request has its answer, or is dropped without. If it had queued its wait is measured; and if it
    /// is granted, this says since when the name was on its way.
    fn waits_no_more(&self, request: &Request, at: u64, answer: Option<Return>) -> Option<u64> {
        let Stage::Asked { at: asked, queued: true } = request.stage else {
            return None;
        };
        let granted = matches!(answer, Some(Return::Done(_)));
        let freed = self.leaves_queue(&request.name, granted);
        request.series.waited(seconds(asked, at), answer);
        freed
    }

    /// One waits no more for this name. If it is granted, this says since when the name was on its way.
    fn leaves_queue(&self, name: &Arc<str>, granted: bool) -> Option<u64> {
        let mut shard = self.queues.shard(name);
        let queue = shard.get_mut(name)?;
        queue.waiters -= 1;
        let freed = if granted { queue.freed.take() } else { None };
        if queue.waiters == 0 {
            remove(&mut shard, name);
        }
        freed.map(|(_, when)| when)
    }

    fn name_held_by(&self, request: CallId) -> Option<Arc<str>> {
        match self.calls.shard(&request).get(&request)? {
            Open::Request(Request {
                name, stage: Stage::Held { told_of_loss: false, .. }, ..
            }) => Some(Arc::clone(name)),
            _ => None,
        }
    }

    /// Somebody sets out to free a name. Noted before it is done: the next may have it at once.
    fn freeing(&self, name: &Arc<str>, by: CallId, at: u64) {
        if let Some(queue) = self.queues.shard(name).get_mut(name) {
            queue.freed = Some((by, at));
        }
    }

    /// And did not.
    fn not_freed(&self, name: &Arc<str>, by: CallId) {
        if let Some(queue) = self.queues.shard(name).get_mut(name) {
            queue.freed.take_if(|(call, _)| *call == by);
        }
    }
}

impl Request {
    /// Where the loss of this hold is to be counted, if it was not.
    fn note_loss(&mut self) -> Option<Arc<Series>> {
        match &mut self.stage {
            Stage::Held { told_of_loss: told @ false, .. } => *told = true,
            _ => return None,
        }
        Some(Arc::clone(&self.series))
    }
}

fn seconds(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64()
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("lockspace", &self.lockspace).finish_non_exhaustive()
    }
}
