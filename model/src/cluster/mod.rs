//! The protocol over a store: the shipping members, in all that can happen to them.
//!
//! Each session is a [`Member`], the very machine that a process runs. Around it this model has a store
//! that swaps, messages that are late, lost, or done with the answer lost, processes that crash or stand
//! still for as long as they like, clocks that run at different speeds within a bound, and operators who
//! force. There are no hints about changes: a process looks when it looks, soon or never, so nothing
//! rests upon hints.
//!
//! **Time.** Whenever time passes, each clock goes on by one of two amounts, a slow and a fast one, and
//! which it is can change each time. Between two such ticks anything may happen, in any order, and nothing
//! must: a process may miss any number of them. So the clocks keep a ratio within bounds over any time,
//! and that is all that is assumed of them. A cluster with a bound on [takeovers](Cluster::takeover) is one
//! in which processes do what they should at every tick; it shows how long it takes until the dead are
//! out of the way.
//!
//! **Sameness.** `canonical` tells why finitely many states suffice for any number of sessions, wishes
//! and keep-alives.
//!
//! **Judgement.** S1 is judged by what each session *believes*: that it holds what its users were told, as
//! long as it trusts itself by its own clock. Each swap of a name's row is a few actions of the
//! specification, judged by all its safety properties (`refine`). What neither shows is in `judge`,
//! and what must be reached at last in [`graph`].
//!
//! `docs/protocol-over-a-store.md` tells the protocol in prose.

mod bounds;
mod canonical;
pub mod defects;
pub mod graph;
mod judge;
mod packed;
mod refine;
mod run;
mod tell;
pub mod world;

pub use bounds::{Bounds, Late};

use std::time::Duration;

use lockspace::store::Ask;
use lockspace::store::member::{Answer, Call, Member, Sweep};
use lockspace::store::session::{Life, Timing};
use serde::Deserialize;

use crate::machine::{Ids, Machine, Next};
use world::{Action, Failure, Flight, NOW, Slot, Stored, Told, World, name};

/// A cluster within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// How many sessions there can be at the same time, those included of which something is left.
    pub sessions: usize,
    /// How many names they use.
    pub names: usize,
    /// The drift margin, in milliseconds.
    pub margin: u64,
    /// By how many milliseconds a slow and a fast clock go on whenever time passes.
    pub clocks: [u64; 2],
    /// How messages travel.
    pub network: Network,
    /// What happens besides.
    pub events: Events,
    /// If processes do at every tick what they should (they are *prompt*): at which tick at the latest
    /// a holder that died is out of the way of those who live.
    pub takeover: Option<u64>,
    /// What store and processes do.
    pub design: Design,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A call is made and answered before anything else happens.
    AtOnce,
    /// A call is on its way for as long as it likes, and so is its answer; either may be lost.
    Late {
        /// Which calls; all others are made and answered at once.
        which: Calls,
        /// How many of them may be on their way at the same time. Any further one is answered at once.
        calls: usize,
        /// How many of these may be such that nobody waits for any more.
        given_up: usize,
    },
}

/// Some of the calls.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Calls {
    /// Those of each session about itself.
    Own,
    /// Those about sessions.
    Sessions,
    /// Those about names.
    Names,
    /// All.
    All,
}

/// What happens besides sessions that begin and names that are wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Processes crash.
    pub crashes: bool,
    /// Sessions are closed.
    pub closing: bool,
    /// Names are passed on within a process.
    pub passing_on: bool,
    /// Processes sweep.
    pub sweeping: bool,
    /// Operators force.
    pub forcing: bool,
    /// Users write to what a name protects, with the last token that they were told.
    pub writing: bool,
}

impl Events {
    /// Nothing.
    pub const NONE: Self = Self {
        crashes: false,
        closing: false,
        passing_on: false,
        sweeping: false,
        forcing: false,
        writing: false,
    };
}

/// What store and processes do. A faulty design does one thing wrong.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    /// A call is sent.
    pub send: fn(&mut Stored, &mut Flight),
    /// The store does what a call asks, on behalf of a session, and answers.
    pub serve: fn(&mut Stored, Slot, &Flight, &mut Told) -> Answer,
    /// A process takes the answer to a call.
    pub take: fn(&mut Member, &Call, Answer),
    /// Whether the store swaps a row only if it has the version that is expected, and gives versions in
    /// order: then what is outdated can be forgotten.
    pub is_sound: bool,
    /// Whether what processes believe excludes each other (S1). It does unless their clocks are worse
    /// than the margin allows for.
    pub excludes: bool,
}

impl Design {
    /// The one that passes.
    pub const CORRECT: Self = Self {
        send: |_, _| (),
        serve: |store, by, flight, told| store.serve(by, &flight.call, told),
        take: |member, _, answer| member.answered(answer, NOW),
        is_sound: true,
        excludes: true,
    };
}

impl Cluster {
    /// Some sessions that share some names, and nothing else: no time passes, no call is late, nobody
    /// crashes or closes. The margin is exactly what clocks at 2 and 3 need.
    #[must_use]
    pub const fn new(sessions: usize, names: usize) -> Self {
        Self {
            sessions,
            names,
            margin: 2,
            clocks: [0, 0],
            network: Network::AtOnce,
            events: Events::NONE,
            takeover: None,
            design: Design::CORRECT,
        }
    }

    /// The times of every session.
    ///
    /// # Panics
    /// If the margin leaves no time to keep a session alive.
    #[must_use]
    pub fn timing(&self) -> Timing {
        let ms = Duration::from_millis;
        let timing = Timing::new(ms(6)).margin(ms(self.margin));
        timing.and_then(|timing| timing.renew(ms(2), ms(0))).expect("the times fit together")
    }

    /// Which processes are up, a bit each.
    fn up(&self, world: &World) -> u8 {
        let up = (0..self.sessions).filter(|slot| world.member(*slot).is_some());
        up.fold(0, |up, slot| up | 1 << slot)
    }
}

impl Machine for Cluster {
    type State = World;
    type Action = Action;
    type Key = Box<[u8]>;

    fn initial(&self) -> World {
        World::new(self.sessions, self.names)
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Free slots are alike: the first one is taken.
        let mut free = (0..self.sessions).filter(|slot| world.is_forgotten(*slot));
        actions.extend(free.next().map(Action::Begin));
        for slot in 0..self.sessions {
            if let Some(member) = world.member(slot) {
                self.member_actions(slot, member, actions);
            }
            self.flight_actions(world, slot, actions);
            if self.events.writing {
                let users = world.slots[slot].users.iter().enumerate();
                let armed = users.filter(|(_, users)| users.guard.is_some());
                actions.extend(armed.map(|(of, _)| Action::Write(slot, of)));
            }
        }
        if self.events.forcing {
            let held = (0..self.names).filter(|of| world.store.names[*of].is_some());
            actions.extend(held.map(Action::Force));
        }
        // Which clocks run fast: every set of those that anybody looks at.
        let ([slow, fast], up) = (self.clocks, self.up(world));
        let sets = (0..=up).filter(|set| set & !up == 0 && (*set == 0 || fast > slow));
        actions.extend(sets.filter(|_| fast > 0).map(Action::Tick));
    }

    fn next(&self, world: &World, after: &mut World, action: &Action, _: Ids) -> Next<Box<[u8]>> {
        let told = self.take(after, *action);
        let broken = self.judge(world, *action, &told, after);
        let next = if broken.is_empty() {
            after.make_canonical(self.design.is_sound);
            Next::Sound { to: packed::pack(after), shown: Ids::NONE }
        } else {
            Next::Broken(broken)
        };
        after.clone_from(world);
        next
    }

    fn pack(&self, world: &World) -> Box<[u8]> {
        packed::pack(world)
    }

    fn unpack(&self, key: &Box<[u8]>) -> World {
        packed::unpack(key, self.timing())
    }
}

/// Which actions are possible.
impl Cluster {
    fn member_actions(&self, slot: Slot, member: &Member, actions: &mut Vec<Action>) {
        let events = self.events;
        let is_due = member.next_wake().is_some_and(|at| at <= NOW);
        actions.extend(is_due.then_some(Action::Wake(slot)));
        actions.extend(events.crashes.then_some(Action::Crash(slot)));
        if member.session.life != Life::Alive {
            return;
        }
        if events.closing && !member.closing {
            actions.push(Action::Close(slot));
        }
        if events.sweeping && self.takeover.is_none() && member.sweep == Sweep::Idle {
            actions.push(Action::Sweep(slot));
        }
        for of in 0..self.names {
            let claimant = member.names.get(&name(of));
            let wish = claimant.and_then(|claimant| claimant.wish);
            let holds = claimant.is_some_and(|claimant| claimant.told.is_some());
            if wish.is_some() {
                actions.push(Action::GiveUp(slot, of));
            } else if !member.closing {
                actions.push(Action::Want(slot, of));
            }
            actions.extend((holds && events.passing_on).then_some(Action::PassOn(slot, of)));
            let may_look = claimant.is_some_and(|claimant| claimant.asking.is_none());
            if may_look && self.takeover.is_none() && (!holds || events.forcing) {
                actions.push(Action::Look(slot, of));
            }
        }
    }

    fn flight_actions(&self, world: &World, slot: Slot, actions: &mut Vec<Action>) {
        let given_up = match self.network {
            Network::AtOnce => 0,
            Network::Late { given_up, .. } => given_up,
        };
        let all = world.slots.iter().flat_map(|seat| &seat.flights);
        let may_be_late = all.filter(|flight| !flight.awaited).count() < given_up;
        for (index, flight) in world.slots[slot].flights.iter().enumerate() {
            let served = flight.is_served();
            actions.push(if served { Action::Deliver } else { Action::Serve }(slot, index));
            // Lost, these are no more than if they had not been sent.
            let without_loss = matches!(flight.call, Call::Other(..) | Call::Scan)
                || matches!(flight.call, Call::Own(Ask::Load) | Call::Name(_, Ask::Load));
            if without_loss {
                continue;
            }
            let fail = |how| Action::Fail(slot, index, how);
            actions.push(fail(Failure::Lost));
            if flight.awaited && !served {
                actions.push(fail(Failure::Refused));
                actions.extend(may_be_late.then(|| fail(Failure::Late)));
            }
        }
    }
}
