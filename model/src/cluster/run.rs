//! What each action does: to the members, by their own functions; to the store; and to the messages.

use std::time::Duration;

use lockspace::store::member::{Answer, Call, Member, News};
use lockspace::store::session::End;
use lockspace::store::{Ask, Reply};

use super::world::{
    Action, Failure, Flight, NOW, Name, Seat, Slot, Stage, Told, Users, World, index_of, name,
    newborn,
};
use super::{Calls, Cluster, Network};

impl Cluster {
    /// Lets `action` happen.
    pub(super) fn take(&self, world: &mut World, action: Action) -> Told {
        let mut told = Told::default();
        match action {
            Action::Begin(slot) => {
                let users = vec![Users::default(); self.names];
                let member = Some(newborn(slot, self.timing()));
                world.slots[slot] = Seat { member, users, ..Seat::default() };
                self.settle(world, slot, &mut told);
            }
            Action::Want(slot, of) => {
                world.slots[slot].users[of].forced = false;
                self.tell(world, slot, &mut told, |member| _ = member.want(&name(of)));
            }
            Action::GiveUp(slot, of) => {
                world.slots[slot].users[of].forced = false;
                self.tell(world, slot, &mut told, |member| member.give_up(&name(of)));
            }
            Action::PassOn(slot, of) => {
                world.slots[slot].users[of].forced = false;
                self.tell(world, slot, &mut told, |member| member.pass_on(&name(of)));
            }
            Action::Look(slot, of) => {
                self.tell(world, slot, &mut told, |member| member.look(&name(of)));
            }
            Action::Sweep(slot) => self.tell(world, slot, &mut told, Member::sweep),
            Action::Wake(slot) => self.tell(world, slot, &mut told, |member| member.tick(NOW)),
            Action::Close(slot) => self.tell(world, slot, &mut told, Member::close),
            Action::Crash(slot) => {
                world.slots[slot].member = None;
                world.slots[slot].users.fill(Users::default());
                abandon(world, slot, |_| true);
            }
            Action::Serve(slot, flight) => {
                self.serve(world, slot, flight, &mut told);
                let flying = world.slots[slot].flights.get(flight);
                if flying.is_some_and(|f| f.awaited && f.is_served() && arrives_at_once(&f.call)) {
                    self.deliver(world, slot, flight, &mut told);
                }
            }
            Action::Deliver(slot, flight) => self.deliver(world, slot, flight, &mut told),
            Action::Fail(slot, flight, how) => self.fail(world, slot, flight, how, &mut told),
            Action::Force(of) => self.force(world, of, &mut told),
            Action::Write(slot, of) => {
                let (token, written) =
                    (world.slots[slot].users[of].guard, &mut world.names[of].written);
                told.taken = Some(token >= *written);
                *written = token.max(*written);
            }
            Action::Tick(fast) => {
                world.let_pass(|slot| {
                    Duration::from_millis(self.clocks[usize::from(fast >> slot & 1)])
                });
                if self.takeover.is_some() {
                    self.do_what_is_due(world, &mut told);
                }
            }
        }
        told
    }

    /// Every process does what it should do from time to time.
    fn do_what_is_due(&self, world: &mut World, told: &mut Told) {
        for slot in 0..self.sessions {
            self.tell(world, slot, told, |member| {
                member.tick(NOW);
                let waiting = member.waiting.clone();
                waiting.iter().for_each(|name| member.look(name));
                if self.events.sweeping {
                    member.sweep();
                }
            });
        }
    }

    /// Tells a member something.
    fn tell(&self, world: &mut World, slot: Slot, told: &mut Told, what: impl Fn(&mut Member)) {
        if let Some(member) = &mut world.slots[slot].member {
            what(member);
        }
        self.settle(world, slot, told);
    }

    /// What a program around a member does each time: it tells its users what there is to tell, and makes
    /// the calls that there are to make.
    fn settle(&self, world: &mut World, slot: Slot, told: &mut Told) {
        while let Some(member) = &mut world.slots[slot].member {
            if let Some(news) = member.news(NOW) {
                self.hear(world, slot, news, told);
            } else if member.is_over() {
                world.slots[slot].member = None;
                abandon(world, slot, |_| true);
            } else if let Some(call) = member.call(NOW) {
                self.send(world, slot, call, told);
            } else {
                return;
            }
        }
    }

    fn hear(&self, world: &mut World, slot: Slot, news: News, told: &mut Told) {
        match &news {
            News::Granted(name, token) if self.events.writing => {
                world.slots[slot].users[index_of(name)].guard = Some(*token);
            }
            News::Lost(name, _) => world.slots[slot].users[index_of(name)].forced = false,
            News::Ended(end) => {
                assert_ne!(*end, End::Copied, "nobody is copied: what was written was its own");
                world.slots[slot].users.iter_mut().for_each(|users| users.forced = false);
                abandon(world, slot, |call| !matches!(call, Call::Own(_)));
            }
            _ => {}
        }
        told.news.push((slot, news));
    }

    fn send(&self, world: &mut World, slot: Slot, call: Call, told: &mut Told) {
        let mut flight = Flight::new(call);
        (self.design.send)(&mut world.store, &mut flight);
        let at_once = self.is_at_once(world, &flight.call);
        let flights = &mut world.slots[slot].flights;
        flights.push(flight);
        let last = flights.len() - 1;
        if at_once {
            while !world.slots[slot].flights[last].is_served() {
                self.serve(world, slot, last, told);
            }
            self.land(world, slot, last);
        }
    }

    /// Whether a call is made and answered at once: because such calls are, or because enough others are
    /// on their way.
    fn is_at_once(&self, world: &World, call: &Call) -> bool {
        let Network::Late { which, calls, .. } = self.network else { return true };
        let on_their_way: usize = world.slots.iter().map(|seat| seat.flights.len()).sum();
        let late = match call {
            Call::Own(_) => which != Calls::Names,
            Call::Other(..) => matches!(which, Calls::Sessions | Calls::All),
            Call::Name(..) => matches!(which, Calls::Names | Calls::All),
            Call::Scan => which == Calls::All,
        };
        !late || on_their_way >= calls
    }

    /// The store goes on with a call.
    fn serve(&self, world: &mut World, slot: Slot, flight: usize, told: &mut Told) {
        let flying = &mut world.slots[slot].flights[flight];
        let store = &mut world.store;
        flying.stage = match (&flying.call, &flying.stage) {
            (Call::Scan, Stage::Sent) => Stage::Half(store.scan_names()),
            (Call::Scan, Stage::Half(rows)) => {
                Stage::Served(Answer::Scan(Some(store.scan_sessions(rows.clone()))))
            }
            _ => Stage::Served((self.design.serve)(store, slot, flying, told)),
        };
        if !flying.awaited {
            world.slots[slot].flights.remove(flight);
        }
    }

    /// The answer to a call arrives.
    fn land(&self, world: &mut World, slot: Slot, flight: usize) {
        let flying = world.slots[slot].flights.remove(flight);
        if let (Stage::Served(answer), Some(member)) = (flying.stage, &mut world.slots[slot].member)
        {
            (self.design.take)(member, &flying.call, answer);
        }
    }

    fn deliver(&self, world: &mut World, slot: Slot, flight: usize, told: &mut Told) {
        self.land(world, slot, flight);
        self.settle(world, slot, told);
    }

    fn fail(&self, world: &mut World, slot: Slot, flight: usize, how: Failure, told: &mut Told) {
        let flights = &mut world.slots[slot].flights;
        let failed = flights[flight].clone();
        if how == Failure::Late {
            flights[flight].awaited = false;
        } else {
            flights.remove(flight);
        }
        if let (true, Some(member)) = (failed.awaited, &mut world.slots[slot].member) {
            let answer = failure(&failed.call, how != Failure::Refused);
            (self.design.take)(member, &failed.call, answer);
            self.settle(world, slot, told);
        }
    }

    fn force(&self, world: &mut World, of: Name, told: &mut Told) {
        let holder = world.store.names[of].as_ref().map(|(_, record)| record.holder);
        world.store.force(of, told);
        for slot in 0..self.sessions {
            let wish = world.claimant(slot, of).and_then(|claimant| claimant.wish);
            let theirs = holder.filter(|holder| holder.session == super::world::session(slot));
            if wish.is_some() && theirs.map(|claim| claim.number) == wish {
                world.slots[slot].users[of].forced = true;
            }
        }
    }
}

/// Nobody waits any more for the answers to some of a session's calls. Those that could still change
/// something are on their way all the same.
fn abandon(world: &mut World, slot: Slot, which: impl Fn(&Call) -> bool) {
    let flights = &mut world.slots[slot].flights;
    for flight in flights.iter_mut().filter(|flight| which(&flight.call)) {
        flight.awaited = false;
    }
    flights.retain(|flight| flight.awaited || (flight.is_swap() && flight.stage == Stage::Sent));
}

/// Whether the answer to a call arrives when it is given. If it were late, nothing would be different but
/// that its process were slower.
fn arrives_at_once(call: &Call) -> bool {
    match call {
        Call::Own(ask) => matches!(ask, Ask::Load | Ask::Swap { new: None, .. }),
        Call::Name(_, ask) => matches!(ask, Ask::Load),
        Call::Other(..) | Call::Scan => true,
    }
}

/// The answer to a call that failed.
fn failure(call: &Call, unknown: bool) -> Answer {
    fn reply<T>(unknown: bool) -> Reply<T> {
        if unknown { Reply::Unknown } else { Reply::NotDone }
    }
    match call {
        Call::Own(_) => Answer::Own(reply(unknown)),
        Call::Other(id, _) => Answer::Other(*id, reply(unknown)),
        Call::Name(name, _) => Answer::Name(name.clone(), reply(unknown)),
        Call::Scan => Answer::Scan(None),
    }
}
