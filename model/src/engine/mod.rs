//! The engine's algorithm, step by step, and that it refines the protocol.
//!
//! The engine does each action under one shard's lock, and leaves for after the unlock what must not
//! happen under it: waking, starting the reaper. A shutdown goes from shard to shard. Timers are taken out
//! of the set before the shard of their target is locked. Between any two of these steps any other
//! client, the reaper or an operator may come in between; this model explores all the ways in which
//! they do.
//!
//! **Refinement.** `State::abstraction` says which state of the specification a state of the engine
//! stands for. Every step of the engine is then one step of the specification, the one that
//! `State::means` names, with the same answers, or changes nothing there (a stutter). Both are
//! checked at every transition, and every safety property is judged on the specification's side of it.
//!
//! The abstraction is where the engine is *ahead* of itself. While a shutdown goes from shard to shard,
//! those that have not heard of it still show waiters, and after the grace holders; but whoever comes to
//! them next will hear of it first. So these waiters and holders are over already, and the abstraction
//! leaves them out.
//!
//! **Progress.** Four invariants say that what is done after the unlock is done by somebody: whoever has
//! been answered is woken or about to be; timers are served by a reaper that is there or about to be; a
//! reaper that is to look again is awake or about to be; a shard that has not heard of a shutdown is
//! about to.
//!
//! The engine's functions are not called here (they are written for threads, not for a checker). What
//! binds the two is [`STANDS_FOR`], of which a test sees that every function still exists, and the
//! interleavings that loom explores on the engine's own code.

mod refine;
mod state;

use lockspace_spec::{Grace, Lease, SAFETY, Wait};

use crate::machine::{Ids, Machine, Next};
use state::{Caller, GraceTimer, Mark, Stage, Target, Tour};

pub use state::{Actor, State};

/// What each part of this model stands for: a file of the engine and a function in it.
pub const STANDS_FOR: [(&str, &str, &str); 25] = [
    ("State::acquire", "engine/table.rs", "acquire"),
    ("State::acquire, the name free", "engine/table.rs", "take_free"),
    ("State::acquire, the name held", "engine/table.rs", "join_queue"),
    ("State::poll_wait", "engine/table.rs", "poll_wait"),
    ("State::cancel", "engine/table.rs", "cancel"),
    ("State::release", "engine/table.rs", "release"),
    ("Step::Renew", "engine/table.rs", "renew"),
    ("State::wait_elapsed", "engine/table.rs", "wait_elapsed"),
    ("State::lease_elapsed", "engine/table.rs", "lease_elapsed"),
    ("State::force_release", "engine/table.rs", "force_release"),
    ("State::heed_shutdown", "engine/table.rs", "heed_shutdown"),
    ("State::grant", "engine/table.rs", "grant"),
    ("State::end_hold", "engine/table.rs", "end_hold"),
    ("State::hand_over", "engine/table.rs", "hand_over"),
    ("State::answer", "engine/table.rs", "answer"),
    ("State::unlink", "engine/table.rs", "unlink"),
    ("State::refuse_waiters", "engine/table.rs", "refuse_waiters"),
    ("State::close_if_drained", "engine/common.rs", "close_if_drained"),
    ("State::arm", "engine/timers.rs", "arm"),
    ("State::disarm", "engine/timers.rs", "disarm"),
    ("Step::TakeDue", "engine/timers.rs", "take_due"),
    ("Step::Sleep", "engine/timers.rs", "sleep_until"),
    ("Step::CarryOut", "engine/effects.rs", "carry_out"),
    ("Step::Shutdown", "engine/mod.rs", "enter"),
    ("Step::Tour", "engine/mod.rs", "tell_all_shards"),
];

/// The engine within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// How many clients there are, each with one request at a time.
    pub clients: usize,
    /// How many names they use.
    pub names: usize,
    /// Over how many shards the names are spread.
    pub shards: usize,
    /// What is done wrong; nothing in the engine as it is.
    pub fault: Option<Fault>,
}

/// Something that an engine could do wrong, and each of which a check must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A waiter is answered, and nobody wakes it.
    AnswerWakesNobody,
    /// A future that is dropped after its grant does not pass the grant on.
    CancelDropsTheGrant,
    /// A wait timer that fires does not look whether its waiter has been answered.
    TimeoutOverrulesTheGrant,
    /// A waiter that leaves its queue leaves its timer behind.
    WaitTimerIsLeft,
    /// An acquire looks only at what its own shard has heard of a shutdown.
    AcquireDoesNotHeedShutdown,
    /// A release grants the next waiter of a shard that has not heard of the shutdown.
    ReleaseDoesNotHeedShutdown,
    /// The reaper ends without looking whether a timer has been armed.
    ReaperEndsBlindly,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::AnswerWakesNobody,
        Self::CancelDropsTheGrant,
        Self::TimeoutOverrulesTheGrant,
        Self::WaitTimerIsLeft,
        Self::AcquireDoesNotHeedShutdown,
        Self::ReleaseDoesNotHeedShutdown,
        Self::ReaperEndsBlindly,
    ];
}

/// One step of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A client asks for a name.
    Acquire {
        /// Who.
        client: usize,
        /// Which name.
        name: usize,
        /// How long it would wait.
        wait: Wait,
        /// How long it would hold.
        lease: Lease,
    },
    /// A client's future is polled.
    Poll(usize),
    /// A client's future is dropped.
    Cancel(usize),
    /// A client's guard is released.
    Release(usize),
    /// A client's guard renews its lease.
    Renew(usize),
    /// An actor does one of the things that its last action left for after the unlock.
    CarryOut(Actor),
    /// The reaper takes a timer out of the set because it is due.
    TakeDue(usize),
    /// The reaper acts upon the timer that it has taken.
    Fire,
    /// The reaper goes to sleep, or ends.
    Sleep,
    /// An operator forces a name.
    Force(usize),
    /// An operator begins to shut down.
    Shutdown(Grace),
    /// The operator (or, at the end of a grace, the reaper) goes on with its tour of the shards.
    Tour(Actor),
}

impl Machine for Engine {
    type State = State;
    type Action = Step;
    type Key = State;

    fn initial(&self) -> State {
        State::new(self.clients, self.names, self.shards, self.fault)
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for client in 0..self.clients {
            if state.effects[client].is_empty() {
                self.client_steps(state, client, steps);
            } else {
                steps.push(Step::CarryOut(Actor::Client(client)));
            }
        }
        self.reaper_steps(state, steps);
        self.operator_steps(state, steps);
    }

    fn next(&self, state: &State, scratch: &mut State, step: &Step, _: Ids) -> Next<State> {
        scratch.take(*step);
        let broken = refine::judge(state, *step, scratch);
        let next = if broken.is_empty() {
            Next::Sound { to: scratch.clone(), shown: Ids::NONE }
        } else {
            Next::Broken(broken)
        };
        scratch.clone_from(state);
        next
    }

    fn pack(&self, state: &State) -> State {
        state.clone()
    }

    fn unpack(&self, key: &State) -> State {
        key.clone()
    }
}

/// Which steps are possible.
impl Engine {
    fn client_steps(&self, state: &State, client: usize, steps: &mut Vec<Step>) {
        match state.callers[client] {
            Caller::Idle => {
                for name in 0..self.names {
                    for wait in [Wait::No, Wait::Bounded, Wait::Unbounded] {
                        for lease in [Lease::Unbounded, Lease::Bounded] {
                            steps.push(Step::Acquire { client, name, wait, lease });
                        }
                    }
                }
            }
            Caller::Waiting { .. } => steps.extend([Step::Poll(client), Step::Cancel(client)]),
            Caller::Guard { .. } => steps.extend([Step::Release(client), Step::Renew(client)]),
        }
    }

    fn reaper_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if !state.effects[self.clients].is_empty() {
            steps.push(Step::CarryOut(Actor::Reaper));
        } else if state.reaper_tour != Tour::Home {
            steps.push(Step::Tour(Actor::Reaper));
        } else if state.firing.is_some() {
            steps.push(Step::Fire);
        } else if state.reaper_runs {
            steps.extend((0..state.armed.len()).map(Step::TakeDue));
            if !state.reaper_sleeps {
                steps.push(Step::Sleep);
            }
        }
    }

    fn operator_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if !state.effects[self.clients + 1].is_empty() {
            steps.push(Step::CarryOut(Actor::Operator));
        } else if state.operator_tour != Tour::Home {
            steps.push(Step::Tour(Actor::Operator));
        } else {
            steps.extend((0..self.names).map(Step::Force));
            steps.extend([Grace::No, Grace::Bounded].map(Step::Shutdown));
        }
    }
}

/// What the steps do.
impl State {
    fn take(&mut self, step: Step) {
        match step {
            Step::Acquire { client, name, wait, lease } => self.acquire(client, name, wait, lease),
            Step::Poll(client) => self.poll_wait(client),
            Step::Cancel(client) => self.cancel(client),
            Step::Release(client) => {
                if let Caller::Guard { name } = self.callers[client] {
                    self.callers[client] = Caller::Idle;
                    self.release(name, client, Actor::Client(client));
                }
            }
            Step::Renew(client) => {
                if let Caller::Guard { name } = self.callers[client] {
                    self.heed_shutdown(self.shard_of(name), Actor::Client(client));
                }
            }
            Step::CarryOut(actor) => self.carry_out(actor),
            Step::TakeDue(index) => self.take_due(index),
            Step::Fire => self.fire(),
            Step::Sleep => self.sleep(),
            Step::Force(name) => self.force_release(name),
            Step::Shutdown(grace) => self.operator_tour = self.enter(grace, Actor::Operator),
            Step::Tour(actor) => self.go_on_tour(actor),
        }
    }

    fn carry_out(&mut self, actor: Actor) {
        let effects = self.effects_of(actor);
        if let Some(client) = effects.next_to_wake() {
            if let Caller::Waiting { woken, .. } = &mut self.callers[client] {
                *woken = true;
            }
        } else if std::mem::take(&mut effects.rouse_reaper) {
            self.reaper_sleeps = false;
        } else {
            effects.start_reaper = false;
            self.reaper_runs = true;
            self.reaper_sleeps = false;
        }
    }

    fn take_due(&mut self, index: usize) {
        self.reaper_sleeps = false;
        if let Some(due) = self.armed.iter().nth(index).copied() {
            self.armed.remove(&due);
            self.firing = Some((due, false));
        }
    }

    fn fire(&mut self) {
        match self.firing.take() {
            Some((Target::Wait(client), disarmed)) => self.wait_elapsed(client, !disarmed),
            Some((Target::Lease(name, client), disarmed)) => {
                self.lease_elapsed(name, client, !disarmed);
            }
            Some((Target::Grace, _)) => self.reaper_tour = self.enter(Grace::No, Actor::Reaper),
            None => {}
        }
    }

    fn sleep(&mut self) {
        let blind = self.fault == Some(Fault::ReaperEndsBlindly);
        if self.armed.is_empty() || blind {
            self.mark = Mark::Absent;
            self.reaper_runs = false;
        } else {
            self.mark = Mark::Asleep;
            self.reaper_sleeps = true;
        }
    }

    /// A shutdown, or the end of its grace, enters its stage; then the tour begins.
    fn enter(&mut self, grace: Grace, actor: Actor) -> Tour {
        let stage = if grace == Grace::No { Stage::Revoked } else { Stage::Draining };
        let first = self.stage == Stage::Open;
        if first {
            self.remaining = 1;
        }
        self.stage = self.stage.max(stage);
        if stage == Stage::Revoked {
            self.end_grace(actor);
        }
        Tour::Telling { shard: 0, first, grace }
    }

    fn go_on_tour(&mut self, actor: Actor) {
        let tour = if actor == Actor::Reaper { self.reaper_tour } else { self.operator_tour };
        let after_all = |grace| if grace == Grace::No { Tour::Home } else { Tour::Limit };
        let next = match tour {
            Tour::Home => Tour::Home,
            Tour::Telling { shard, first, grace } => {
                self.heed_shutdown(shard, actor);
                match shard + 1 {
                    shard if shard < self.heard.len() => Tour::Telling { shard, first, grace },
                    _ if first => Tour::AllHeard { grace },
                    _ => after_all(grace),
                }
            }
            Tour::AllHeard { grace } => {
                self.remaining -= 1;
                self.close_if_drained(actor);
                after_all(grace)
            }
            Tour::Limit => {
                if self.grace == GraceTimer::NotSet {
                    self.grace = GraceTimer::Armed;
                    self.arm(Target::Grace, actor);
                }
                Tour::Home
            }
        };
        match actor {
            Actor::Reaper => self.reaper_tour = next,
            Actor::Operator | Actor::Client(_) => self.operator_tour = next,
        }
    }
}

/// All safety properties: what a step that is no step of the specification may be said to break.
fn every_property() -> Ids {
    Ids::first(SAFETY.len())
}
