//! What the judge writes down beside the specification's state, which knows no clock, no guards and no
//! counters: when each timer is due, what each client has seen, which token of the subject is which.
//!
//! It follows the *specification's* answers only; what the subject says is compared with it elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use lockspace_spec::{
    Addressee, Env, FencingToken, Loss, Name, Outcome, Outcomes, Phase, Refusal, RequestId, State,
    Timer,
};

use crate::subject::{
    Counts, Ledger, Move, Ms, NameSeen, Observation, Report, WaiterSeen, seen_as,
};

/// Somebody whose acquire's future or guard exists.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The name that it wants, holds or held.
    pub name: Name,
    /// How far it has come.
    pub stage: Stage,
    /// Why its hold has ended, if it has.
    pub lost: Option<Loss>,
    wait: Option<Ms>,
    lease: Option<Ms>,
    /// Since when it waits, or holds.
    since: Ms,
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits.
    Waiting,
    /// It was refused, and has not looked.
    Refused(Refusal),
    /// It was granted the name, and has not looked.
    Granted(FencingToken),
    /// It has a guard.
    Holding(FencingToken),
}

impl Client {
    /// Whether it has a future, and no guard.
    #[must_use]
    pub fn is_acquiring(&self) -> bool {
        !matches!(self.stage, Stage::Holding(_))
    }

    fn has_unseen_answer(&self) -> bool {
        matches!(self.stage, Stage::Refused(_) | Stage::Granted(_))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) now: Ms,
    pub(crate) clients: BTreeMap<RequestId, Client>,
    /// Whom the current move answers, other than whoever made it: they must be woken.
    pub(crate) answered: Vec<RequestId>,
    pub(crate) tokens: Tokens,
    pub(crate) counts: Counts,
    timing: bool,
    deadlines: BTreeMap<Timer, Ms>,
    report: Report,
    shutdown_began: Ms,
}

impl Books {
    pub(crate) fn new(timing: bool) -> Self {
        Self { timing, ..Self::default() }
    }

    /// A request comes in; the outcomes say what becomes of it.
    pub(crate) fn open(
        &mut self,
        request: RequestId,
        name: Name,
        wait: Option<Ms>,
        lease: Option<Ms>,
    ) {
        let client =
            Client { name, stage: Stage::Waiting, lost: None, wait, lease, since: self.now };
        let before = self.clients.insert(request, client);
        assert!(before.is_none(), "every acquire has a number of its own");
    }

    /// When the next timer is due, and what then happens. Where several are due at once, waits end
    /// first, then leases, then the grace: that is the order of [`Timer`].
    pub(crate) fn next_due(&self) -> Option<(Ms, Env)> {
        let (timer, at) = self.deadlines.iter().min_by_key(|(timer, at)| (*at, *timer))?;
        let elapsed = match *timer {
            Timer::Wait(request) => Env::WaitElapsed { request },
            Timer::Lease(token) => Env::LeaseElapsed { token },
            Timer::Grace => Env::GraceElapsed,
        };
        Some((*at, elapsed))
    }

    /// The timers that are armed, as far as these books know.
    pub(crate) fn armed(&self) -> impl Iterator<Item = &Timer> {
        self.deadlines.keys()
    }
}

/// Writing down what the specification answers.
impl Books {
    pub(crate) fn enter(
        &mut self,
        what: &Move,
        before: &State,
        outcomes: &Outcomes,
        after: &State,
    ) {
        for answer in outcomes.iter() {
            match answer.to {
                Addressee::Request(request) => {
                    self.told(what, request, answer.outcome, before.phase);
                }
                Addressee::Operator => {}
            }
        }
        match *what {
            Move::ShutDown { grace } if after.phase == Phase::Draining => {
                let end = self.now + grace;
                let grace = self.deadlines.entry(Timer::Grace).or_insert(end);
                *grace = end.min(*grace);
            }
            _ => {}
        }
        if before.phase == Phase::Open && after.phase != Phase::Open {
            self.shutdown_began = self.now;
        }
        if before.phase != Phase::Closed && after.phase == Phase::Closed {
            self.report.took = self.now - self.shutdown_began;
            self.deadlines.remove(&Timer::Grace);
        }
    }

    fn told(&mut self, what: &Move, request: RequestId, outcome: Outcome, phase: Phase) {
        let asks = matches!(what, Move::Ask { request: asker, .. } if *asker == request);
        if outcome.answers_acquire() {
            self.deadlines.remove(&Timer::Wait(request));
            if !asks && outcome != Outcome::Cancelled {
                self.answered.push(request);
                self.counts.waits_timed += u64::from(self.timing);
            }
        }
        match outcome {
            Outcome::Granted(token) => self.granted(request, token, asks),
            Outcome::Queued { .. } => self.queued(request),
            Outcome::Refused(why) => self.refused(request, why, asks),
            Outcome::Cancelled => self.counts.cancelled += 1,
            Outcome::Renewed => self.renewed(what, request),
            Outcome::Released => {
                self.counts.released += 1;
                self.ended(request, None, phase);
            }
            Outcome::Lost(why) => {
                *match why {
                    Loss::LeaseElapsed => &mut self.counts.lost_lease,
                    Loss::Forced => &mut self.counts.lost_forced,
                    Loss::Shutdown => &mut self.counts.lost_shutdown,
                } += 1;
                self.ended(request, Some(why), phase);
            }
            Outcome::NotHeld | Outcome::Closed => {}
        }
    }

    fn granted(&mut self, request: RequestId, token: FencingToken, asks: bool) {
        self.counts.granted += 1;
        let now = self.now;
        let client = self.client(request);
        client.since = now;
        client.stage = if asks { Stage::Holding(token) } else { Stage::Granted(token) };
        if let Some(lease) = client.lease {
            self.deadlines.insert(Timer::Lease(token), now + lease);
        }
    }

    fn queued(&mut self, request: RequestId) {
        self.counts.queued += 1;
        if let Some(wait) = self.client(request).wait {
            let end = self.now + wait;
            self.deadlines.insert(Timer::Wait(request), end);
        }
    }

    fn refused(&mut self, request: RequestId, why: Refusal, asks: bool) {
        *match why {
            Refusal::Busy => &mut self.counts.busy,
            Refusal::TimedOut => &mut self.counts.timed_out,
            Refusal::ShuttingDown => &mut self.counts.shutting_down,
            Refusal::AtCapacity => &mut self.counts.at_capacity,
        } += 1;
        if asks {
            self.clients.remove(&request);
            return;
        }
        self.client(request).stage = Stage::Refused(why);
        self.report.cancelled += usize::from(why == Refusal::ShuttingDown);
    }

    fn renewed(&mut self, what: &Move, request: RequestId) {
        self.counts.renewed += 1;
        if let (Move::Renew { lease, .. }, Stage::Holding(token)) =
            (what, self.client(request).stage)
            && let Some(end) = self.deadlines.get_mut(&Timer::Lease(token))
        {
            *end = self.now + lease;
        }
    }

    fn ended(&mut self, request: RequestId, lost: Option<Loss>, phase: Phase) {
        self.counts.holds_timed += u64::from(self.timing);
        match lost {
            Some(Loss::Shutdown) => self.report.revoked += 1,
            _ if phase == Phase::Draining => self.report.released += 1,
            _ => {}
        }
        let client = self.client(request);
        client.lost = lost;
        if let Stage::Granted(token) | Stage::Holding(token) = client.stage {
            self.deadlines.remove(&Timer::Lease(token));
        }
    }

    fn client(&mut self, request: RequestId) -> &mut Client {
        let client = self.clients.get_mut(&request);
        client.expect("only who has asked and not ended is told anything")
    }
}

/// Writing down what clients do with their answers.
impl Books {
    /// It looks; what it sees is no news for the protocol.
    pub(crate) fn looked(&mut self, request: RequestId) {
        let stage = self.client(request).stage;
        match stage {
            Stage::Granted(token) => self.client(request).stage = Stage::Holding(token),
            Stage::Refused(_) => drop(self.clients.remove(&request)),
            Stage::Waiting | Stage::Holding(_) => {}
        }
    }

    /// Its future or guard is gone. A grant that was never seen counts as cancelled, too.
    pub(crate) fn gone(&mut self, request: RequestId) {
        let client = self.clients.remove(&request);
        let unseen_grant = client.is_some_and(|client| matches!(client.stage, Stage::Granted(_)));
        self.counts.cancelled += u64::from(unseen_grant);
    }
}

/// What must be seen.
impl Books {
    pub(crate) fn expect(&self, spec: &State) -> Observation {
        let clients = || self.clients.values();
        let timers = spec.timers.len();
        Observation {
            phase: spec.phase,
            names: spec.entries.keys().map(|name| self.name(spec, *name)).collect(),
            ledger: Ledger {
                held: spec.holds.len(),
                waiting: spec.waiters().count(),
                unseen: clients().filter(|client| client.has_unseen_answer()).count(),
                lost: clients().filter(|client| client.lost.is_some()).count(),
                timers,
                reaper: timers > 0,
                tasks: usize::from(timers > 0),
                faults: Vec::new(),
            },
            counts: self.counts,
            report: (spec.phase == Phase::Closed).then_some(self.report),
        }
    }

    fn name(&self, spec: &State, name: Name) -> NameSeen {
        let left = |timer| self.deadlines.get(&timer).map(|end| end - self.now);
        let (token, hold) = spec.holder_of(name).expect("a name in use is held (S5)");
        let waiters = spec.entries[&name].iter().map(|waiter| WaiterSeen {
            request: seen_as(waiter.request),
            waiting_for: self.timing.then(|| self.now - self.clients[&waiter.request].since),
            wait_left: left(Timer::Wait(waiter.request)),
        });
        let held_for = self.now - self.clients[&hold.request].since;
        NameSeen {
            name,
            holder: seen_as(hold.request),
            token: self.tokens.of(token),
            held_for: self.timing.then_some(held_for),
            lease_left: left(Timer::Lease(token)),
            waiters: waiters.collect(),
        }
    }
}

/// Which token of the subject is which of the specification's. A subject may number otherwise, as long
/// as its tokens grow for each name and none is used twice (S2).
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_spec: BTreeMap<FencingToken, u64>,
    greatest: BTreeMap<Name, u64>,
    used: BTreeSet<u64>,
}

impl Tokens {
    pub(crate) fn knows(&self, token: FencingToken) -> bool {
        self.by_spec.contains_key(&token)
    }

    /// The subject's number for a token; zero, which is never granted, if it is not known.
    pub(crate) fn of(&self, token: FencingToken) -> u64 {
        self.by_spec.get(&token).copied().unwrap_or(0)
    }

    /// The subject's number of the latest grant of a name.
    pub(crate) fn latest(&self, name: Name) -> Option<u64> {
        self.greatest.get(&name).copied()
    }

    /// Notes the subject's number for a new grant; says what is wrong with it, if anything.
    pub(crate) fn learn(
        &mut self,
        name: Name,
        token: FencingToken,
        number: u64,
    ) -> Result<(), String> {
        let greatest = self.greatest.insert(name, number).unwrap_or(0);
        self.by_spec.insert(token, number);
        if number <= greatest {
            return Err(format!("a token greater than {greatest}"));
        }
        if !self.used.insert(number) {
            return Err("a token that was never used before".into());
        }
        Ok(())
    }
}
