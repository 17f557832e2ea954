//! The table of calls: events that belong together, in one row. While it is laid out it finds what is
//! wrong whatever the order of moments was: a call answered twice, a hold ended twice, a token used twice.
//!
//! Here and in the judges, a moment is an event's place in the history.

use std::collections::HashMap;
use std::sync::Arc;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Return, Ticket, What};
use lockspace_spec::{FencingToken, Grace, Lease, Loss, Refusal, Wait};

/// Why a history is rejected.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// By which event it is certain.
    pub(crate) event: usize,
    /// The property that is broken, if it has a name.
    pub(crate) property: Option<&'static str>,
    /// The name that it is about, if it is one.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) reason: String,
}

/// All calls, names and what concerns every name.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) rows: Vec<Row>,
    pub(crate) names: Vec<Arc<str>>,
    /// The row that each event is about, if it is about one.
    pub(crate) row_of: Vec<Option<u32>>,
    pub(crate) shutdowns: Vec<u32>,
    /// The first event that shows that a shutdown had begun.
    pub(crate) begun_by: Option<usize>,
    pub(crate) closed: Vec<usize>,
    pub(crate) rest: Option<usize>,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: CallId,
    pub(crate) process: u64,
    pub(crate) kind: Kind,
    /// The name that it is about; `None` for a shutdown.
    pub(crate) name: Option<u32>,
    /// The acquire that it is about: itself, if it is one. Not meant for the others.
    pub(crate) request: u32,
    pub(crate) invoke: usize,
    pub(crate) returned: Option<(usize, Return)>,
    pub(crate) hold: Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Acquire(Wait, Lease),
    Cancel,
    Release,
    Renew,
    ForceRelease,
    Shutdown(Grace),
}

/// What becomes of an acquire beside its answer.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) queued: Option<(usize, Ticket)>,
    pub(crate) cancel: Option<u32>,
    /// The first release that was tried.
    pub(crate) releasing: Option<u32>,
    /// The release that was answered `Released`.
    pub(crate) released: Option<u32>,
    /// What its holder was told of its loss, and when first.
    pub(crate) lost: Option<(usize, Loss)>,
    /// When its holder was first told that it holds nothing, without a reason.
    pub(crate) not_held: Option<usize>,
    /// The last event about it.
    pub(crate) last: usize,
}

impl Row {
    /// The token of the grant, if the call was granted one.
    pub(crate) fn token(&self) -> Option<FencingToken> {
        match self.returned {
            Some((_, Return::Done(Done::Granted(token)))) => token,
            _ => None,
        }
    }

    /// When the caller knew that it was granted, if it was.
    pub(crate) fn granted_by(&self) -> Option<usize> {
        match self.returned {
            Some((event, Return::Done(Done::Granted(_)))) => Some(event),
            _ => None,
        }
    }

    /// Whether its caller knows what became of it.
    pub(crate) fn is_answered(&self) -> bool {
        self.returned.is_some() && !self.is_unknown()
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.returned, Some((_, Return::Unknown)))
    }
}

impl Calls {
    /// Lays out the events of a history, whose references are known to be sound.
    pub(crate) fn of(events: &[Event]) -> Result<Self, Finding> {
        let mut layout = Layout::default();
        for (index, event) in events.iter().enumerate() {
            layout.take(index, event)?;
        }
        Ok(layout.calls)
    }

    pub(crate) fn row(&self, index: u32) -> &Row {
        &self.rows[index as usize]
    }
}

#[derive(Default)]
struct Layout {
    calls: Calls,
    by_id: HashMap<CallId, u32>,
    names: HashMap<Arc<str>, u32>,
    tokens: HashMap<FencingToken, CallId>,
}

impl Layout {
    fn take(&mut self, index: usize, event: &Event) -> Result<(), Finding> {
        let row = match &event.what {
            What::Invoke(id, call) => Some(self.invoke(index, event.process, *id, call)?),
            What::Queued(id, ticket) => Some(self.queued(index, *id, *ticket)?),
            What::Return(id, answer) => Some(self.returned(index, *id, *answer)?),
            What::Lost(id, why) => {
                let request = self.by_id[id];
                self.lost(index, request, *why)?;
                Some(request)
            }
            What::Closed => {
                self.begun(index);
                self.calls.closed.push(index);
                None
            }
            What::Rest => {
                self.rest(index)?;
                None
            }
        };
        if let Some(row) = row {
            let request = self.calls.row(row).request as usize;
            self.calls.rows[request].hold.last = index;
        }
        self.calls.row_of.push(row);
        Ok(())
    }

    fn invoke(
        &mut self,
        index: usize,
        process: u64,
        id: CallId,
        call: &Call,
    ) -> Result<u32, Finding> {
        let row = self.calls.rows.len() as u32;
        let own = row;
        let (kind, name, request) = match call {
            Call::Acquire { name, wait, lease } => {
                (Kind::Acquire(*wait, *lease), Some(self.name(name)), own)
            }
            Call::ForceRelease { name } => (Kind::ForceRelease, Some(self.name(name)), own),
            Call::Shutdown { grace } => (Kind::Shutdown(*grace), None, own),
            Call::Cancel { request } => self.about(Kind::Cancel, *request),
            Call::Release { request } => self.about(Kind::Release, *request),
            Call::Renew { request } => self.about(Kind::Renew, *request),
        };
        let (returned, hold) = (None, Hold::default());
        let new = Row { id, process, kind, name, request, invoke: index, returned, hold };
        self.calls.rows.push(new);
        self.by_id.insert(id, row);
        match kind {
            Kind::Cancel => self.cancelled(index, request, row)?,
            Kind::Release => {
                self.calls.rows[request as usize].hold.releasing.get_or_insert(row);
            }
            Kind::Shutdown(_) => self.calls.shutdowns.push(row),
            _ => {}
        }
        Ok(row)
    }

    fn about(&self, kind: Kind, request: CallId) -> (Kind, Option<u32>, u32) {
        let request = self.by_id[&request];
        (kind, self.calls.row(request).name, request)
    }

    fn name(&mut self, name: &Arc<str>) -> u32 {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let new = self.calls.names.len() as u32;
        self.names.insert(Arc::clone(name), new);
        self.calls.names.push(Arc::clone(name));
        new
    }

    fn queued(&mut self, index: usize, id: CallId, ticket: Ticket) -> Result<u32, Finding> {
        let row = self.by_id[&id];
        let acquire = self.calls.row(row);
        if acquire.hold.queued.is_some() || acquire.returned.is_some() {
            return Err(self.finding(index, "S4", row, "queues again, or after its answer"));
        }
        self.calls.rows[row as usize].hold.queued = Some((index, ticket));
        Ok(row)
    }

    fn cancelled(&mut self, index: usize, request: u32, cancel: u32) -> Result<(), Finding> {
        let acquire = self.calls.row(request);
        let answered = matches!(acquire.returned, Some((_, answer)) if answer != Return::Unknown);
        if answered || acquire.hold.cancel.is_some() {
            return Err(self.finding(index, "S4", request, "is cancelled after it was answered"));
        }
        self.calls.rows[request as usize].hold.cancel = Some(cancel);
        Ok(())
    }

    fn returned(&mut self, index: usize, id: CallId, answer: Return) -> Result<u32, Finding> {
        let row = self.by_id[&id];
        let call = self.calls.row(row);
        let request = call.request;
        if call.returned.is_some() || (call.hold.cancel.is_some() && answer != Return::Unknown) {
            return Err(self.finding(index, "S4", row, "is answered twice"));
        }
        self.calls.rows[row as usize].returned = Some((index, answer));
        match answer {
            Return::Done(Done::Granted(Some(token))) => self.granted(index, row, token)?,
            // A forced release is about no request: what is noted of its own row, nobody asks for.
            Return::Done(Done::Released(_)) => self.released(index, request, row)?,
            Return::NotDone(NotDone::Lost(why)) => self.lost(index, request, why)?,
            Return::NotDone(NotDone::NotHeld) => {
                self.calls.rows[request as usize].hold.not_held.get_or_insert(index);
            }
            Return::NotDone(NotDone::Refused(Refusal::ShuttingDown))
            | Return::Done(Done::Began) => {
                self.begun(index);
            }
            _ => {}
        }
        Ok(row)
    }

    fn granted(&mut self, index: usize, row: u32, token: FencingToken) -> Result<(), Finding> {
        let id = self.calls.row(row).id;
        match self.tokens.insert(token, id) {
            None => Ok(()),
            Some(CallId(other)) => {
                let what =
                    format!("is granted token {token}, which call {other} was granted before");
                Err(self.finding(index, "S2", row, &what))
            }
        }
    }

    fn released(&mut self, index: usize, request: u32, release: u32) -> Result<(), Finding> {
        let hold = &self.calls.row(request).hold;
        if hold.released.is_some() {
            return Err(self.finding(index, "S4", request, "is released twice"));
        }
        let begun = self.calls.row(release).invoke;
        if hold.lost.is_some() || hold.not_held.is_some_and(|told| told < begun) {
            let what = "is released after its holder was told that it holds nothing";
            return Err(self.finding(index, "S8", request, what));
        }
        self.calls.rows[request as usize].hold.released = Some(release);
        Ok(())
    }

    fn lost(&mut self, index: usize, request: u32, why: Loss) -> Result<(), Finding> {
        if why == Loss::Shutdown {
            self.begun(index);
        }
        let hold = &self.calls.row(request).hold;
        if hold.released.is_some() || hold.lost.is_some_and(|(_, other)| other != why) {
            return Err(self.finding(index, "S4", request, "ends a second time, lost"));
        }
        self.calls.rows[request as usize].hold.lost.get_or_insert((index, why));
        Ok(())
    }

    /// Only a request that waits is still without an answer.
    fn rest(&mut self, index: usize) -> Result<(), Finding> {
        self.calls.rest = Some(index);
        let unanswered =
            |row: &Row| row.returned.is_none() && !matches!(row.kind, Kind::Acquire(..));
        match self.calls.rows.iter().position(unanswered) {
            None => Ok(()),
            Some(row) => Err(self.finding(index, "S4", row as u32, "was never answered")),
        }
    }

    fn begun(&mut self, index: usize) {
        self.calls.begun_by.get_or_insert(index);
    }

    fn finding(&self, event: usize, property: &'static str, row: u32, what: &str) -> Finding {
        let row = self.calls.row(row);
        let reason = format!("call {} {what}", row.id.0);
        let name = row.name.map(|name| Arc::clone(&self.calls.names[name as usize]));
        Finding { event, property: Some(property), name, reason }
    }
}
