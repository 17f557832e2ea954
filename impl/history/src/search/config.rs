//! A configuration: where the specification may be after a legal beginning, and what is still open. Its
//! successors are found by asking the specification, and nothing else: [`apply`] says what an operation
//! does, and whoever is told anything must have been told so.

use lockspace_spec::history::{Done, NotDone, Return};
use lockspace_spec::{
    Action, Addressee, Env, FencingToken, Lease, Limits, Loss, Name, Op as Ask, Outcome, Outcomes,
    Phase, Refusal, RequestId, State, Timer, apply,
};

use super::plan::{Act, End, Fate, Moment, Op, Plan};

/// The only name that there is.
const NAME: Name = Name(0);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Config {
    pub(super) state: State,
    /// Operations that have begun and not happened, in the order in which they began.
    pub(super) open: Vec<u32>,
    /// Acquires whose hold was lost, until the last event about them.
    pub(super) lost: Vec<(u32, Loss)>,
}

/// Where the search is: what is the same for all configurations.
pub(super) struct Place<'p> {
    pub(super) plan: &'p Plan,
    /// Which moment.
    pub(super) at: usize,
    /// Whose request id it is now.
    pub(super) owners: Vec<u32>,
    /// Whether whoever queues says so.
    pub(super) tickets: bool,
    /// Whether a request may be refused because of other names.
    pub(super) names_limited: bool,
}

impl Config {
    pub(super) fn new(limits: Limits) -> Self {
        Self { state: State::new(limits), open: Vec::new(), lost: Vec::new() }
    }
}

impl Place<'_> {
    fn op(&self, op: u32) -> &Op {
        &self.plan.ops[op as usize]
    }

    fn owner(&self, slot: RequestId) -> u32 {
        self.owners[slot.0 as usize]
    }

    /// The request id of an acquire, while it is its own.
    fn slot(&self, request: u32) -> Option<RequestId> {
        let slot = self.op(request).acquire.slot;
        (self.owners.get(slot.0 as usize) == Some(&request)).then_some(slot)
    }

    pub(super) fn waits(&self, config: &Config, request: u32) -> bool {
        self.slot(request).is_some_and(|slot| config.state.place_of(slot).is_some())
    }

    /// Whether an acquire has begun and been decided, so that it waits, or holds, or has.
    fn has_happened(&self, config: &Config, op: u32) -> bool {
        self.op(op).since < self.at && !config.open.contains(&op)
    }

    /// Whether everything has happened that must have by this moment.
    pub(super) fn allows(&self, config: &Config, moment: Moment) -> bool {
        let open = |op: u32| config.open.contains(&op);
        match moment {
            Moment::Invoke(_) => true,
            Moment::Queued(op) => !open(op),
            Moment::Return(op) => !open(op) && !self.waits(config, op),
            Moment::Lost(op, why) => config.lost.contains(&(op, why)),
            Moment::Begun => config.state.phase != Phase::Open,
            Moment::Closed => config.state.phase == Phase::Closed,
            Moment::Rest => self.forgotten(config).is_none(),
        }
    }

    /// An acquire without an answer that does not wait for one.
    pub(super) fn forgotten(&self, config: &Config) -> Option<u32> {
        self.plan.unanswered.iter().copied().find(|op| !self.waits(config, *op))
    }

    /// Every configuration that is one step away.
    pub(super) fn successors(&self, config: &Config) -> Vec<Config> {
        let operations = config.open.iter().filter_map(|op| self.perform(config, *op));
        operations.chain(self.silent_steps(config)).map(|next| self.settled(next)).collect()
    }

    /// Lets happen at once what changes nothing and is answered as it was. It stands in nobody's way,
    /// so no order is missed by it, and orders that differ only in it are not told apart.
    pub(super) fn settled(&self, mut config: Config) -> Config {
        let mut at = 0;
        while let Some(op) = config.open.get(at) {
            let next = self.op(*op).answer.and_then(|_| self.perform(&config, *op));
            let changes_nothing = |next: &Config| {
                next.open.len() + 1 == config.open.len()
                    && next.state == config.state
                    && next.lost == config.lost
            };
            match next.filter(changes_nothing) {
                Some(next) => config = next,
                None => at += 1,
            }
        }
        config
    }

    /// The configuration after an open operation happens, if that may be.
    fn perform(&self, config: &Config, op: u32) -> Option<Config> {
        let request = self.op(op).request;
        let action = match self.op(op).act {
            Act::Nothing => return Some(without(config, &[op])),
            Act::Acquire(wait, lease) => {
                let before = self.op(op).acquire.queues_after;
                if before.is_some_and(|before| !self.has_happened(config, before)) {
                    return None;
                }
                Ask::Acquire { request: self.slot(op)?, name: NAME, wait, lease }
            }
            Act::Cancel if config.open.contains(&request) => {
                // It was withdrawn before anything came of it.
                let acquire = &self.op(request).acquire;
                return acquire.ticket.is_none().then(|| without(config, &[op, request]));
            }
            Act::Release | Act::Renew if config.open.contains(&request) => return None,
            Act::Cancel => Ask::Cancel { request: self.slot(request)? },
            Act::Release => {
                let request = self.slot(request)?;
                Ask::Release { request, token: token_of(config, request) }
            }
            Act::Renew => {
                let request = self.slot(request)?;
                Ask::Renew { request, token: token_of(config, request) }
            }
            Act::ForceRelease if !self.is_forced_holder(config, op) => return None,
            Act::ForceRelease => Ask::ForceRelease { name: NAME },
            Act::Shutdown(grace) => Ask::Shutdown { grace },
        };
        self.take(without(config, &[op]), &action.into(), Some(op))
    }

    /// Whether the current hold is the one that a forced release says it ended.
    fn is_forced_holder(&self, config: &Config, op: u32) -> bool {
        let Some(Return::Done(Done::Released(Some(token)))) = self.op(op).answer else {
            return true;
        };
        let holder = config.state.holder_of(NAME).map(|(_, hold)| self.owner(hold.request));
        let its_token = holder.and_then(|holder| self.op(holder).acquire.token);
        its_token.is_none_or(|its| its == token)
    }

    /// What may happen although nobody does anything: time passes, and what nobody knows the end of is
    /// given up.
    fn silent_steps(&self, config: &Config) -> Vec<Config> {
        let timed = config.state.waiters().filter(|waiter| waiter.timed);
        let could = |slot| self.op(self.owner(slot)).acquire.fate.can_be(Refusal::TimedOut);
        let waits = timed.map(|waiter| waiter.request).filter(|slot| could(*slot));
        let waits = waits.map(|request| Action::from(Env::WaitElapsed { request }));

        let end = |slot| self.op(self.owner(slot)).acquire.end;
        let holds = config.state.holds.iter();
        let leased = holds.clone().filter(|(_, hold)| {
            hold.lease == Lease::Bounded && end(hold.request).can_be(Loss::LeaseElapsed)
        });
        let leases = leased.map(|(token, _)| Env::LeaseElapsed { token: *token }.into());

        let drains = config.state.timers.contains(&Timer::Grace);
        let mut revoked = holds.filter(|(_, hold)| end(hold.request).can_be(Loss::Shutdown));
        let grace = (drains && revoked.next().is_some()).then(|| Env::GraceElapsed.into());

        let unknown = self.plan.unknown.iter().filter(|(since, _)| *since <= self.at);
        let live = unknown.filter_map(|(_, op)| self.slot(*op));
        let given_up = live.map(|request| Ask::Cancel { request }.into());

        let actions = waits.chain(leases).chain(grace).chain(given_up);
        actions.filter_map(|action| self.take(config.clone(), &action, None)).collect()
    }

    /// Asks the specification.
    fn take(&self, mut config: Config, action: &Action, by: Option<u32>) -> Option<Config> {
        let op = by.map(|by| self.op(by));
        let other_names = self.names_limited
            && op.is_some_and(|op| op.acquire.fate == Fate::Refused(Refusal::AtCapacity));
        if other_names {
            config.state.limits.names = 0;
        }
        let told = apply(&mut config.state, action);
        config.state.limits.names = usize::MAX;
        self.hears(&mut config, &told, by).then_some(config)
    }

    /// Whether everybody was told what they were told, as far as that is known.
    fn hears(&self, config: &mut Config, told: &Outcomes, by: Option<u32>) -> bool {
        told.iter().all(|answer| match answer.to {
            Addressee::Operator => self.operator_hears(answer.outcome, by),
            Addressee::Request(slot) => {
                let request = self.owner(slot);
                self.request_hears(config, request, answer.outcome, by)
            }
        })
    }

    fn operator_hears(&self, outcome: Outcome, by: Option<u32>) -> bool {
        let answer = by.and_then(|by| self.op(by).answer);
        match (outcome, answer) {
            (_, None) | (Outcome::Closed, _) => true,
            (Outcome::Released, Some(answer)) => matches!(answer, Return::Done(_)),
            (_, Some(answer)) => matches!(answer, Return::NotDone(_)),
        }
    }

    fn request_hears(
        &self,
        config: &mut Config,
        request: u32,
        outcome: Outcome,
        by: Option<u32>,
    ) -> bool {
        let acquire = &self.op(request).acquire;
        let at_once = by == Some(request);
        let did_queue = acquire.ticket.is_some();
        let answer = by.and_then(|by| self.op(by).answer);
        match outcome {
            Outcome::Granted(_) => {
                let before = acquire.granted_after;
                let may_be = !matches!(acquire.fate, Fate::Refused(_));
                (!at_once || !did_queue)
                    && may_be
                    && before.is_none_or(|before| {
                        self.has_happened(config, before) && !self.waits(config, before)
                    })
            }
            Outcome::Queued { .. } => did_queue || !self.tickets || acquire.fate == Fate::Open,
            Outcome::Refused(refusal) => (!at_once || !did_queue) && acquire.fate.can_be(refusal),
            Outcome::Lost(why) => {
                config.lost.push((request, why));
                config.lost.sort_unstable();
                acquire.end.can_be(why)
            }
            Outcome::Released => match answer {
                Some(Return::NotDone(_)) => false,
                _ => acquire.end == End::Released || acquire.end == End::Open,
            },
            Outcome::Renewed => !matches!(answer, Some(Return::NotDone(_))),
            Outcome::NotHeld => match answer {
                Some(Return::NotDone(NotDone::Lost(why))) => config.lost.contains(&(request, why)),
                Some(Return::Done(Done::Released(_) | Done::Renewed)) => false,
                _ => true,
            },
            Outcome::Cancelled | Outcome::Closed => true,
        }
    }
}

/// The token of the hold of a request; one that is never granted, if it has none.
fn token_of(config: &Config, request: RequestId) -> FencingToken {
    config.state.hold_of(request).map_or(FencingToken(0), |(token, _)| token)
}

fn without(config: &Config, ops: &[u32]) -> Config {
    let mut config = config.clone();
    config.open.retain(|op| !ops.contains(op));
    config
}
