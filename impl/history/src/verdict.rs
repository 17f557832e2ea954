//! The verdict: all judges asked, and a rejection explained by the shortest history that deserves it.
//!
//! If a history is legal then so is every beginning of it. So a rejected history has a longest legal
//! beginning; halving finds it, and the event after it is the one to look at.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use lockspace_spec::history::{Call, CallId, Event, What};

use crate::calls::{Calls, Finding};
use crate::format;
use crate::history::{Header, History};
use crate::{search, witness};

/// How much the search may try for each name before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most configurations (a state of the name and what is still open) that are looked at.
    pub configurations: u64,
}

impl Default for Budget {
    /// Enough for histories of many threads, and spent within seconds.
    fn default() -> Self {
        Self { configurations: 2_000_000 }
    }
}

/// What the judges say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The specification allows it.
    Accepted(Summary),
    /// The specification does not allow it.
    Rejected(Box<Rejection>),
    /// Nobody knows: the budget was spent first. Not a pass.
    Undecided(Undecided),
}

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many events.
    pub events: usize,
    /// How many calls.
    pub calls: usize,
    /// How many names.
    pub names: usize,
    /// How many acquires were granted.
    pub grants: usize,
    /// How many requests had to queue, as far as it was recorded.
    pub queued: usize,
    /// How many configurations the search looked at.
    pub configurations: u64,
}

/// Why a history is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The ID of the property that is broken, where it is known; otherwise an answer is simply not the
    /// one that the specification gives.
    pub property: Option<&'static str>,
    /// The name of the lock, where it is about one.
    pub name: Option<Arc<str>>,
    /// How many events, in order of time, are a legal history; as far as the budget allowed to see.
    pub legal_prefix: usize,
    /// The event after them, as the file has it.
    pub event: String,
    /// Its line.
    pub line: usize,
    /// What is wrong, in plain words.
    pub reason: String,
}

/// Why nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undecided {
    /// The names for which the budget was spent.
    pub names: Vec<Arc<str>>,
    /// What was judged otherwise.
    pub summary: Summary,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(property) = self.property {
            write!(f, "{property}: ")?;
        }
        if let Some(name) = &self.name {
            write!(f, "{name:?}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Judges a history by everything that the specification says.
pub fn judge(history: &History, budget: Budget) -> Verdict {
    verdict(history, Some(budget))
}

/// Judges a history by its tokens and tickets alone: in a moment however long it is, and less strictly.
/// What is accepted here may still be rejected by [`judge`].
pub fn judge_by_witness(history: &History) -> Verdict {
    verdict(history, None)
}

fn verdict(history: &History, budget: Option<Budget>) -> Verdict {
    match trial(&history.header, &history.events, budget) {
        Ok((summary, undecided)) if undecided.is_empty() => Verdict::Accepted(summary),
        Ok((summary, names)) => Verdict::Undecided(Undecided { names, summary }),
        Err(finding) => Verdict::Rejected(Box::new(explain(history, finding, budget))),
    }
}

/// Asks one judge after the other; answers what was judged, and the names that are undecided.
fn trial(
    header: &Header,
    events: &[Event],
    budget: Option<Budget>,
) -> Result<(Summary, Vec<Arc<str>>), Finding> {
    let calls = Calls::of(events)?;
    witness::check(&calls, header.tickets)?;
    let mut summary = Summary {
        events: events.len(),
        calls: calls.rows.len(),
        names: calls.names.len(),
        grants: calls.rows.iter().filter(|row| row.granted_by().is_some()).count(),
        queued: calls.rows.iter().filter(|row| row.hold.queued.is_some()).count(),
        configurations: 0,
    };
    let mut undecided = Vec::new();
    if let Some(budget) = budget {
        for (name, found) in search::search(&calls, header, budget) {
            match found? {
                search::Found::Legal { configurations } => summary.configurations += configurations,
                search::Found::Unknown => undecided.push(name),
            }
        }
    }
    Ok((summary, undecided))
}

/// Finds the shortest beginning that is rejected, and says why it is.
fn explain(history: &History, finding: Finding, budget: Option<Budget>) -> Rejection {
    let all = || (0..history.events.len()).collect::<Vec<usize>>();
    // One name's events are fewer, and mostly enough: not if the name of another lock has its token.
    let about = finding.name.as_ref().map_or_else(all, |name| events_about(history, name));
    let rejected = |places: &[usize]| {
        let events: Vec<Event> = places.iter().map(|at| history.events[*at].clone()).collect();
        trial(&history.header, &events, budget).err()
    };
    let (places, finding) = match rejected(&about) {
        Some(narrower) => (about, narrower),
        None => (all(), finding),
    };
    let (mut legal, mut too_long, mut reason) = (0, places.len(), finding);
    while too_long - legal > 1 {
        let middle = legal + (too_long - legal) / 2;
        match rejected(&places[..middle]) {
            Some(finding) => (too_long, reason) = (middle, finding),
            None => legal = middle,
        }
    }
    let event = places[too_long - 1];
    Rejection {
        property: reason.property,
        name: reason.name,
        legal_prefix: event,
        event: format::write_event(&history.events[event]),
        line: history.lines[event],
        reason: reason.reason,
    }
}

/// The events of one name, and those that concern all.
fn events_about(history: &History, name: &str) -> Vec<usize> {
    let mut elsewhere: HashSet<CallId> = HashSet::new();
    let mut keep = |what: &What| match what {
        What::Invoke(id, Call::Acquire { name: its, .. } | Call::ForceRelease { name: its }) => {
            &**its == name || !elsewhere.insert(*id)
        }
        What::Invoke(
            id,
            Call::Cancel { request } | Call::Release { request } | Call::Renew { request },
        ) => !elsewhere.contains(request) || !elsewhere.insert(*id),
        What::Queued(id, _) | What::Lost(id, _) => !elsewhere.contains(id),
        What::Return(id, _) => !elsewhere.contains(id),
        What::Invoke(_, Call::Shutdown { .. }) | What::Closed | What::Rest => true,
    };
    let events = history.events.iter().enumerate();
    events.filter(|(_, event)| keep(&event.what)).map(|(at, _)| at).collect()
}
