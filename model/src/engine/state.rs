//! The engine's state, and the moves that its steps are made of: each stands for a function of the
//! engine (see [`STANDS_FOR`](super::STANDS_FOR)) and does, in the same order, what that does under the
//! shard's lock.
//!
//! Left out, because nothing is decided by it: memory (slabs, indices, where a timer stands), counters,
//! labels, and when a timer is due. Any timer may elapse while it is armed; what is decided by times,
//! that one is due before another, is a choice of the step that arms it (see [`Step`](super::Step)). A
//! token is named after the client that it was granted to. That is exact: the engine compares tokens only
//! for equality, and a client has one guard or future at a time.

use std::collections::{BTreeSet, VecDeque};

use lockspace_spec::{Grace, Lease, Refusal, Wait};

use super::Fault;

pub(super) type Client = usize;
pub(super) type Name = usize;
pub(super) type Shard = usize;

/// Where a lockspace is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    Open,
    Draining,
    Revoked,
    Closed,
}

/// What a shard has told the reaper of its first timer, beside what is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Told {
    /// That it has none.
    Never,
    /// When it is due.
    Exactly,
    /// A time that may be too early, since timers have gone.
    TooEarly,
    /// A time that is too late. This is what must never be.
    TooLate,
}

/// What a timer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    Wait(Client),
    Lease(Name, Client),
}

/// Where the reaper is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// In this shard.
    Shard(usize),
    /// At the end of the grace.
    Grace,
}

/// What a client's code holds in its hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    Idle,
    /// A future that was queued, and the answer in its slot, which it has not seen.
    Waiting {
        name: Name,
        timed: bool,
        lease: Lease,
        answer: Option<Answer>,
        woken: bool,
    },
    /// A guard; whether it is still held is for the entry to say.
    Guard {
        name: Name,
    },
}

/// What a waiter's slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Granted,
    Refused(Refusal),
}

/// A held name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) token: Client,
    pub(super) leased: bool,
    pub(super) queue: VecDeque<Client>,
}

/// What is left to do after the unlock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Effects {
    /// The clients to wake, one bit each.
    wake: u8,
    pub(super) rouse_reaper: bool,
    pub(super) start_reaper: bool,
}

impl Effects {
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn wake(&mut self, client: Client) {
        self.wake |= 1 << client;
    }

    pub(super) fn wakes(self, client: Client) -> bool {
        self.wake & 1 << client != 0
    }

    /// The next client to wake; it is not any more.
    pub(super) fn next_to_wake(&mut self) -> Option<Client> {
        let client = self.wake.trailing_zeros();
        (self.wake != 0).then(|| {
            self.wake &= self.wake - 1;
            client as Client
        })
    }
}

/// The grace of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GraceTimer {
    NotSet,
    Armed,
    Over,
}

/// What is noted of the reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    Absent,
    Awake,
    Asleep,
    /// Asleep, and for longer than until a timer that has been told of. This is what must never be.
    AsleepTooLong,
}

/// Somebody who goes through the shards, one after the other, after a stage has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tour {
    /// Not on tour.
    Home,
    /// Next is this shard. `first`: this tour began the shutdown.
    Telling { shard: Shard, first: bool, grace: Grace },
    /// All shards have heard; the drain has not.
    AllHeard { grace: Grace },
    /// What is left is to set the end of the grace.
    Limit,
}

/// Whoever acts: a client, the reaper or an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A client's task or thread.
    Client(usize),
    /// The reaper.
    Reaper,
    /// Whoever forces releases and shuts down.
    Operator,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) stage: Stage,
    pub(super) heard: Vec<Stage>,
    pub(super) entries: Vec<Option<Entry>>,
    pub(super) callers: Vec<Caller>,
    /// What each client, the reaper and the operator has still to carry out, in this order.
    pub(super) effects: Vec<Effects>,
    pub(super) remaining: usize,
    pub(super) grace: GraceTimer,
    /// The armed timers of each shard. That of the grace is armed while `grace` says so.
    pub(super) armed: Vec<BTreeSet<Target>>,
    /// What each shard has told.
    pub(super) told: Vec<Told>,
    /// Where the reaper is: it has been told to look there, and has not yet come away.
    pub(super) stop: Option<Stop>,
    pub(super) mark: Mark,
    /// Whether a timer that the present step arms is due before all that are armed. Of no meaning between
    /// steps.
    pub(super) soon: bool,
    /// Whether a reaper exists, and whether it really sleeps.
    pub(super) reaper_runs: bool,
    pub(super) reaper_sleeps: bool,
    pub(super) reaper_tour: Tour,
    pub(super) operator_tour: Tour,
    pub(super) fault: Option<Fault>,
}

impl State {
    pub(super) fn new(clients: usize, names: usize, shards: usize, fault: Option<Fault>) -> Self {
        Self {
            stage: Stage::Open,
            heard: vec![Stage::Open; shards],
            entries: vec![None; names],
            callers: vec![Caller::Idle; clients],
            effects: vec![Effects::default(); clients + 2],
            remaining: 0,
            grace: GraceTimer::NotSet,
            armed: vec![BTreeSet::new(); shards],
            told: vec![Told::Never; shards],
            stop: None,
            soon: false,
            mark: Mark::Absent,
            reaper_runs: false,
            reaper_sleeps: false,
            reaper_tour: Tour::Home,
            operator_tour: Tour::Home,
            fault,
        }
    }

    pub(super) fn effects_of(&mut self, actor: Actor) -> &mut Effects {
        let clients = self.callers.len();
        &mut self.effects[match actor {
            Actor::Client(client) => client,
            Actor::Reaper => clients,
            Actor::Operator => clients + 1,
        }]
    }

    pub(super) fn shard_of(&self, name: Name) -> Shard {
        name % self.heard.len()
    }

    pub(super) fn is_held(&self, name: Name, by: Client) -> bool {
        self.entries[name].as_ref().is_some_and(|entry| entry.token == by)
    }
}

/// The actions, as `Table` has them.
impl State {
    pub(super) fn acquire(&mut self, by: Client, name: Name, wait: Wait, lease: Lease) {
        let actor = Actor::Client(by);
        let heeds = self.fault != Some(Fault::AcquireDoesNotHeedShutdown);
        if heeds {
            self.heed_shutdown(self.shard_of(name), actor);
        }
        if self.heard[self.shard_of(name)] > Stage::Open {
            return; // Refused: ShuttingDown.
        }
        let Some(entry) = &mut self.entries[name] else {
            let queue = VecDeque::new();
            self.entries[name] = Some(Entry { token: by, leased: false, queue });
            self.callers[by] = Caller::Guard { name };
            return self.grant(name, by, lease, actor);
        };
        if wait == Wait::No {
            return; // Refused: Busy.
        }
        entry.queue.push_back(by);
        let timed = wait == Wait::Bounded;
        self.callers[by] = Caller::Waiting { name, timed, lease, answer: None, woken: false };
        if timed {
            self.arm(self.shard_of(name), Target::Wait(by), actor);
        }
    }

    pub(super) fn poll_wait(&mut self, by: Client) {
        let Caller::Waiting { name, .. } = self.callers[by] else { return };
        self.heed_shutdown(self.shard_of(name), Actor::Client(by));
        if let Caller::Waiting { answer, woken, .. } = &mut self.callers[by] {
            match *answer {
                None => *woken = false,
                Some(Answer::Granted) => self.callers[by] = Caller::Guard { name },
                Some(Answer::Refused(_)) => self.callers[by] = Caller::Idle,
            }
        }
    }

    /// Nothing of the shard is touched, so nothing is heard of a shutdown.
    pub(super) fn take_post(&mut self, by: Client) {
        if let Caller::Waiting { name, answer: Some(Answer::Granted), .. } = self.callers[by] {
            self.callers[by] = Caller::Guard { name };
        }
    }

    pub(super) fn cancel(&mut self, by: Client) {
        let Caller::Waiting { name, .. } = self.callers[by] else { return };
        self.heed_shutdown(self.shard_of(name), Actor::Client(by));
        let Caller::Waiting { answer, .. } = self.callers[by] else { return };
        match answer {
            None => {
                self.unlink(name, by, Actor::Client(by));
            }
            Some(Answer::Granted) if self.fault == Some(Fault::CancelDropsTheGrant) => {}
            Some(Answer::Granted) => self.release(name, by, Actor::Client(by)),
            Some(Answer::Refused(_)) => {}
        }
        self.callers[by] = Caller::Idle;
    }

    pub(super) fn release(&mut self, name: Name, by: Client, actor: Actor) {
        if self.fault != Some(Fault::ReleaseDoesNotHeedShutdown) {
            self.heed_shutdown(self.shard_of(name), actor);
        }
        if self.is_held(name, by) {
            self.end_hold(name, actor);
        }
    }

    /// The first timer of the shard is this one, and due. What heeding a shutdown disarms is not acted upon.
    pub(super) fn elapse_first(&mut self, shard: Shard, target: Target) {
        self.heed_shutdown(shard, Actor::Reaper);
        if self.armed[shard].contains(&target) {
            match target {
                Target::Wait(client) => self.time_out(client),
                Target::Lease(name, _) => self.end_hold(name, Actor::Reaper),
            }
        }
    }

    fn time_out(&mut self, client: Client) {
        let Caller::Waiting { name, .. } = self.callers[client] else { return };
        self.unlink(name, client, Actor::Reaper);
        self.answer(client, Answer::Refused(Refusal::TimedOut), Actor::Reaper);
    }

    /// The reaper finds nothing due in a shard, or has acted upon as much as it may at a time, and comes
    /// away.
    pub(super) fn come_away(&mut self, shard: Shard) {
        self.heed_shutdown(shard, Actor::Reaper);
        if self.told[shard] == Told::TooEarly && self.fault != Some(Fault::StaleTimeIsLeft) {
            self.tell(shard, Told::Exactly, Actor::Reaper);
        }
    }

    pub(super) fn renew(&mut self, name: Name, by: Client) {
        let shard = self.shard_of(name);
        self.heed_shutdown(shard, Actor::Client(by));
        let leased = self.entries[name].as_ref().is_some_and(|entry| entry.leased);
        if self.is_held(name, by) && leased {
            self.renew_lease(shard, Actor::Client(by));
        }
    }

    pub(super) fn force_release(&mut self, name: Name) {
        self.heed_shutdown(self.shard_of(name), Actor::Operator);
        if self.entries[name].is_some() {
            self.end_hold(name, Actor::Operator);
        }
    }

    pub(super) fn heed_shutdown(&mut self, shard: Shard, actor: Actor) {
        let before = std::mem::replace(&mut self.heard[shard], self.stage);
        if before == self.stage {
            return;
        }
        let names = (0..self.entries.len()).filter(|name| self.shard_of(*name) == shard);
        let held: Vec<Name> = names.filter(|name| self.entries[*name].is_some()).collect();
        if before == Stage::Open {
            for name in &held {
                self.refuse_waiters(*name, actor);
            }
            self.remaining += held.len();
        }
        if self.stage >= Stage::Revoked {
            for name in held {
                self.end_hold(name, actor);
            }
        }
    }
}

/// The moves that actions are made of.
impl State {
    fn grant(&mut self, name: Name, to: Client, lease: Lease, actor: Actor) {
        if let Some(entry) = &mut self.entries[name] {
            entry.token = to;
            entry.leased = lease == Lease::Bounded;
        }
        if lease == Lease::Bounded {
            self.arm(self.shard_of(name), Target::Lease(name, to), actor);
        }
    }

    fn end_hold(&mut self, name: Name, actor: Actor) {
        let Some(entry) = &self.entries[name] else { return };
        let (token, leased, awaited) = (entry.token, entry.leased, !entry.queue.is_empty());
        if leased {
            self.disarm(self.shard_of(name), Target::Lease(name, token));
        }
        if awaited {
            self.hand_over(name, actor);
        } else {
            self.entries[name] = None;
        }
        if leased {
            self.tell_if_needed(self.shard_of(name), actor);
        }
        if self.heard[self.shard_of(name)] > Stage::Open {
            self.remaining -= 1;
            self.close_if_drained(actor);
        }
    }

    fn hand_over(&mut self, name: Name, actor: Actor) {
        let Some(Entry { queue, .. }) = &self.entries[name] else { return };
        let last_first = self.fault == Some(Fault::LastIsServedFirst);
        let next = if last_first { queue.back() } else { queue.front() };
        let Some(head) = next.copied() else { return };
        let lease = self.unlink(name, head, actor);
        self.grant(name, head, lease, actor);
        self.answer(head, Answer::Granted, actor);
    }

    fn answer(&mut self, client: Client, with: Answer, actor: Actor) {
        if let Caller::Waiting { answer, .. } = &mut self.callers[client] {
            *answer = Some(with);
        }
        if self.fault != Some(Fault::AnswerWakesNobody) {
            self.effects_of(actor).wake(client);
        }
    }

    fn unlink(&mut self, name: Name, client: Client, actor: Actor) -> Lease {
        if let Some(entry) = &mut self.entries[name] {
            entry.queue.retain(|waiter| *waiter != client);
        }
        let Caller::Waiting { timed, lease, .. } = self.callers[client] else {
            return Lease::Unbounded;
        };
        if timed && self.fault != Some(Fault::WaitTimerIsLeft) {
            self.disarm(self.shard_of(name), Target::Wait(client));
            self.tell_if_needed(self.shard_of(name), actor);
        }
        lease
    }

    fn refuse_waiters(&mut self, name: Name, actor: Actor) {
        let Some(entry) = &self.entries[name] else { return };
        for client in entry.queue.clone() {
            self.unlink(name, client, actor);
            self.answer(client, Answer::Refused(Refusal::ShuttingDown), actor);
        }
    }

    pub(super) fn close_if_drained(&mut self, actor: Actor) {
        if self.remaining == 0 {
            self.end_grace(actor);
            self.stage = Stage::Closed;
        }
    }

    pub(super) fn end_grace(&mut self, actor: Actor) {
        let armed = std::mem::replace(&mut self.grace, GraceTimer::Over) == GraceTimer::Armed;
        if armed && self.nothing_is_armed() {
            self.rouse(actor);
        }
    }

    pub(super) fn arm_grace(&mut self, actor: Actor) {
        self.grace = GraceTimer::Armed;
        self.serve(actor);
    }

    fn arm(&mut self, shard: Shard, target: Target, actor: Actor) {
        self.armed[shard].insert(target);
        if self.told[shard] == Told::Never {
            self.tell(shard, Told::Exactly, actor);
        } else {
            self.tell_if_soon(shard, actor);
        }
    }

    /// The timer stays, and is due at another time.
    fn renew_lease(&mut self, shard: Shard, actor: Actor) {
        self.told[shard] = Told::TooEarly;
        self.tell_if_soon(shard, actor);
    }

    fn tell_if_soon(&mut self, shard: Shard, actor: Actor) {
        if self.soon && self.fault == Some(Fault::EarlierTimerIsNotTold) {
            self.told[shard] = Told::TooLate;
        } else if self.soon {
            self.tell(shard, Told::Exactly, actor);
        }
    }

    fn disarm(&mut self, shard: Shard, target: Target) {
        self.armed[shard].remove(&target);
        if self.told[shard] == Told::Exactly {
            self.told[shard] = Told::TooEarly;
        }
    }

    /// After timers have been disarmed. One that was armed in their place has told of itself.
    fn tell_if_needed(&mut self, shard: Shard, actor: Actor) {
        let blind = self.fault == Some(Fault::FewerTimersAreTakenForNone);
        if self.told[shard] != Told::Never && (self.armed[shard].is_empty() || blind) {
            self.tell(shard, Told::Never, actor);
        }
    }

    fn tell(&mut self, shard: Shard, first: Told, actor: Actor) {
        self.told[shard] = first;
        if first != Told::Never {
            self.serve(actor);
        } else if self.nothing_is_armed() {
            self.rouse(actor);
        }
    }

    /// The reaper has been told of a timer. Whether it is due before what a sleeper sleeps for is for the
    /// step to say.
    fn serve(&mut self, actor: Actor) {
        if self.mark == Mark::Absent {
            self.mark = Mark::Awake;
            self.effects_of(actor).start_reaper = true;
        } else if self.soon && self.fault == Some(Fault::EarlierTimerWakesNobody) {
            self.mark = if self.mark == Mark::Asleep { Mark::AsleepTooLong } else { self.mark };
        } else if self.soon {
            self.rouse(actor);
        }
    }

    fn rouse(&mut self, actor: Actor) {
        if self.mark == Mark::Asleep {
            self.mark = Mark::Awake;
            self.effects_of(actor).rouse_reaper = true;
        }
    }

    /// Whether the reaper need serve nobody, as far as it has been told.
    pub(super) fn nothing_is_armed(&self) -> bool {
        self.told.iter().all(|told| *told == Told::Never) && self.grace != GraceTimer::Armed
    }
}
