//! The witness: fencing tokens say in which order a name was granted, tickets in which order requests
//! queued, so no order has to be searched for. One sweep over the grants of each name, whatever its length.
//!
//! What it finds is certain. What it does not look at (whether a refusal was deserved, which of several
//! waiters left the queue when) is the search's part: a history that passes here is not yet accepted.
//!
//! Each call happened somewhere between its two events, so everything is argued from bounds: a hold
//! *may have ended* from some event on, and a grant *was given* by some event. A hold that cannot have
//! ended by the time its successor was given overlaps with it.

use std::collections::HashMap;
use std::sync::Arc;

use lockspace_spec::history::{CallId, Done, Return, Ticket};
use lockspace_spec::{FencingToken, Lease, Loss};

use crate::calls::{Calls, Finding, Kind, Row};

/// No event: never.
const NEVER: usize = usize::MAX;

/// Judges every name; answers what is wrong. `tickets`: whether whoever queued has one.
pub(crate) fn check(calls: &Calls, tickets: bool) -> Result<(), Finding> {
    let mut names: Vec<Name<'_>> = calls.names.iter().map(|_| Name::default()).collect();
    for row in &calls.rows {
        let Some(name) = row.name.map(|name| &mut names[name as usize]) else { continue };
        match row.kind {
            Kind::Acquire(..) => name.acquires.push(row),
            Kind::ForceRelease => name.forced(row),
            _ => {}
        }
    }
    let findings = names.iter().zip(&calls.names).flat_map(|(name, text)| {
        let named = |finding| Finding { name: Some(Arc::clone(text)), ..finding };
        name.findings(calls, tickets).map(named)
    });
    match findings.min_by_key(|finding| finding.event) {
        Some(finding) => Err(finding),
        None => Ok(()),
    }
}

/// What concerns one name, in the order of invocation.
#[derive(Default)]
struct Name<'a> {
    acquires: Vec<&'a Row>,
    /// The forced releases that say which hold they ended.
    forced_tokens: HashMap<FencingToken, &'a Row>,
    /// Those that may have ended any.
    forced_any: Vec<&'a Row>,
}

/// A grant that somebody saw.
struct Grant<'a> {
    row: &'a Row,
    token: FencingToken,
    /// The event by which it was given.
    by: usize,
    /// The event from which on it may have ended; [`NEVER`].
    ends_from: usize,
}

impl<'a> Name<'a> {
    fn forced(&mut self, force: &'a Row) {
        match force.returned {
            Some((_, Return::NotDone(_))) => {}
            Some((_, Return::Done(Done::Released(Some(token))))) => {
                self.forced_tokens.insert(token, force);
            }
            _ => self.forced_any.push(force),
        }
    }

    fn findings(&self, calls: &Calls, tickets: bool) -> impl Iterator<Item = Finding> + use<> {
        let grants = self.grants(calls);
        let found = [
            in_token_order(calls, &grants),
            queue_order(&grants),
            if tickets { newcomers(&grants) } else { None },
            self.ticket_order(),
            self.forgotten(calls),
        ];
        found.into_iter().flatten()
    }

    /// The grants, in the order of their tokens.
    fn grants(&self, calls: &Calls) -> Vec<Grant<'a>> {
        let grant = |row: &&'a Row| {
            let (token, by) = (row.token()?, row.granted_by()?);
            Some(Grant { row, token, by, ends_from: self.may_end_from(calls, row, token) })
        };
        let mut grants: Vec<Grant<'_>> = self.acquires.iter().filter_map(grant).collect();
        grants.sort_by_key(|grant| grant.token);
        grants
    }

    /// From which event on the hold of an acquire may have ended.
    fn may_end_from(&self, calls: &Calls, row: &Row, token: FencingToken) -> usize {
        let invoked = |call: Option<u32>| call.map_or(NEVER, |call| calls.row(call).invoke);
        let forced = || {
            let could = |force: &&&Row| force.returned.is_none_or(|(by, _)| by > row.invoke);
            let any = || self.forced_any.iter().find(could).copied();
            let force = self.forced_tokens.get(&token).copied().or_else(any);
            force.map_or(NEVER, |force| force.invoke)
        };
        let revoked = || invoked(calls.shutdowns.first().copied());
        let elapsed = if is_leased(row) { row.invoke } else { NEVER };
        let hold = &row.hold;
        match (hold.released, hold.lost) {
            (Some(_), _) => invoked(hold.released),
            (None, Some((_, Loss::LeaseElapsed))) => elapsed,
            (None, Some((_, Loss::Forced))) => forced(),
            (None, Some((_, Loss::Shutdown))) => revoked(),
            (None, None) => invoked(hold.releasing).min(elapsed).min(forced()).min(revoked()),
        }
    }

    /// Tickets agree with the times of queueing, and none is drawn twice.
    fn ticket_order(&self) -> Option<Finding> {
        let ticketed = |row: &&'a Row| Some((row.process, row.hold.queued?.1, *row));
        let mut rows: Vec<_> = self.acquires.iter().filter_map(ticketed).collect();
        rows.sort_by_key(|(process, ticket, _)| (*process, *ticket));
        // Of those of the process with a smaller ticket, the one that was made last.
        let mut youngest: Option<&Row> = None;
        let mut before: Option<(u64, Ticket)> = None;
        for (process, ticket, row) in rows {
            let by = row.hold.queued?.0;
            if before == Some((process, ticket)) {
                return Some(finding(by, "S3", row, "queued with a ticket that was drawn before"));
            }
            if before.is_some_and(|(other, _)| other != process) {
                youngest = None;
            }
            before = Some((process, ticket));
            match youngest {
                Some(other) if other.invoke > by => {
                    let what = format!("queued behind call {}, which was made later", id(other));
                    return Some(finding(other.hold.queued?.0, "S3", row, &what));
                }
                Some(other) if other.invoke > row.invoke => {}
                _ => youngest = Some(row),
            }
        }
        None
    }

    /// At rest, whoever waits must wait for somebody.
    fn forgotten(&self, calls: &Calls) -> Option<Finding> {
        let rest = calls.rest?;
        let waits = |row: &Row| row.returned.is_none() && row.hold.cancel.is_none();
        let withdrawn = |cancel: u32| calls.row(cancel).is_answered();
        let may_hold = |row: &Row| {
            let hold = &row.hold;
            let kept = hold.released.is_none() && hold.lost.is_none() && hold.not_held.is_none();
            (row.granted_by().is_some() && kept)
                || row.is_unknown()
                || !hold.cancel.is_none_or(withdrawn)
        };
        let forgotten = self.acquires.iter().find(|row| waits(row))?;
        let free = !self.acquires.iter().any(|row| may_hold(row));
        free.then(|| {
            finding(rest, "S7", forgotten, "still waits at rest, and nobody holds the name")
        })
    }
}

/// Holds follow each other in the order of tokens, and none is given after shutdown has begun.
fn in_token_order(calls: &Calls, grants: &[Grant<'_>]) -> Option<Finding> {
    let begun_by = calls.begun_by.unwrap_or(NEVER);
    let (mut youngest, mut lasting): (Option<&Grant<'_>>, Option<&Grant<'_>>) = (None, None);
    let mut found = None;
    for grant in grants {
        let mut note = |event: usize, property, what: String| {
            if found.as_ref().is_none_or(|earlier: &Finding| event < earlier.event) {
                found = Some(finding(event, property, grant.row, &what));
            }
        };
        let token = grant.token;
        if let Some(earlier) = youngest.filter(|earlier| earlier.row.invoke > grant.by) {
            let what = format!(
                "was granted token {token} before call {} was made, whose token {} is smaller",
                id(earlier.row),
                earlier.token
            );
            note(earlier.by, "S2", what);
        } else if let Some(holder) = lasting.filter(|holder| holder.ends_from > grant.by) {
            let (property, how) = overlap(calls, holder, grant);
            note(how.0.max(holder.by).max(grant.by), property, how.1);
        } else if grant.row.invoke > begun_by {
            note(grant.by, "S9", format!("was granted token {token} after shutdown began"));
        } else if let Some(holder) = lasting.filter(|holder| holder.ends_from > begun_by) {
            let what = format!(
                "was granted token {token} after shutdown began: call {} held until then",
                id(holder.row)
            );
            note(grant.by.max(begun_by).max(holder.by), "S9", what);
        }
        if youngest.is_none_or(|other| other.row.invoke < grant.row.invoke) {
            youngest = Some(grant);
        }
        if lasting.is_none_or(|other| other.ends_from < grant.ends_from) {
            lasting = Some(grant);
        }
    }
    found
}

/// How to say that a hold lasted into the next one: by which event it is certain, and why.
fn overlap(calls: &Calls, holder: &Grant<'_>, next: &Grant<'_>) -> (&'static str, (usize, String)) {
    let who = format!("call {} with token {}", id(holder.row), holder.token);
    let granted = format!("was granted token {} although {who} held the name", next.token);
    let hold = &holder.row.hold;
    let released = hold.released.and_then(|release| calls.row(release).returned);
    match (released, hold.lost) {
        (Some((by, _)), _) if is_leased(holder.row) => {
            ("S8", (by, format!("{granted}, and its release was accepted later")))
        }
        (Some((by, _)), _) => ("S1", (by, format!("{granted} and released it later"))),
        (None, Some((told, _))) => ("S1", (told, granted)),
        (None, None) => ("S1", (0, granted)),
    }
}

/// Whoever queued first is granted first.
fn queue_order(grants: &[Grant<'_>]) -> Option<Finding> {
    let mut last: Vec<(u64, Ticket, &Grant<'_>)> = Vec::new();
    for grant in grants {
        let Some((_, ticket)) = grant.row.hold.queued else { continue };
        match last.iter_mut().find(|(process, ..)| *process == grant.row.process) {
            Some((_, later, other)) if *later > ticket => {
                let what = format!("was overtaken in the queue by call {}", id(other.row));
                return Some(finding(grant.by.max(other.by), "S3", grant.row, &what));
            }
            Some(known) => (known.1, known.2) = (ticket, grant),
            None => last.push((grant.row.process, ticket, grant)),
        }
    }
    None
}

/// Nobody who comes while another waits is granted at once.
fn newcomers(grants: &[Grant<'_>]) -> Option<Finding> {
    // Of the grants with a greater token, in each process the one that had queued first.
    let mut waiting: Vec<(u64, usize, &Grant<'_>)> = Vec::new();
    for grant in grants.iter().rev() {
        let process = grant.row.process;
        let known = waiting.iter_mut().find(|(other, ..)| *other == process);
        match (grant.row.hold.queued, known) {
            (None, Some((_, queued, waiter))) if *queued < grant.row.invoke => {
                let what = format!("was granted at once and overtook call {}", id(waiter.row));
                return Some(finding(grant.by.max(waiter.by), "S3", grant.row, &what));
            }
            (Some((by, _)), Some(first)) if by < first.1 => *first = (process, by, grant),
            (Some((by, _)), None) => waiting.push((process, by, grant)),
            _ => {}
        }
    }
    None
}

fn is_leased(row: &Row) -> bool {
    matches!(row.kind, Kind::Acquire(_, Lease::Bounded))
}

fn id(row: &Row) -> u64 {
    let CallId(id) = row.id;
    id
}

fn finding(event: usize, property: &'static str, row: &Row, what: &str) -> Finding {
    let reason = format!("call {} {what}", id(row));
    Finding { event, property: Some(property), name: None, reason }
}
