//! What concerns one name, laid out for the search: operations, which are to be put in order, and moments,
//! which come in the order in which they came.
//!
//! What is known of the future is written beside each operation (how it will be answered, what its hold
//! will end in), so that the search does not follow what cannot come true.

use lockspace_spec::history::{Done, NotDone, Return, Ticket};
use lockspace_spec::{FencingToken, Grace, Lease, Limits, Loss, Refusal, RequestId, Wait};

use crate::calls::{Calls, Kind, Row};
use crate::history::Header;

/// One name's part of a history.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    pub(super) moments: Vec<(usize, Moment)>,
    /// Acquires of which nobody knows what became, by the moment since which that is so.
    pub(super) unknown: Vec<(usize, u32)>,
    /// Acquires whose callers still hope for an answer when the history ends.
    pub(super) unanswered: Vec<u32>,
    /// How many request ids are in use at once.
    pub(super) slots: usize,
}

/// Something that takes effect at one moment.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) act: Act,
    /// The number of its call, for telling.
    pub(super) call: u64,
    /// The acquire that it is about, as an operation.
    pub(super) request: u32,
    /// How it is answered, if that is known.
    pub(super) answer: Option<Return>,
    /// The moment at which it may happen at the earliest.
    pub(super) since: usize,
    pub(super) acquire: Acquire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Not a matter of the protocol.
    Nothing,
    Acquire(Wait, Lease),
    Cancel,
    Release,
    Renew,
    ForceRelease,
    /// A shutdown; without grace it is two, which begin and revoke, as names are gone through twice.
    Shutdown(Grace),
}

/// What is known of an acquire; of no meaning for the others.
#[derive(Debug)]
pub(super) struct Acquire {
    /// The request id under which the specification knows it.
    pub(super) slot: RequestId,
    pub(super) fate: Fate,
    pub(super) end: End,
    /// What it drew as it queued, and in which process, if it says that it queued.
    pub(super) ticket: Option<(u64, Ticket)>,
    pub(super) token: Option<FencingToken>,
    /// The acquire with the ticket before: it queues first.
    pub(super) queues_after: Option<u32>,
    /// The acquire with the token before: it is granted first.
    pub(super) granted_after: Option<u32>,
    /// The last event about it.
    pub(super) last: usize,
    /// Whether it is over with that event.
    pub(super) settled: bool,
}

/// How an acquire will be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Granted,
    Refused(Refusal),
    /// Its caller will not wait for the answer.
    Cancelled,
    Open,
}

/// How a hold will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Released,
    Lost(Loss),
    Open,
}

/// Something that was seen, and what must have happened by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Invoke(u32),
    Queued(u32),
    Return(u32),
    Lost(u32, Loss),
    /// Somebody has learned that a shutdown had begun.
    Begun,
    Closed,
    Rest,
}

impl Op {
    pub(super) fn is_acquire(&self) -> bool {
        matches!(self.answer, Some(Return::NotDone(NotDone::RuledOut)))
            || matches!(self.act, Act::Acquire(..))
    }
}

impl End {
    pub(super) fn can_be(self, loss: Loss) -> bool {
        self == Self::Open || self == Self::Lost(loss)
    }
}

impl Fate {
    pub(super) fn can_be(self, refusal: Refusal) -> bool {
        matches!(self, Self::Open | Self::Cancelled) || self == Self::Refused(refusal)
    }
}

/// The limits of one name; that on names is a matter of the others.
pub(super) fn limits_of(header: &Header) -> Limits {
    let waiters_per_name = header.max_waiters_per_name.unwrap_or(usize::MAX);
    Limits { waiters_per_name, ..Limits::UNLIMITED }
}

/// The plans of all names.
pub(super) fn plans(calls: &Calls) -> Vec<Plan> {
    let mut plans: Vec<Plan> = calls.names.iter().map(|_| Plan::default()).collect();
    let mut op_of_row = vec![u32::MAX; calls.rows.len()];
    let global = Plan::global_moments(calls);
    let mut events: Vec<Vec<usize>> = vec![Vec::new(); plans.len()];
    for (event, row) in calls.row_of.iter().enumerate() {
        if let Some(name) = row.and_then(|row| calls.row(row).name) {
            events[name as usize].push(event);
        }
    }
    for (name, (plan, events)) in (0..).zip(plans.iter_mut().zip(&events)) {
        let op_of_row = &mut op_of_row;
        let mut builder = Builder { plan, calls, name, op_of_row, shutdowns: Vec::new() };
        builder.take_all(events, &global);
        plan.chain();
        plan.give_slots();
    }
    plans
}

impl Plan {
    /// The events that concern every name: a name that is told of a shutdown tells all of them (S9).
    fn global_moments(calls: &Calls) -> Vec<usize> {
        let shutdowns = calls.shutdowns.iter().map(|row| calls.row(*row));
        let of_call = |row: &Row| [Some(row.invoke), row.returned.map(|(event, _)| event)];
        let mut events: Vec<usize> = shutdowns.flat_map(of_call).flatten().collect();
        events.extend(calls.begun_by);
        events.extend(calls.closed.first());
        events.extend(calls.rest);
        events.sort_unstable();
        events.dedup();
        events
    }

    /// Finds who queues and who is granted after whom.
    fn chain(&mut self) {
        let mut granted: Vec<(FencingToken, u32)> = Vec::new();
        let mut queued: Vec<(u64, Ticket, u32)> = Vec::new();
        for (index, op) in (0..).zip(&self.ops) {
            granted.extend(op.acquire.token.map(|token| (token, index)));
            queued.extend(op.acquire.ticket.map(|(process, ticket)| (process, ticket, index)));
        }
        granted.sort_unstable();
        for pair in granted.windows(2) {
            self.ops[pair[1].1 as usize].acquire.granted_after = Some(pair[0].1);
        }
        queued.sort_unstable();
        for pair in queued.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            self.ops[pair[1].2 as usize].acquire.queues_after = Some(pair[0].2);
        }
    }

    /// Gives each acquire a request id, and each id again once its request is over.
    fn give_slots(&mut self) {
        let mut free: Vec<usize> = Vec::new();
        for place in 0..self.moments.len() {
            let (event, moment) = self.moments[place];
            let (Moment::Invoke(op)
            | Moment::Queued(op)
            | Moment::Return(op)
            | Moment::Lost(op, _)) = moment
            else {
                continue;
            };
            let request = self.ops[op as usize].request;
            let is_acquire = self.ops[request as usize].is_acquire();
            let is_first = is_acquire && moment == Moment::Invoke(request);
            let acquire = &mut self.ops[request as usize].acquire;
            if is_first {
                let slot = free.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots - 1
                });
                acquire.slot = RequestId(slot as u16);
            }
            if is_acquire && acquire.settled && acquire.last == event {
                free.push(acquire.slot.0 as usize);
            }
        }
    }
}

struct Builder<'a> {
    plan: &'a mut Plan,
    calls: &'a Calls,
    name: u32,
    /// The operation of each row, over all names: a row has one name.
    op_of_row: &'a mut [u32],
    /// The operations of each shutdown, by row.
    shutdowns: Vec<(u32, u32)>,
}

impl Builder<'_> {
    /// Takes the name's events and those of all names, in order.
    fn take_all(&mut self, own: &[usize], global: &[usize]) {
        let (mut own, mut global) = (own.iter().peekable(), global.iter().peekable());
        loop {
            let event = match (own.peek(), global.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) if a == b => {
                    own.next();
                    global.next()
                }
                (Some(a), Some(b)) if a < b => own.next(),
                (Some(_), None) => own.next(),
                _ => global.next(),
            };
            if let Some(event) = event {
                self.take(*event);
            }
        }
    }

    fn take(&mut self, event: usize) {
        let calls = self.calls;
        if let Some(index) = calls.row_of[event] {
            let row = calls.row(index);
            match row.kind {
                Kind::Shutdown(grace) => self.shutdown(event, index, row, grace),
                _ if row.name == Some(self.name) => self.call(event, index, row),
                // An event of another name, by which it is known that a shutdown had begun.
                _ => {}
            }
        }
        if calls.begun_by == Some(event) {
            self.plan.moments.push((event, Moment::Begun));
        }
        if calls.closed.first() == Some(&event) {
            self.plan.moments.push((event, Moment::Closed));
        }
        if calls.rest == Some(event) {
            self.plan.moments.push((event, Moment::Rest));
        }
    }

    fn call(&mut self, event: usize, index: u32, row: &Row) {
        if row.invoke == event {
            self.op_of_row[index as usize] = self.plan.ops.len() as u32;
            self.invoke(event, act_of(row), row);
            return;
        }
        let op = self.op_of_row[index as usize];
        let moment = match row.returned {
            Some((returned, Return::Unknown)) if returned == event => {
                if matches!(row.kind, Kind::Acquire(..)) {
                    self.plan.unknown.push((self.plan.moments.len(), op));
                }
                return; // Whatever it did, it may do later.
            }
            Some((returned, _)) if returned == event => Moment::Return(op),
            _ if row.hold.queued.is_some_and(|(queued, _)| queued == event) => Moment::Queued(op),
            _ => match row.hold.lost {
                Some((_, why)) => Moment::Lost(op, why),
                None => return,
            },
        };
        self.plan.moments.push((event, moment));
    }

    fn shutdown(&mut self, event: usize, index: u32, row: &Row, grace: Grace) {
        if row.invoke == event {
            let acts = [Some(Grace::Bounded), (grace == Grace::No).then_some(Grace::No)];
            for grace in acts.into_iter().flatten() {
                self.shutdowns.push((index, self.plan.ops.len() as u32));
                self.invoke(event, Act::Shutdown(grace), row);
            }
        } else if !row.is_unknown() {
            let ops = self.shutdowns.iter().filter(|(row, _)| *row == index);
            let returns = ops.map(|(_, op)| (event, Moment::Return(*op)));
            self.plan.moments.extend(returns);
        }
    }

    fn invoke(&mut self, event: usize, act: Act, row: &Row) {
        let op = self.plan.ops.len() as u32;
        let since = self.plan.moments.len();
        let request = match act {
            Act::Cancel | Act::Release | Act::Renew => self.op_of_row[row.request as usize],
            _ => op,
        };
        let answer = row.returned.map(|(_, answer)| answer).filter(|_| !row.is_unknown());
        let acquire = self.acquire(row);
        if matches!(act, Act::Acquire(..)) && row.returned.is_none() && row.hold.cancel.is_none() {
            self.plan.unanswered.push(op);
        }
        self.plan.ops.push(Op { act, call: row.id.0, request, answer, since, acquire });
        self.plan.moments.push((event, Moment::Invoke(op)));
    }

    fn acquire(&self, row: &Row) -> Acquire {
        let fate = match row.returned {
            Some((_, Return::Done(Done::Granted(_)))) => Fate::Granted,
            Some((_, Return::NotDone(NotDone::Refused(refusal)))) => Fate::Refused(refusal),
            _ if row.hold.cancel.is_some() => Fate::Cancelled,
            _ => Fate::Open,
        };
        let end = match (row.hold.released, row.hold.lost) {
            (Some(_), _) => End::Released,
            (None, Some((_, why))) => End::Lost(why),
            (None, None) => End::Open,
        };
        let answered = |call: u32| self.calls.row(call).is_answered();
        let settled = match fate {
            Fate::Granted => end != End::Open,
            Fate::Refused(_) => true,
            Fate::Cancelled => row.hold.cancel.is_some_and(answered),
            Fate::Open => false,
        };
        Acquire {
            slot: RequestId(0),
            fate,
            end,
            ticket: row.hold.queued.map(|(_, ticket)| (row.process, ticket)),
            token: row.token(),
            queues_after: None,
            granted_after: None,
            last: row.hold.last,
            settled,
        }
    }
}

fn act_of(row: &Row) -> Act {
    match row.kind {
        _ if matches!(row.returned, Some((_, Return::NotDone(NotDone::RuledOut)))) => Act::Nothing,
        Kind::Acquire(wait, lease) => Act::Acquire(wait, lease),
        Kind::Cancel => Act::Cancel,
        Kind::Release => Act::Release,
        Kind::Renew => Act::Renew,
        Kind::ForceRelease => Act::ForceRelease,
        Kind::Shutdown(grace) => Act::Shutdown(grace),
    }
}
