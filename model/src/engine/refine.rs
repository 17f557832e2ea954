//! Whether a step of the engine is a step of the specification.

use std::collections::VecDeque;

use lockspace_spec::{
    Action, Env, FencingToken, Hold, Lease, Limits, Name, Op, Outcome, Outcomes, Phase, Refusal,
    RequestId, SAFETY, State as Spec, Timer, Transition, Waiter, step,
};

use super::state::{Answer, Caller, Mark, Stage, State, Target, Told, Tour};
use super::{Act, Step, Stop, every_property};
use crate::machine::Ids;

/// What is wrong with the transition from `before` by `taken` to `after`; nothing, if it refines.
pub(super) fn judge(before: &State, taken: Step, after: &State) -> Ids {
    let (spec_before, spec_after) = (before.abstraction(), after.abstraction());
    let mut broken = match before.means(taken) {
        None if spec_before == spec_after => Ids::NONE,
        None => every_property(),
        Some(action) => {
            let (expected, told) = step(&spec_before, &action);
            let agree = renamed(&expected) == spec_after && answers_agree(before, after, &told);
            if agree {
                judge_spec(&spec_before, &action, &told, &expected)
            } else {
                every_property()
            }
        }
    };
    if comes_again(taken.act, before, after) {
        broken = broken.union(Ids::named(&SAFETY, &["S6"]));
    }
    for (id, holds) in INVARIANTS {
        if !holds(after) {
            broken = broken.union(Ids::named(&SAFETY, &[id]));
        }
    }
    broken
}

fn judge_spec(before: &Spec, action: &Action, outcomes: &Outcomes, after: &Spec) -> Ids {
    let transition = Transition { before, action, outcomes, after };
    let mut broken = Ids::NONE;
    for (index, property) in SAFETY.iter().enumerate() {
        if !(property.holds)(&transition) {
            broken.insert(index);
        }
    }
    broken
}

/// The token that the abstraction gives the hold of a name.
fn token_of(name: usize) -> FencingToken {
    FencingToken(name as u64 + 1)
}

fn request(client: usize) -> RequestId {
    RequestId(client as u16)
}

impl State {
    /// The state of the specification that this state stands for.
    pub(super) fn abstraction(&self) -> Spec {
        let mut spec = Spec::new(Limits::UNLIMITED);
        spec.next_token = token_of(self.entries.len());
        for (name, entry) in self.entries.iter().enumerate() {
            let Some(entry) = entry.as_ref().filter(|_| self.stage < Stage::Revoked) else {
                continue;
            };
            let lease = if entry.leased { Lease::Bounded } else { Lease::Unbounded };
            let hold = Hold { request: request(entry.token), name: Name(name as u16), lease };
            spec.holds.insert(token_of(name), hold);
            if entry.leased {
                spec.timers.insert(Timer::Lease(token_of(name)));
            }
            let open = self.stage == Stage::Open;
            let queue =
                entry.queue.iter().filter(|_| open).filter_map(|client| self.waiter(*client));
            let queue: VecDeque<Waiter> = queue.collect();
            let timed = queue.iter().filter(|waiter| waiter.timed);
            spec.timers.extend(timed.map(|waiter| Timer::Wait(waiter.request)));
            spec.entries.insert(Name(name as u16), queue);
        }
        spec.phase = match self.stage {
            Stage::Open => Phase::Open,
            Stage::Draining if !spec.holds.is_empty() => Phase::Draining,
            _ => Phase::Closed,
        };
        if spec.phase == Phase::Draining {
            spec.timers.insert(Timer::Grace);
        }
        spec
    }

    fn waiter(&self, client: usize) -> Option<Waiter> {
        match self.callers[client] {
            Caller::Waiting { timed, lease, .. } => {
                Some(Waiter { request: request(client), timed, lease })
            }
            Caller::Idle | Caller::Guard { .. } => None,
        }
    }

    /// The action of the specification that `step` is; `None` if it must not change anything there.
    fn means(&self, step: Step) -> Option<Action> {
        let op = |op: Op| Some(Action::Op(op));
        match step.act {
            Act::Acquire { client, name, wait, lease } => {
                op(Op::Acquire { request: request(client), name: Name(name as u16), wait, lease })
            }
            Act::Cancel(client) => op(Op::Cancel { request: request(client) }),
            Act::Release(client) => {
                let (request, token) = self.grant_of(client);
                op(Op::Release { request, token })
            }
            Act::Renew(client) => {
                let (request, token) = self.grant_of(client);
                op(Op::Renew { request, token })
            }
            Act::Force(name) => op(Op::ForceRelease { name: Name(name as u16) }),
            Act::Shutdown(grace) => op(Op::Shutdown { grace }),
            Act::Elapse(timer) => Some(Action::Env(match self.stop? {
                Stop::Grace => Env::GraceElapsed,
                Stop::Shard(shard) => match *self.armed[shard].iter().nth(timer)? {
                    Target::Wait(client) => Env::WaitElapsed { request: request(client) },
                    Target::Lease(name, _) => Env::LeaseElapsed { token: token_of(name) },
                },
            })),
            Act::Poll(_)
            | Act::TakePost(_)
            | Act::CarryOut(_)
            | Act::Stop(_)
            | Act::ComeAway
            | Act::Sleep
            | Act::Tour(_) => None,
        }
    }

    /// The request and token of a client's guard; of one that is not held any more, a token that
    /// nobody has.
    fn grant_of(&self, client: usize) -> (RequestId, FencingToken) {
        let current = match self.callers[client] {
            Caller::Guard { name } if self.is_held(name, client) => Some(token_of(name)),
            _ => None,
        };
        (request(client), current.unwrap_or(FencingToken(0)))
    }
}

/// The specification's state with its tokens renamed as the abstraction names them.
fn renamed(spec: &Spec) -> Spec {
    let mut renamed = spec.clone();
    renamed.holds.clear();
    renamed.timers.retain(|timer| !matches!(timer, Timer::Lease(_)));
    for hold in spec.holds.values() {
        let token = token_of(usize::from(hold.name.0));
        renamed.holds.insert(token, *hold);
        if hold.lease == Lease::Bounded {
            renamed.timers.insert(Timer::Lease(token));
        }
    }
    // Each grant of the step has moved the next token on by one.
    let granted =
        |(token, hold): &(&FencingToken, &Hold)| **token != token_of(usize::from(hold.name.0));
    renamed.next_token.0 -= spec.holds.iter().filter(granted).count() as u64;
    renamed
}

/// Whether each client was told by the engine what the specification tells it. A waiter whose shard has
/// not heard of the shutdown is told later, and until then has no answer.
fn answers_agree(before: &State, after: &State, told: &Outcomes) -> bool {
    (0..after.callers.len()).all(|client| {
        let Some(outcome) = told.of(request(client)) else { return true };
        match (outcome, before.callers[client], after.callers[client]) {
            (Outcome::Granted(_), Caller::Idle, Caller::Guard { name }) => {
                after.is_held(name, client)
            }
            (Outcome::Granted(_), _, Caller::Waiting { answer, name, .. }) => {
                answer == Some(Answer::Granted) && after.is_held(name, client)
            }
            (Outcome::Queued { .. }, Caller::Idle, Caller::Waiting { answer, .. }) => {
                answer.is_none()
            }
            (Outcome::Refused(_), Caller::Idle, now) => now == Caller::Idle,
            (Outcome::Refused(refusal), _, Caller::Waiting { answer, name, .. }) => {
                let unheard = after.heard[after.shard_of(name)] < after.stage;
                answer == Some(Answer::Refused(refusal))
                    || (answer.is_none() && unheard && refusal == Refusal::ShuttingDown)
            }
            (Outcome::Cancelled, _, now) => now == Caller::Idle,
            (Outcome::Released, _, now) => now == Caller::Idle,
            (Outcome::Renewed, Caller::Guard { name }, _) => after.is_held(name, client),
            (Outcome::Lost(_), _, Caller::Guard { name } | Caller::Waiting { name, .. }) => {
                !after.is_held(name, client) || after.stage >= Stage::Revoked
            }
            (Outcome::NotHeld, Caller::Guard { name }, _) => {
                !before.is_held(name, client) || before.stage >= Stage::Revoked
            }
            (Outcome::NotHeld, _, now) => now == Caller::Idle,
            _ => false,
        }
    })
}

type Invariant = fn(&State) -> bool;

/// What must be true of the engine beyond its meaning, and the property that it serves.
const INVARIANTS: [(&str, Invariant); 7] = [
    ("S6", timers_are_those_needed),
    ("S6", timers_are_served),
    ("S6", a_reaper_that_must_look_is_awake),
    ("S6", what_is_told_is_not_too_late),
    ("S6", a_reaper_does_not_sleep_too_long),
    ("S7", whoever_is_answered_is_woken),
    ("S9", every_shard_hears_of_a_shutdown),
];

/// The armed timers of each shard are exactly those that its slots and entries ask for.
fn timers_are_those_needed(state: &State) -> bool {
    let mut needed = vec![std::collections::BTreeSet::new(); state.armed.len()];
    for (client, caller) in state.callers.iter().enumerate() {
        if let Caller::Waiting { timed: true, answer: None, name, .. } = caller {
            needed[state.shard_of(*name)].insert(Target::Wait(client));
        }
    }
    for (name, entry) in state.entries.iter().enumerate() {
        let leased = entry.as_ref().filter(|entry| entry.leased);
        let lease = leased.map(|entry| Target::Lease(name, entry.token));
        needed[state.shard_of(name)].extend(lease);
    }
    state.armed == needed
}

/// Timers have a reaper, or somebody is about to start one.
fn timers_are_served(state: &State) -> bool {
    let starting = state.effects.iter().any(|effects| effects.start_reaper);
    state.nothing_is_armed() || (state.mark != Mark::Absent && (state.reaper_runs || starting))
}

/// The reaper has been told of nothing exactly where there is nothing, and of no time after the first.
fn what_is_told_is_not_too_late(state: &State) -> bool {
    state
        .told
        .iter()
        .zip(&state.armed)
        .all(|(told, armed)| *told != Told::TooLate && (*told == Told::Never) == armed.is_empty())
}

/// Whoever tells of a timer wakes a reaper that would sleep past it.
fn a_reaper_does_not_sleep_too_long(state: &State) -> bool {
    state.mark != Mark::AsleepTooLong
}

/// Whether the reaper has come away from a shard and would come there again for the same reason.
fn comes_again(taken: Act, before: &State, after: &State) -> bool {
    match before.stop {
        Some(Stop::Shard(shard)) => taken == Act::ComeAway && after.told[shard] == Told::TooEarly,
        Some(Stop::Grace) | None => false,
    }
}

/// A reaper that is taken for awake is so, or somebody is about to rouse it.
fn a_reaper_that_must_look_is_awake(state: &State) -> bool {
    let rousing = state.effects.iter().any(|effects| effects.rouse_reaper);
    state.mark != Mark::Awake || !state.reaper_sleeps || rousing
}

/// Whoever has been answered has been woken, or somebody is about to.
fn whoever_is_answered_is_woken(state: &State) -> bool {
    state.callers.iter().enumerate().all(|(client, caller)| match caller {
        Caller::Waiting { answer: Some(_), woken, .. } => {
            *woken || state.effects.iter().any(|effects| effects.wakes(client))
        }
        _ => true,
    })
}

/// A shard that has not heard of a shutdown is on somebody's tour.
fn every_shard_hears_of_a_shutdown(state: &State) -> bool {
    let tours = [state.reaper_tour, state.operator_tour];
    let will_hear = |shard: usize| {
        tours.iter().any(|tour| matches!(tour, Tour::Telling { shard: next, .. } if *next <= shard))
    };
    // Closed says nothing new: what is closed while it drains was never revoked.
    let stage = if state.stage == Stage::Closed { Stage::Draining } else { state.stage };
    state.heard.iter().enumerate().all(|(shard, heard)| *heard >= stage || will_hear(shard))
}
