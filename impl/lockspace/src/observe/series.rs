//! What is measured: every metric by name, and the series of one class of names.
//!
//! "Operating", in the documentation of lockspace, describes the same metrics; a test compares the two.

use lockspace_spec::history::{NotDone, Return};
use lockspace_spec::{Loss, Refusal};
use metrics::{Counter, Gauge, Histogram, Label, Unit};

use crate::health::{SessionHealth, SessionState};

const ACQUIRES: &str = "lockspace_acquires_total";
const CONTENDED: &str = "lockspace_contended_total";
const REFUSED: &str = "lockspace_refused_total";
const CANCELLED: &str = "lockspace_cancelled_total";
const LOST: &str = "lockspace_lost_total";
const RENEWALS: &str = "lockspace_renewals_total";
const FORCED: &str = "lockspace_forced_total";

const WAIT: &str = "lockspace_wait_seconds";
const HOLD: &str = "lockspace_hold_seconds";
const HANDOFF: &str = "lockspace_handoff_seconds";

const HELD: &str = "lockspace_held";
const WAITERS: &str = "lockspace_waiters";
const TIMERS: &str = "lockspace_timers";
const SESSIONS: &str = "lockspace_sessions";
const SILENCE: &str = "lockspace_session_silence_seconds";

/// Tells the exporter what the metrics mean.
pub(super) fn describe() {
    let counters = [
        (ACQUIRES, "Acquires that were granted."),
        (CONTENDED, "Acquires that had to queue."),
        (REFUSED, "Acquires that were refused, by reason."),
        (CANCELLED, "Acquires dropped before they had seen an answer."),
        (LOST, "Holds that ended although their holders did not release them, by reason."),
        (RENEWALS, "Leases that were started again."),
        (FORCED, "Holds that an operator ended."),
    ];
    for (name, meaning) in counters {
        metrics::describe_counter!(name, meaning);
    }
    let histograms = [
        (WAIT, "How long acquires that had to queue waited, by outcome."),
        (HOLD, "How long names were held until their holders released them."),
        (HANDOFF, "From a holder's release until the next in the queue had its grant."),
    ];
    for (name, meaning) in histograms {
        metrics::describe_histogram!(name, Unit::Seconds, meaning);
    }
    let gauges = [
        (HELD, "Names in use, each held by one holder."),
        (WAITERS, "Acquires in a queue."),
        (TIMERS, "Armed timers: bounded waits, leases, and the grace of a shutdown."),
        (SESSIONS, "Sessions whose holds may be relied upon: one or none."),
        (SILENCE, "How long ago the last keep-alive was sent that the store has answered."),
    ];
    for (name, meaning) in gauges {
        metrics::describe_gauge!(name, meaning);
    }
}

/// The series of one class of names.
pub(super) struct Series {
    pub(super) acquires: Counter,
    pub(super) contended: Counter,
    pub(super) cancelled: Counter,
    pub(super) renewals: Counter,
    pub(super) forced: Counter,
    pub(super) hold: Histogram,
    pub(super) handoff: Histogram,
    refused: Refused,
    lost: Lost,
    wait: Waits,
}

struct Refused {
    busy: Counter,
    timed_out: Counter,
    shutting_down: Counter,
    at_capacity: Counter,
    ruled_out: Counter,
}

struct Lost {
    lease_elapsed: Counter,
    forced: Counter,
    shutdown: Counter,
}

struct Waits {
    granted: Histogram,
    refused: Histogram,
    cancelled: Histogram,
}

impl Series {
    /// Registers all of them, so that each is there, and zero, before anything happens.
    pub(super) fn new(lockspace: &str, class: &str) -> Self {
        let labels = vec![
            Label::new("lockspace", lockspace.to_owned()),
            Label::new("class", class.to_owned()),
        ];
        let with = |key: &'static str, value: &'static str| {
            let mut labels = labels.clone();
            labels.push(Label::from_static_parts(key, value));
            labels
        };
        let counter = |name: &'static str| metrics::counter!(name, labels.clone());
        let refused = |reason| metrics::counter!(REFUSED, with("reason", reason));
        let lost = |reason| metrics::counter!(LOST, with("reason", reason));
        let wait = |outcome| metrics::histogram!(WAIT, with("outcome", outcome));
        Self {
            acquires: counter(ACQUIRES),
            contended: counter(CONTENDED),
            cancelled: counter(CANCELLED),
            renewals: counter(RENEWALS),
            forced: counter(FORCED),
            hold: metrics::histogram!(HOLD, labels.clone()),
            handoff: metrics::histogram!(HANDOFF, labels.clone()),
            refused: Refused {
                busy: refused("busy"),
                timed_out: refused("timed_out"),
                shutting_down: refused("shutting_down"),
                at_capacity: refused("at_capacity"),
                ruled_out: refused("ruled_out"),
            },
            lost: Lost {
                lease_elapsed: lost("lease_elapsed"),
                forced: lost("forced"),
                shutdown: lost("shutdown"),
            },
            wait: Waits {
                granted: wait("granted"),
                refused: wait("refused"),
                cancelled: wait("cancelled"),
            },
        }
    }

    pub(super) fn refused(&self, why: NotDone) {
        let Refused { busy, timed_out, shutting_down, at_capacity, ruled_out } = &self.refused;
        let counter = match why {
            NotDone::Refused(Refusal::Busy) => busy,
            NotDone::Refused(Refusal::TimedOut) => timed_out,
            NotDone::Refused(Refusal::ShuttingDown) => shutting_down,
            NotDone::Refused(Refusal::AtCapacity) => at_capacity,
            NotDone::RuledOut | NotDone::NotHeld | NotDone::Lost(_) => ruled_out,
        };
        counter.increment(1);
    }

    pub(super) fn lost(&self, why: Loss) {
        let counter = match why {
            Loss::LeaseElapsed => &self.lost.lease_elapsed,
            Loss::Forced => &self.lost.forced,
            Loss::Shutdown => &self.lost.shutdown,
        };
        counter.increment(1);
    }

    /// A request that had queued waits no more; without an answer if it was dropped.
    pub(super) fn waited(&self, seconds: f64, answer: Option<Return>) {
        let histogram = match answer {
            Some(Return::Done(_)) => &self.wait.granted,
            Some(Return::NotDone(_) | Return::Unknown) => &self.wait.refused,
            None => &self.wait.cancelled,
        };
        histogram.record(seconds);
    }
}

/// The gauges of a lockspace.
pub(super) struct Gauges {
    pub(super) held: Gauge,
    pub(super) waiters: Gauge,
    pub(super) timers: Gauge,
}

impl Gauges {
    pub(super) fn new(lockspace: &str) -> Self {
        let gauge = |name: &'static str| {
            metrics::gauge!(name, vec![Label::new("lockspace", lockspace.to_owned())])
        };
        Self { held: gauge(HELD), waiters: gauge(WAITERS), timers: gauge(TIMERS) }
    }

    /// Set only over a store: a lockspace of one process has no session that could be missing.
    pub(super) fn set_session(lockspace: &str, session: &SessionHealth) {
        let gauge = |name: &'static str| {
            metrics::gauge!(name, vec![Label::new("lockspace", lockspace.to_owned())])
        };
        gauge(SESSIONS).set(f64::from(u8::from(session.state != SessionState::Lost)));
        let silent_for = session.silent_for.unwrap_or_default();
        gauge(SILENCE).set(silent_for.as_secs_f64());
    }
}
