//! Which worlds are the same: those that differ only by the numbers that things have.
//!
//! Three kinds of numbers grow for ever in a cluster, and each is renamed:
//!
//! - **Versions** (and so tokens) are only compared with versions of the same row. They are renamed to their
//!   rank among those of the row that occur; the next one is greater than all.
//! - **Numbers of claims** are only compared for equality within a session, and a new one is new. They are
//!   renamed to their rank, too.
//! - **Moments** of a process are only compared with its own clock. They are told back from
//!   [`NOW`], and what is so long ago that it makes no more difference how long, is all the same.
//!
//! Each renaming commutes with everything that members and the store do, so that two worlds with one
//! canonical form behave alike. The same is true of what is left out where the store swaps as it should:
//!
//! - **What is outdated.** A version that the row has no more will never be its version again. A swap that
//!   expects it will change nothing, whatever it asks for; and of a row that was seen with it, no more is
//!   used than whose claims stand there.

use lockspace::store::claimant::{self, Claimant, Known};
use lockspace::store::member::{Answer, Call, Member, Rows};
use lockspace::store::record::{Claim, Record, SessionId};
use lockspace::store::session::{Asking, Life};
use lockspace::store::{Ask, Moment, Reply, Version};
use lockspace_spec::FencingToken;

use super::world::{NOW, Name, Seat, Slot, Stage, World, index_of, slot_of};

impl World {
    /// Gives everything the number that it has in the canonical form.
    ///
    /// `is_sound` says that the store swaps a row only if it has the version that is expected.
    pub(super) fn make_canonical(&mut self, is_sound: bool) {
        if is_sound {
            self.forget_what_is_outdated();
        }
        for member in self.slots.iter_mut().filter_map(|seat| seat.member.as_mut()) {
            forget_the_distant_past(member);
        }
        self.put_in_order();
        let (names, slots) = (self.store.names.len(), self.slots.len());
        let place = |series| match series {
            Series::Claims(slot) => slot,
            Series::Session(slot) => slots + slot,
            Series::Name(of) => 2 * slots + of,
        };
        // Sets of numbers, a bit each: numbers were small before, and a step adds few.
        let mut sets = [0_u128; 16];
        assert!(2 * slots + names <= sets.len(), "there is a set for each series");
        self.each(&mut |series, number| sets[place(series)] |= (1 << *number) & !1);
        let rank =
            |set: u128, number: u64| (set & (u128::MAX >> (127 - number))).count_ones().into();
        self.each(&mut |series, number| *number = rank(sets[place(series)], *number));
        let size = |set: &u128| u64::from(set.count_ones());
        self.store.last = Version(sets[slots..].iter().map(size).max().unwrap_or(0));
        for (seat, numbers) in self.slots.iter_mut().zip(&sets) {
            if let Some(member) = &mut seat.member {
                member.next_number = size(numbers) + 1;
            }
        }
    }

    /// What has no order has one from now on.
    pub(super) fn put_in_order(&mut self) {
        for seat in &mut self.slots {
            seat.flights.sort_by_key(|flight| (!flight.awaited, order_of(&flight.call)));
        }
        for slot in 0..self.slots.len() {
            if self.is_forgotten(slot) {
                self.store.removed[slot] = false;
            }
        }
    }

    fn forget_what_is_outdated(&mut self) {
        let Self { store, slots, names } = self;
        names.iter_mut().for_each(|name| name.greatest = None);
        let session = |slot: Slot| store.sessions[slot].as_ref().map(|(version, _)| *version);
        let name = |of: Name| store.names[of].as_ref().map(|(version, _)| *version);
        for (slot, seat) in slots.iter_mut().enumerate() {
            for flight in &mut seat.flights {
                match &mut flight.call {
                    Call::Own(ask) => outdate_ask(ask, flight.stage != Stage::Sent, session(slot)),
                    Call::Other(id, ask) => {
                        outdate_ask(ask, flight.stage != Stage::Sent, session(slot_of(*id)));
                    }
                    Call::Name(of, ask) => {
                        let done = matches!(
                            flight.stage,
                            Stage::Served(Answer::Name(_, Reply::Swapped(_)))
                        );
                        let own = seat.member.as_mut().and_then(|member| member.names.get_mut(of));
                        outdate_ask(ask, flight.stage != Stage::Sent, name(index_of(of)));
                        if let Ask::Swap { expected: Some(OUTDATED), .. } = ask
                            && let Some(Claimant { asking, .. }) = own
                            && flight.awaited
                            && !done
                        {
                            *asking = Some(claimant::Asking::Swap(None));
                        }
                    }
                    Call::Scan => {}
                }
                if let Stage::Served(Answer::Own(Reply::Swapped(version))) = &mut flight.stage {
                    outdate(version, session(slot));
                }
            }
            let Some(member) = &mut seat.member else { continue };
            if let Some(version) = &mut member.session.version {
                outdate(version, session(slot));
            }
            for (id, other) in &mut member.others.sessions {
                if let Some(seen) = &mut other.seen {
                    outdate(&mut seen.version, session(slot_of(*id)));
                }
            }
            let me = member.id;
            for (of, claimant) in &mut member.names {
                outdate_known(claimant, me, name(index_of(of)));
            }
        }
    }

    /// Shows every number to `visit`, which may change it.
    fn each(&mut self, visit: &mut Visit<'_>) {
        for (of, row) in self.store.names.iter_mut().enumerate() {
            if let Some((version, record)) = row {
                each_in_row(of, version, record, visit);
            }
        }
        for (of, row) in self.store.sessions.iter_mut().enumerate() {
            if let Some((version, _)) = row {
                visit(Series::Session(of), &mut version.0);
            }
        }
        for (of, name) in self.names.iter_mut().enumerate() {
            for FencingToken(token) in [&mut name.greatest, &mut name.written].into_iter().flatten()
            {
                visit(Series::Name(of), token);
            }
        }
        for (slot, seat) in self.slots.iter_mut().enumerate() {
            each_in_seat(slot, seat, visit);
        }
    }

    /// Lets time pass: the clock of each slot goes on by what `elapsed` says of it.
    pub(super) fn let_pass(&mut self, elapsed: impl Fn(Slot) -> Moment) {
        for (slot, seat) in self.slots.iter_mut().enumerate() {
            let Some(member) = &mut seat.member else { continue };
            let by = elapsed(slot);
            member.session.trusted_until -= by;
            member.session.next_ask -= by;
            if let Some(Asking::Write { sent }) = &mut member.session.asking {
                *sent -= by;
            }
            for other in member.others.sessions.values_mut() {
                if let Some(seen) = &mut other.seen {
                    seen.since -= by;
                }
            }
        }
    }
}

/// Numbers that are compared with each other.
#[derive(Clone, Copy, Debug)]
enum Series {
    /// The versions of a name's row.
    Name(Name),
    /// The versions of a session's row.
    Session(Slot),
    /// The numbers of a session's claims.
    Claims(Slot),
}

/// Is shown a number, and may change it.
type Visit<'a> = dyn FnMut(Series, &mut u64) + 'a;

/// Own row, other sessions, names, scans: at most one awaited call about each.
fn order_of(call: &Call) -> (u8, u64) {
    match call {
        Call::Own(_) => (0, 0),
        Call::Other(id, _) => (1, id.0 as u64),
        Call::Name(of, _) => (2, index_of(of) as u64),
        Call::Scan => (3, 0),
    }
}

/// In place of every version that a row has no more.
const OUTDATED: Version = Version(0);

fn outdate(version: &mut Version, current: Option<Version>) {
    if current != Some(*version) {
        *version = OUTDATED;
    }
}

/// A swap that was done is over; one that expects what is no more will not be done.
fn outdate_ask<T>(ask: &mut Ask<T>, is_over: bool, current: Option<Version>) {
    if let Ask::Swap { expected, new } = ask
        && (is_over || expected.is_some_and(|expected| current != Some(expected)))
    {
        (*expected, *new) = (Some(OUTDATED), None);
    }
}

fn outdate_known(claimant: &mut Claimant, me: SessionId, current: Option<Version>) {
    let Known::Row(Some((version, record))) = &mut claimant.known else { return };
    if current == Some(*version) {
        return;
    }
    if let Some(token) = claimant.told {
        record.token = Some(token);
        record.queue.clear();
    } else if record.holder.session != me {
        record.token = None;
        let others = [&mut record.holder].into_iter().chain(&mut record.queue);
        others.filter(|claim| claim.session != me).for_each(|claim| claim.number = 0);
    } else {
        return;
    }
    *version = OUTDATED;
}

/// What has been over for longer than anybody counts, is over.
fn forget_the_distant_past(member: &mut Member) {
    let session = &mut member.session;
    let (ttl, trust) = (session.timing.ttl(), session.timing.trust());
    session.trusted_until = session.trusted_until.max(NOW);
    if session.life != Life::Alive {
        session.trusted_until = NOW;
    }
    session.next_ask = session.next_ask.max(NOW);
    match &mut session.asking {
        None => {}
        Some(Asking::Write { sent }) => {
            *sent = (*sent).max(NOW - trust);
            session.next_ask = NOW;
        }
        Some(Asking::Look | Asking::Remove) => session.next_ask = NOW,
    }
    for other in member.others.sessions.values_mut() {
        if let Some(seen) = &mut other.seen {
            seen.since = seen.since.max(NOW - ttl);
        }
    }
}

fn each_in_seat(slot: Slot, seat: &mut Seat, visit: &mut Visit<'_>) {
    if let Some(member) = &mut seat.member {
        if let Some(version) = &mut member.session.version {
            visit(Series::Session(slot), &mut version.0);
        }
        for (id, other) in &mut member.others.sessions {
            if let Some(seen) = &mut other.seen {
                visit(Series::Session(slot_of(*id)), &mut seen.version.0);
            }
        }
        for (of, claimant) in &mut member.names {
            each_in_claimant(slot, index_of(of), claimant, visit);
        }
    }
    for (of, users) in seat.users.iter_mut().enumerate() {
        if let Some(FencingToken(token)) = &mut users.guard {
            visit(Series::Name(of), token);
        }
    }
    for flight in &mut seat.flights {
        let series = match &mut flight.call {
            Call::Own(ask) => each_in_ask(Series::Session(slot), ask, visit),
            Call::Other(id, ask) => each_in_ask(Series::Session(slot_of(*id)), ask, visit),
            Call::Name(of, ask) => {
                if let Ask::Swap { new: Some(record), .. } = ask {
                    each_in_record(index_of(of), record, visit);
                }
                each_in_ask(Series::Name(index_of(of)), ask, visit)
            }
            Call::Scan => Series::Claims(slot),
        };
        if let Some(drawn) = &mut flight.drawn {
            visit(series, &mut drawn.0);
        }
        match &mut flight.stage {
            Stage::Half(rows) | Stage::Served(Answer::Scan(Some(rows))) => {
                each_in_rows(rows, visit);
            }
            Stage::Sent | Stage::Served(Answer::Scan(None)) => {}
            Stage::Served(Answer::Own(reply) | Answer::Other(_, reply)) => {
                each_in_reply(series, reply, visit);
            }
            Stage::Served(Answer::Name(of, reply)) => {
                if let Reply::Loaded(Some((_, record))) = reply {
                    each_in_record(index_of(of), record, visit);
                }
                each_in_reply(series, reply, visit);
            }
        }
    }
}

fn each_in_claimant(slot: Slot, of: Name, claimant: &mut Claimant, visit: &mut Visit<'_>) {
    if let Some(number) = &mut claimant.wish {
        visit(Series::Claims(slot), number);
    }
    if let Some(FencingToken(token)) = &mut claimant.told {
        visit(Series::Name(of), token);
    }
    if let Known::Row(Some((version, record))) = &mut claimant.known {
        each_in_row(of, version, record, visit);
    }
    if let Some(claimant::Asking::Swap(Some(record))) = &mut claimant.asking {
        each_in_record(of, record, visit);
    }
}

fn each_in_rows(rows: &mut Rows, visit: &mut Visit<'_>) {
    for (of, version, record) in &mut rows.names {
        each_in_row(index_of(of), version, record, visit);
    }
    for (id, version, _) in &mut rows.sessions {
        visit(Series::Session(slot_of(*id)), &mut version.0);
    }
}

fn each_in_ask<T>(series: Series, ask: &mut Ask<T>, visit: &mut Visit<'_>) -> Series {
    if let Ask::Swap { expected: Some(version), .. } = ask {
        visit(series, &mut version.0);
    }
    series
}

fn each_in_reply<T>(series: Series, reply: &mut Reply<T>, visit: &mut Visit<'_>) {
    if let Reply::Swapped(version) | Reply::Loaded(Some((version, _))) = reply {
        visit(series, &mut version.0);
    }
}

fn each_in_row(of: Name, version: &mut Version, record: &mut Record, visit: &mut Visit<'_>) {
    visit(Series::Name(of), &mut version.0);
    each_in_record(of, record, visit);
}

fn each_in_record(of: Name, record: &mut Record, visit: &mut Visit<'_>) {
    if let Some(FencingToken(token)) = &mut record.token {
        visit(Series::Name(of), token);
    }
    let mut claim = |claim: &mut Claim| {
        visit(Series::Claims(slot_of(claim.session)), &mut claim.number);
    };
    claim(&mut record.holder);
    record.queue.iter_mut().for_each(&mut claim);
}
