//! A lockspace whose requests belong to owners, that turns away whoever would wait in a cycle.
//!
//! The protocol knows requests and no owners, and keeps all its promises while two owners wait for each
//! other for ever. Where deadlocks are looked for, an acquire that would have to wait is put to a
//! [`Detection`] first, and the protocol is asked only if that has nothing against it. So D1 and D2
//! ([`lockspace_spec::owners`]) are added to S1 to S10, and nothing else changes.
//!
//! **Edges to holders are enough.** A waiter waits for the holder of the name and for everybody before
//! him in the queue, and only the first of these is an edge here. As long as an owner waits for one name
//! at a time, a cycle through somebody who is ahead in a queue has a cycle without him: he waits for
//! that name and nothing else, so the cycle goes on to its holder, or to somebody who is still further
//! ahead; and to the holder the waiter has an edge himself. (A test takes every acquire there is.)
//!
//! **Looking once is enough**, for the same reason: when the request queues. A cancel, a wait timeout or
//! a loss takes edges away. A hand-over turns the edges of those who wait towards the new holder, who
//! waits for nothing else and is therefore no part of a cycle until he acquires again, and is looked at.
//!
//! **Owners that wait for several names at once**, as a task does that joins two acquires, are another
//! matter ([`Owners::at_once`]), and no detection that goes by holders is right about them:
//!
//! - *A cycle is missed* when a hand-over closes it: the new holder still waits, behind himself for the
//!   same name, or for another one which somebody behind him in the queue holds. Nobody acquires at that
//!   moment, so nobody can be refused.
//! - *A refusal was not needed* where the owner's requests do not wait for each other, and one of them
//!   would have released what the cycle needs. Nothing in the requests tells whether they do.
//!
//! **What D2 rests upon.** It counts only on holders whose owners wait for nothing. Judged in every
//! state: while anybody waits, there is such a holder; and on every release by one: it ends a hold, or
//! it answers a waiter and ends one hold for the one that it begins. So they cannot go on for ever, and
//! where they come to an end nobody waits.

mod tell;

use lockspace_spec::owners::{OwnersProperty, WaitFor};
use lockspace_spec::{Action, DEADLOCK, Name, Op, OwnerId, Phase, RequestId, State, Wait};

use crate::breakable::breaking;
use crate::machine::{Ids, Machine, Next};
use crate::world::{Doing, World};

/// Whether an acquire is turned away: given who waits for whom, who asks, and who holds what he asks for.
pub type Detection = fn(&WaitFor, OwnerId, OwnerId) -> bool;

/// A machine of clients, several of which make the requests of one owner.
#[derive(Clone, Copy, Debug)]
pub struct Owners<M> {
    /// What the clients do, and how the lockspace answers.
    pub base: M,
    /// How many requests an owner may have at once: clients 0, 1, … are his, the next ones another's.
    pub requests: u16,
    /// Whether an owner may wait for several names at once. Otherwise he does nothing more until he is
    /// answered, or has given up.
    pub at_once: bool,
    /// Who is turned away.
    pub detection: Detection,
}

/// The correct detection: follows the edges from whoever holds the name, and turns whoever asks away if
/// that leads to him.
#[must_use]
pub fn looks_all_the_way(graph: &WaitFor, asks: OwnerId, holds: OwnerId) -> bool {
    graph.leads_to(holds, asks)
}

impl<M> Owners<M> {
    /// Owners with so many requests each, who wait for one name at a time and are looked at.
    pub const fn new(base: M, requests: u16) -> Self {
        Self { base, requests, at_once: false, detection: looks_all_the_way }
    }

    /// Whose a request is.
    pub const fn owner_of(&self, request: RequestId) -> OwnerId {
        OwnerId(request.0 / self.requests)
    }

    /// Whether the state has a property.
    fn has(&self, property: &OwnersProperty, space: &State) -> bool {
        (property.holds)(space, &|request| self.owner_of(request))
    }

    fn graph(&self, space: &State) -> WaitFor {
        WaitFor::of(space, &|request| self.owner_of(request))
    }

    /// Whether `request` may acquire: its owner is free to, and it is the first of his idle requests, all
    /// of which are alike.
    fn may_acquire(&self, world: &World, request: RequestId) -> bool {
        let first = request.0 - request.0 % self.requests;
        let doing = |request: u16| world.clients[usize::from(request)].doing;
        let waits = (first..first + self.requests).any(|other| doing(other) == Doing::Waiting);
        (self.at_once || !waits) && (first..request.0).all(|other| doing(other) != Doing::Idle)
    }

    /// Whether `action` is an acquire that would wait and that the detection turns away.
    pub fn turns_away(&self, space: &State, action: &Action) -> bool {
        let Some((request, name)) = would_wait(space, action) else {
            return false;
        };
        space.holder_of(name).is_some_and(|(_, hold)| {
            let (asks, holds) = (self.owner_of(request), self.owner_of(hold.request));
            (self.detection)(&self.graph(space), asks, holds)
        })
    }

    /// What is wrong with the step from `before` to `after`: the properties of the state, and of a release
    /// that D2 counts upon.
    fn broken(&self, before: &State, action: &Action, after: &State) -> Ids {
        let mut broken = Ids::NONE;
        for property in DEADLOCK.iter().filter(|property| !self.has(property, after)) {
            broken = broken.union(breaking(property.id));
        }
        if self.is_counted_upon(before, action) && still_to_come(after) >= still_to_come(before) {
            broken = broken.union(breaking("D2"));
        }
        broken
    }

    /// Whether `action` ends a hold whose owner waits for nothing.
    fn is_counted_upon(&self, space: &State, action: &Action) -> bool {
        let Action::Op(Op::Release { request, token }) = *action else {
            return false;
        };
        let ends = space.holds.get(&token).is_some_and(|hold| hold.request == request);
        ends && !self.graph(space).waits(self.owner_of(request))
    }
}

/// Who would wait for what if `action` were taken, and it is an acquire.
fn would_wait(space: &State, action: &Action) -> Option<(RequestId, Name)> {
    match *action {
        Action::Op(Op::Acquire { request, name, wait, .. })
            if wait != Wait::No && space.phase == Phase::Open =>
        {
            Some((request, name))
        }
        _ => None,
    }
}

/// How many releases there can be until nobody waits and nobody holds.
fn still_to_come(space: &State) -> usize {
    space.holds.len() + 2 * space.waiters().count()
}

impl<M> Machine for Owners<M>
where
    M: Machine<State = World, Action = Action>,
{
    type State = World;
    type Action = Action;
    type Key = M::Key;

    fn initial(&self) -> World {
        self.base.initial()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.base.actions(world, actions);
        actions.retain(|action| match *action {
            Action::Op(Op::Acquire { request, .. }) => self.may_acquire(world, request),
            _ => true,
        });
    }

    /// An acquire that is turned away changes nothing, and must be one after which D1 did not hold.
    fn next(
        &self,
        world: &World,
        scratch: &mut World,
        action: &Action,
        wanted: Ids,
    ) -> Next<M::Key> {
        let turned_away = self.turns_away(&world.space, action);
        let next = self.base.next(world, scratch, action, wanted);
        let Next::Sound { to, shown } = next else {
            return next;
        };
        let broken = self.broken(&world.space, action, &self.base.unpack(&to).space);
        match (turned_away, broken.is_empty()) {
            (false, true) => Next::Sound { to, shown },
            (false, false) => Next::Broken(broken),
            (true, false) => Next::Sound { to: self.base.pack(world), shown: Ids::NONE },
            (true, true) => Next::Broken(breaking("D1")),
        }
    }

    fn pack(&self, world: &World) -> M::Key {
        self.base.pack(world)
    }

    fn unpack(&self, key: &M::Key) -> World {
        self.base.unpack(key)
    }
}
