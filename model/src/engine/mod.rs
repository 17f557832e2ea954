//! The engine's algorithm, step by step, and that it refines the protocol.
//!
//! The engine does each action under one shard's lock, but for seeing a grant that was posted beside it.
//! It leaves for after the unlock what must not happen under it: waking, starting the reaper. A shutdown
//! goes from shard to shard. The reaper is told where something may be due before it locks that shard, and
//! acts there upon whatever is due by then. Between any two of these steps any other client, the reaper or
//! the operator may come in between. This model explores all the ways in which they do, for what is in it.
//!
//! **What is not in it.** There is one operator, who shuts down only when he has come home from his last
//! tour: two shutdowns never go through the shards at the same time, and none brings the end of a grace
//! forward. A thread that gives up its own wait (`give_up`), a reaper that dies or cannot be started,
//! limits, owners and what a store adds are not here either. Loom looks at two shutdowns at once, at a
//! grace that is brought forward, at `give_up` and at a reaper that dies.
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
//! about to. Two more, and a look at each of the reaper's stops, say that it comes in time: what a shard
//! has told it is never too late, and that it has nothing exactly if that is so; it does not sleep past
//! what it was told; and where it has come too early it is told better, or it would come again and again.
//!
//! The engine's functions are not called here (they are written for threads, not for a checker). What
//! binds the two is [`STANDS_FOR`], of which a test sees that every function still exists, and the
//! interleavings that loom explores on the engine's own code.

mod refine;
mod state;

use lockspace_spec::{Grace, Lease, SAFETY, Wait};

use crate::machine::{Ids, Machine, Next};
use state::{Answer, Caller, GraceTimer, Mark, Stage, Told, Tour};

pub use state::{Actor, State, Stop};

/// What each part of this model stands for: a file of the engine and a function in it.
pub const STANDS_FOR: [(&str, &str, &str); 36] = [
    ("State::acquire", "engine/table.rs", "acquire"),
    ("State::acquire, plainly, the name free", "engine/plainly.rs", "take_free"),
    ("State::acquire, plainly, the name held", "engine/plainly.rs", "take_place"),
    ("State::acquire, the name held", "engine/table.rs", "join_queue"),
    ("State::poll_wait", "engine/table.rs", "poll_wait"),
    ("State::take_post", "engine/mod.rs", "take_post"),
    ("State::cancel", "engine/table.rs", "cancel"),
    ("State::cancel, plainly", "engine/plainly.rs", "leave"),
    ("State::release", "engine/table.rs", "release"),
    ("State::release, plainly", "engine/plainly.rs", "give_back"),
    ("State::hand_over, plainly", "engine/plainly.rs", "hand_on"),
    ("Act::Renew", "engine/table.rs", "renew"),
    ("State::elapse_first", "engine/elapse.rs", "elapse"),
    ("State::elapse_first, a lease", "engine/elapse.rs", "lease_elapsed"),
    ("State::time_out", "engine/elapse.rs", "time_out"),
    ("State::come_away", "engine/elapse.rs", "elapse"),
    ("State::force_release", "engine/table.rs", "force_release"),
    ("State::heed_shutdown", "engine/table.rs", "heed_shutdown"),
    ("State::grant", "engine/table.rs", "grant"),
    ("State::end_hold", "engine/table.rs", "end_hold"),
    ("State::hand_over", "engine/table.rs", "hand_over"),
    ("State::answer", "engine/table.rs", "answer"),
    ("State::unlink", "engine/table.rs", "unlink"),
    ("State::refuse_waiters", "engine/table.rs", "refuse_waiters"),
    ("State::close_if_drained", "engine/common.rs", "close_if_drained"),
    ("State::arm", "engine/elapse.rs", "arm"),
    ("State::disarm", "engine/elapse.rs", "disarm_untold"),
    ("State::disarm, plainly", "engine/elapse.rs", "disarm_unheard"),
    ("State::renew_lease", "engine/elapse.rs", "renew_lease"),
    ("State::tell_if_needed", "engine/elapse.rs", "tell_if_needed"),
    ("State::tell", "engine/rounds.rs", "tell"),
    ("Act::Stop", "engine/rounds.rs", "due"),
    ("Act::Sleep", "engine/rounds.rs", "sleep_until"),
    ("Act::CarryOut", "engine/effects.rs", "carry_out"),
    ("Act::Shutdown", "engine/mod.rs", "enter"),
    ("Act::Tour", "engine/mod.rs", "tell_all_shards"),
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
    /// Whether waits and leases may be bounded. Without, there is no timer but that of the grace.
    pub timed: bool,
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
    /// A waiter that leaves its queue leaves its timer behind.
    WaitTimerIsLeft,
    /// The end of a hold grants the last waiter.
    LastIsServedFirst,
    /// An acquire looks only at what its own shard has heard of a shutdown.
    AcquireDoesNotHeedShutdown,
    /// A release grants the next waiter of a shard that has not heard of the shutdown.
    ReleaseDoesNotHeedShutdown,
    /// The reaper ends without looking whether a timer has been armed.
    ReaperEndsBlindly,
    /// A shard does not tell of a timer that is due before all that it has told of.
    EarlierTimerIsNotTold,
    /// The reaper is told of it, and sleeps on.
    EarlierTimerWakesNobody,
    /// A shard that disarms a timer says that it has none any more.
    FewerTimersAreTakenForNone,
    /// The reaper comes too early, and is not told better.
    StaleTimeIsLeft,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 11] = [
        Self::AnswerWakesNobody,
        Self::CancelDropsTheGrant,
        Self::WaitTimerIsLeft,
        Self::LastIsServedFirst,
        Self::AcquireDoesNotHeedShutdown,
        Self::ReleaseDoesNotHeedShutdown,
        Self::ReaperEndsBlindly,
        Self::EarlierTimerIsNotTold,
        Self::EarlierTimerWakesNobody,
        Self::FewerTimersAreTakenForNone,
        Self::StaleTimeIsLeft,
    ];
}

/// One step of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// Whether a timer that is armed by it is due before all others that are armed. Most steps arm none,
    /// and none arms two.
    pub soon: bool,
}

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
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
    /// A client's future is polled, and looks into its shard.
    Poll(usize),
    /// A client's future is polled, and finds its grant posted beside the lock.
    TakePost(usize),
    /// A client's future is dropped.
    Cancel(usize),
    /// A client's guard is released.
    Release(usize),
    /// A client's guard renews its lease.
    Renew(usize),
    /// An actor does one of the things that its last action left for after the unlock.
    CarryOut(Actor),
    /// The reaper is told to look somewhere, because something may be due there.
    Stop(Stop),
    /// The reaper acts upon the timer with this number, of those of the shard where it is, because it is
    /// due; or upon the end of the grace.
    Elapse(usize),
    /// The reaper has done what it had to do there.
    ComeAway,
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
        let mut acts = Vec::new();
        for client in 0..self.clients {
            if state.effects[client].is_empty() {
                self.client_acts(state, client, &mut acts);
            } else {
                acts.push(Act::CarryOut(Actor::Client(client)));
            }
        }
        self.reaper_acts(state, &mut acts);
        self.operator_acts(state, &mut acts);
        for act in acts {
            steps.push(Step { act, soon: false });
            // Without another timer there is none to be earlier than.
            if !state.nothing_is_armed() && state.may_arm(act) {
                steps.push(Step { act, soon: true });
            }
        }
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
    fn client_acts(&self, state: &State, client: usize, acts: &mut Vec<Act>) {
        match state.callers[client] {
            Caller::Idle => {
                let (waits, leases): (&[Wait], &[Lease]) = if self.timed {
                    (
                        &[Wait::No, Wait::Bounded, Wait::Unbounded],
                        &[Lease::Unbounded, Lease::Bounded],
                    )
                } else {
                    (&[Wait::No, Wait::Unbounded], &[Lease::Unbounded])
                };
                for name in 0..self.names {
                    for &wait in waits {
                        for &lease in leases {
                            acts.push(Act::Acquire { client, name, wait, lease });
                        }
                    }
                }
            }
            Caller::Waiting { answer, .. } => {
                acts.extend([Act::Poll(client), Act::Cancel(client)]);
                // Whether it was posted or told in the slot makes no difference to anybody else.
                if answer == Some(Answer::Granted) {
                    acts.push(Act::TakePost(client));
                }
            }
            Caller::Guard { .. } => acts.extend([Act::Release(client), Act::Renew(client)]),
        }
    }

    fn reaper_acts(&self, state: &State, acts: &mut Vec<Act>) {
        match state.stop {
            // The engine acts upon one timer before it comes away and carries out what that left to do. Here
            // there may be several, or none: what is true then is true of it.
            Some(Stop::Shard(shard)) => {
                acts.extend((0..state.armed[shard].len()).map(Act::Elapse));
                acts.push(Act::ComeAway);
            }
            Some(Stop::Grace) => acts.push(Act::Elapse(0)),
            None if !state.effects[self.clients].is_empty() => {
                acts.push(Act::CarryOut(Actor::Reaper));
            }
            None if state.reaper_tour != Tour::Home => acts.push(Act::Tour(Actor::Reaper)),
            None if state.reaper_runs => {
                let shards = (0..self.shards).filter(|shard| state.told[*shard] != Told::Never);
                acts.extend(shards.map(|shard| Act::Stop(Stop::Shard(shard))));
                if state.grace == GraceTimer::Armed {
                    acts.push(Act::Stop(Stop::Grace));
                }
                if !state.reaper_sleeps {
                    acts.push(Act::Sleep);
                }
            }
            None => {}
        }
    }

    fn operator_acts(&self, state: &State, acts: &mut Vec<Act>) {
        if !state.effects[self.clients + 1].is_empty() {
            acts.push(Act::CarryOut(Actor::Operator));
        } else if state.operator_tour != Tour::Home {
            acts.push(Act::Tour(Actor::Operator));
        } else {
            acts.extend((0..self.names).map(Act::Force));
            acts.extend([Grace::No, Grace::Bounded].map(Act::Shutdown));
        }
    }
}

impl State {
    /// Whether an act may arm a timer: if not, there is nothing to choose.
    fn may_arm(&self, act: Act) -> bool {
        match act {
            Act::Acquire { wait, lease, .. } => wait == Wait::Bounded || lease == Lease::Bounded,
            Act::Cancel(_) | Act::Release(_) | Act::Elapse(_) | Act::Force(_) => {
                let wants_lease = |caller: &Caller| {
                    matches!(caller, Caller::Waiting { lease: Lease::Bounded, .. })
                };
                self.callers.iter().any(wants_lease)
            }
            Act::Renew(_) => true,
            Act::Tour(_) => self.operator_tour == Tour::Limit,
            Act::Poll(_)
            | Act::TakePost(_)
            | Act::CarryOut(_)
            | Act::Stop(_)
            | Act::ComeAway
            | Act::Sleep
            | Act::Shutdown(_) => false,
        }
    }
}

/// What the steps do.
impl State {
    fn take(&mut self, step: Step) {
        self.soon = step.soon;
        self.act(step.act);
        self.soon = false;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Acquire { client, name, wait, lease } => self.acquire(client, name, wait, lease),
            Act::Poll(client) => self.poll_wait(client),
            Act::TakePost(client) => self.take_post(client),
            Act::Cancel(client) => self.cancel(client),
            Act::Release(client) => {
                if let Caller::Guard { name } = self.callers[client] {
                    self.callers[client] = Caller::Idle;
                    self.release(name, client, Actor::Client(client));
                }
            }
            Act::Renew(client) => {
                if let Caller::Guard { name } = self.callers[client] {
                    self.renew(name, client);
                }
            }
            Act::CarryOut(actor) => self.carry_out(actor),
            Act::Stop(stop) => self.stop_at(stop),
            Act::Elapse(timer) => self.elapse(timer),
            Act::ComeAway => {
                if let Some(Stop::Shard(shard)) = self.stop.take() {
                    self.come_away(shard);
                }
            }
            Act::Sleep => self.sleep(),
            Act::Force(name) => self.force_release(name),
            Act::Shutdown(grace) => self.operator_tour = self.enter(grace, Actor::Operator),
            Act::Tour(actor) => self.go_on_tour(actor),
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

    fn stop_at(&mut self, stop: Stop) {
        self.reaper_sleeps = false;
        self.mark = Mark::Awake;
        self.stop = Some(stop);
    }

    fn elapse(&mut self, timer: usize) {
        match self.stop {
            Some(Stop::Shard(shard)) => {
                if let Some(due) = self.armed[shard].iter().nth(timer).copied() {
                    self.elapse_first(shard, due);
                }
            }
            Some(Stop::Grace) => {
                self.stop = None;
                self.reaper_tour = self.enter(Grace::No, Actor::Reaper);
            }
            None => {}
        }
    }

    fn sleep(&mut self) {
        let blind = self.fault == Some(Fault::ReaperEndsBlindly);
        if self.nothing_is_armed() || blind {
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
                    self.arm_grace(actor);
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
