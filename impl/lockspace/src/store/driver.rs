//! The driver: the one task that speaks to the store for a lockspace.
//!
//! It runs a [`Member`] as that asks to be run: takes what the engine has noticed, makes calls, feeds
//! answers, tells the engine what comes of them, looks and sweeps in intervals, and begins a new session
//! when one has ended. It holds the lockspace weakly; when nobody has it any more, it gives everything back
//! and ends.
//!
//! What this file must not do: decide what becomes of a name. That is the member's.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lockspace_spec::Refusal;

use super::claimant::Claimant;
use super::erased::{AnyStore, Boxed, Done, Problem, greatest, make};
use super::hints::Hints;
use super::member::{Answer, Member, News};
use super::open::Status;
use super::options::Plan;
use super::record::{RecordError, SessionId, SessionRecord};
use super::session::{End, Life, Session};
use super::window::Window;
use super::{HeldElsewhere, Moment, Reply, Version};
use crate::LockName;
use crate::clock::{Clock, Tick, microseconds_since_1970};
use crate::engine::{Effects, Engine, Failure, Inbox, Notice, Wish};
use crate::error::SessionEnd;
use crate::runtime::Alarm;
use crate::space::Shared;
use crate::sync::{Arc, Weak};

/// The longest time for which a store that says nothing is given one more chance while closing.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// The first wait after a failure; each further one doubles it.
const BACKOFF: Duration = Duration::from_millis(50);

/// See the [module](self).
pub(crate) struct Driver {
    plan: Plan,
    store: Arc<dyn AnyStore>,
    inbox: Arc<Inbox>,
    status: Arc<Status>,
    space: Weak<Shared>,
    clock: Clock,
    random: Random,
    member: Member,
    /// The names that are away, by the engine's latest notice.
    wanted: BTreeMap<LockName, Wanted>,
    /// The greatest version that any session of this process has seen. A store that has lost it together with
    /// all its rows must not have tokens begin anew (upholds S2).
    greatest: Option<Version>,
    /// How often the store has shown that it has gone back, since a session has begun.
    went_back: u32,
    /// What other sessions say of themselves: those that the last sweep has met, and those that were looked
    /// at since.
    labels: BTreeMap<SessionId, String>,
    calls: FuturesUnordered<Boxed<'static, Done>>,
    /// How many of them there may be.
    window: Window,
    hints: Option<Hints>,
    /// Calls that have failed since one did not.
    failures: u32,
    /// When the first of them did; while closing, at the earliest when that began.
    failing_since: Option<Moment>,
    times: Times,
    /// Nobody wants anything any more: since when the store has said nothing, at the earliest since that
    /// began.
    closing: Option<Moment>,
    /// Names that could not be given back while closing.
    unreturned: usize,
    ended: bool,
}

/// A name that is away.
#[derive(Clone, Copy)]
struct Wanted {
    wish: Wish,
    /// The greatest version that was seen before the session wished for it: it is granted with a greater one.
    after: Option<Version>,
}

/// When something is to be done that the session does not know of. None: not at all.
#[derive(Default)]
struct Times {
    look: Option<Moment>,
    sweep: Option<Moment>,
    /// Calls that have failed are made anew.
    retry: Option<Moment>,
    /// A new session begins.
    begin: Option<Moment>,
}

/// What a rest has brought.
#[derive(Default)]
struct Brought {
    notices: Vec<Notice>,
    done: Vec<Done>,
    hinted: Vec<LockName>,
}

impl Driver {
    pub(crate) fn new(
        plan: Plan,
        store: Arc<dyn AnyStore>,
        inbox: Arc<Inbox>,
        status: Arc<Status>,
        space: &Shared,
    ) -> Self {
        let clock = space.engine().clock();
        let mut random = Random::new();
        let now = clock.now().moment();
        let member = begin(&plan, &mut random, now);
        let hints = store.has_hints().then(|| Hints::new(Arc::clone(&store)));
        Self {
            plan,
            store,
            inbox,
            status,
            space: space.downgrade(),
            clock,
            random,
            member,
            wanted: BTreeMap::new(),
            greatest: None,
            went_back: 0,
            labels: BTreeMap::new(),
            calls: FuturesUnordered::new(),
            window: Window::default(),
            hints,
            failures: 0,
            failing_since: None,
            times: Times::default(),
            closing: None,
            unreturned: 0,
            ended: false,
        }
    }

    /// Until the lockspace is closed, or nobody has it any more.
    pub(crate) async fn run(mut self) {
        let mut alarm = Alarm::new();
        let mut brought = Brought::default();
        loop {
            self.round(brought);
            if self.is_over() {
                break;
            }
            brought = self.rest(&mut alarm).await;
        }
        self.end();
    }

    fn round(&mut self, brought: Brought) {
        let now = self.now();
        brought.notices.into_iter().for_each(|notice| self.notice(notice));
        brought.hinted.iter().for_each(|name| self.member.hinted(name));
        let mut answered = Vec::new();
        for done in brought.done {
            answered.extend(self.answered(done, now));
        }
        self.keep_times(now);
        self.tell(now);
        for (name, why) in answered {
            self.tell_impatient(&name, why);
            self.watch(name);
        }
        self.begin_anew(now);
        self.call(now);
    }

    /// Waits until there is something to do.
    async fn rest(&mut self, alarm: &mut Alarm) -> Brought {
        let until = self.next_wake();
        if let Some(until) = until {
            alarm.set(self.clock.instant(Tick::at(until)));
        }
        poll_fn(|cx| {
            let mut brought = Brought::default();
            if let Poll::Ready(notices) = self.inbox.poll(cx.waker()) {
                brought.notices = notices;
            }
            while let Poll::Ready(Some(done)) = self.calls.poll_next_unpin(cx) {
                brought.done.push(done);
            }
            if let Some(hints) = &mut self.hints {
                brought.hinted = hints.poll(cx);
            }
            let elapsed = until.is_some() && alarm.poll(cx).is_ready();
            let nothing =
                brought.notices.is_empty() && brought.done.is_empty() && brought.hinted.is_empty();
            if nothing && !elapsed { Poll::Pending } else { Poll::Ready(brought) }
        })
        .await
    }

    /// The engine has noticed something.
    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Want(name, wish) => {
                self.want(name, wish);
                if self.failures > 0 && !self.is_alive() {
                    self.engine(Engine::nothing_at_once);
                }
            }
            Notice::PassOn(name, wish) => {
                self.member.number_from(microseconds_since_1970());
                // What the session knows of a hold may be gone already, if somebody has taken it.
                if self.member.names.contains_key(&name) {
                    self.member.pass_on(&name);
                    self.wanted.insert(name, Wanted { wish, after: self.greatest });
                } else {
                    self.want(name, wish);
                }
            }
            Notice::GiveUp(name) => {
                self.member.give_up(&name);
                self.wanted.remove(&name);
            }
            Notice::Drained | Notice::Gone => self.close(),
        }
    }

    fn want(&mut self, name: LockName, wish: Wish) {
        self.member.number_from(microseconds_since_1970());
        let is_new = self.member.want(&name);
        let before = self.wanted.get(&name).filter(|_| !is_new);
        let after = before.map_or(self.greatest, |before| before.after);
        self.wanted.insert(name, Wanted { wish, after });
    }

    fn close(&mut self) {
        if self.closing.is_none() {
            let now = self.now();
            self.closing = Some(now);
            self.failing_since.iter_mut().for_each(|since| *since = now);
            self.member.close();
        }
    }

    /// A call has ended. Answers the name that it was about, and what was wrong.
    fn answered(&mut self, done: Done, now: Moment) -> Option<(LockName, Option<Problem>)> {
        if done.session != self.member.id {
            return None;
        }
        let name = match &done.answer {
            Answer::Name(name, _) => Some(name.clone()),
            _ => None,
        };
        if let Some(problem) = done.problem.as_ref().and_then(Problem::of_store) {
            self.failures = self.failures.saturating_add(1);
            self.failing_since.get_or_insert(now);
            self.window.failed();
            self.status.failed(name.as_ref(), problem);
            if let Some(Problem::Version(version)) = done.problem {
                self.status.gave(version);
            }
            let backoff = self.backoff();
            self.times.retry.get_or_insert(now + backoff);
            self.unreturned += usize::from(self.closing.is_some() && name.is_some());
            if let Some(Problem::WentBack { .. }) = done.problem {
                self.went_back(now);
            }
            if !self.is_alive() {
                self.status.alive(false);
                self.engine(Engine::nothing_at_once);
            }
        } else {
            self.failures = 0;
            self.failing_since = None;
            self.closing = self.closing.map(|_| now);
            self.window.answered();
            name.iter().for_each(|name| self.status.answered(name));
        }
        if let (Answer::Other(id, Reply::Unreadable), Some(Problem::Row(why))) =
            (&done.answer, &done.problem)
        {
            self.unreadable(*id, *why);
        }
        self.greatest = self.greatest.max(greatest(&done.answer));
        let named = self.labels(&done.answer);
        self.member.answered(done.answer, now);
        if let Some(session) = named {
            let behind: Vec<_> = self.member.behind(session).cloned().collect();
            behind.iter().for_each(|name| self.tell_holder(name));
        }
        let name = name?;
        self.tell_holder(&name);
        Some((name, done.problem))
    }

    /// Notes what other sessions say of themselves. Answers of which one that was not known.
    fn labels(&mut self, answer: &Answer) -> Option<SessionId> {
        match answer {
            Answer::Other(id, Reply::Loaded(Some((_, record)))) => {
                let label = record.label();
                let known = self.labels.get(id).is_some_and(|known| known == label);
                (!known).then(|| self.labels.insert(*id, label.to_owned())).map(|_| *id)
            }
            Answer::Scan(Some(rows)) => {
                let label = |row: &SessionRecord| row.label().to_owned();
                self.labels = rows.sessions.iter().map(|(id, _, row)| (*id, label(row))).collect();
                None
            }
            _ => None,
        }
    }

    /// Tells the engine who elsewhere holds a name that is wanted here, if that has been seen.
    fn tell_holder(&self, name: &LockName) {
        let seen = self.member.names.get(name).and_then(|own| own.held_elsewhere(self.member.id));
        let wanted = self.wanted.get(name).copied();
        if let (Some((session, token, ahead)), Some(Wanted { wish, .. })) = (seen, wanted) {
            let label = self.labels.get(&session).filter(|label| !label.is_empty()).cloned();
            let by = HeldElsewhere { session, label, token, ahead };
            self.engine(|engine, _| engine.held_elsewhere(name, wish, by));
        }
    }

    /// The store has lost what it had, and all who hold anything are told.
    fn went_back(&mut self, now: Moment) {
        self.went_back = self.went_back.saturating_add(1);
        self.member.went_back(now);
    }

    /// Nobody can tell whether the session lives: whoever waits for it is told.
    fn unreadable(&self, session: SessionId, why: RecordError) {
        let place = self.status.unreadable(session, why);
        for name in self.member.behind(session) {
            if let Some(Wanted { wish, .. }) = self.wanted.get(name).copied() {
                let why = Failure::UnreadableSession(place);
                self.engine(|engine, effects| engine.unreadable(name, wish, why, effects));
            }
        }
    }

    /// Does what its time has come for.
    fn keep_times(&mut self, now: Moment) {
        let come = |time: &mut Option<Moment>| time.take_if(|time| *time <= now).is_some();
        if come(&mut self.times.look) {
            let waiting = self.member.waiting.clone();
            waiting.iter().for_each(|name| self.member.look(name));
            self.hints.iter_mut().for_each(Hints::looked);
        }
        if come(&mut self.times.retry) {
            let names = self.member.names.iter();
            let resting: Vec<_> =
                names.filter(|(_, own)| own.resting).map(|(name, _)| name.clone()).collect();
            resting.iter().for_each(|name| self.member.look(name));
        }
        if come(&mut self.times.sweep) {
            self.member.sweep();
        }
        if self.times.look.is_none() && !self.member.waiting.is_empty() {
            self.times.look = Some(now + self.random.up_to(self.plan.look_every));
        }
        if self.times.sweep.is_none() && self.is_alive() {
            self.times.sweep = Some(now + self.random.up_to(self.plan.sweep_every));
        }
    }

    /// Tells the engine what has come of it all.
    fn tell(&mut self, now: Moment) {
        self.member.tick(now);
        if self.is_alive() {
            // Before anything is granted by it.
            let (until, trust) = (self.member.session.trusted_until, self.plan.timing.trust());
            self.status.proved(until.saturating_sub(trust), trust);
            let until = Tick::at(until);
            self.engine(|engine, effects| engine.trust_until(until, effects));
        }
        while let Some(news) = self.member.news(now) {
            match news {
                News::Begun => self.begun(),
                News::Granted(name, token) => {
                    let Some(Wanted { wish, after }) = self.wanted.get(&name).copied() else {
                        continue;
                    };
                    if let Some(after) = after.filter(|after| token <= (*after).into()) {
                        let problem = Problem::WentBack { version: Version(token.0), after };
                        self.status.failed(None, problem.of_store().unwrap_or_default());
                        self.went_back(now);
                    } else {
                        let granted = self
                            .engine(|engine, effects| engine.granted(&name, wish, token, effects));
                        // Otherwise the engine has noticed why, and says so next.
                        if granted == Some(true) {
                            self.wanted.remove(&name);
                        }
                    }
                }
                News::Lost(name, token) => {
                    if let Some(space) = self.space.upgrade() {
                        space.taken_elsewhere(name.as_str(), token);
                    }
                }
                // Whoever waits for it is told together with the answer.
                News::Unreadable(name) => {
                    self.engine(|engine, effects| engine.hold_unreadable(name.as_str(), effects));
                }
                News::Left(name) => self.status.answered(&name),
                News::Ended(end) => self.session_ended(end),
            }
        }
    }

    fn begun(&mut self) {
        self.times = Times::default();
        self.went_back = 0;
        self.status.began(self.member.id);
        self.status.alive(true);
        self.member.number_from(microseconds_since_1970());
        for (name, wanted) in &mut self.wanted {
            self.member.want(name);
            wanted.after = self.greatest;
        }
    }

    fn session_ended(&mut self, end: End) {
        self.status.alive(false);
        let why = match end {
            End::Outage => SessionEnd::Outage,
            End::Removed => SessionEnd::Removed,
            End::StoreWentBack => SessionEnd::StoreWentBack,
            End::Copied => SessionEnd::Copied,
            End::Unreadable => SessionEnd::Unreadable,
            End::NotBegun => return self.engine(Engine::nothing_at_once).unwrap_or_default(),
            End::Closed => return,
        };
        self.engine(|engine, effects| engine.session_ended(why, effects));
    }

    /// Whoever would not wait is told what the store's first answer was.
    fn tell_impatient(&mut self, name: &LockName, problem: Option<Problem>) {
        let Some(Wanted { wish, .. }) = self.wanted.get(name).copied() else { return };
        let why = match problem {
            Some(Problem::Row(why)) => {
                let why = Failure::Unreadable(why);
                self.engine(|engine, effects| engine.unreadable(name, wish, why, effects));
                return;
            }
            Some(Problem::Store(_) | Problem::Version(_) | Problem::WentBack { .. }) => {
                Err(Failure::Unreachable)
            }
            None if self.member.must_wait(name) => Ok(Refusal::Busy),
            None => return,
        };
        self.engine(|engine, effects| engine.not_at_once(name, wish, why, effects));
    }

    /// Begins a new session when the last one is over.
    fn begin_anew(&mut self, now: Moment) {
        if !self.member.is_over() || self.closing.is_some() {
            return;
        }
        let failures = self.failures.max(self.went_back);
        let wait = if failures == 0 { Duration::ZERO } else { self.backoff() };
        if *self.times.begin.get_or_insert(now + wait) <= now {
            self.calls.clear();
            self.hints.iter_mut().for_each(Hints::clear);
            self.times = Times::default();
            self.member = begin(&self.plan, &mut self.random, now);
        }
    }

    /// Makes the calls that are to be made.
    fn call(&mut self, now: Moment) {
        // The session's own call comes first, and waits for no other to be made.
        while self.window.is_open(self.calls.len())
            || self.member.next_wake().is_some_and(|wake| wake <= now)
        {
            let Some(call) = self.member.call(now) else { break };
            let store = Arc::clone(&self.store);
            let limit = self.plan.call_timeout;
            let call = make(store, self.member.id, call, limit, self.greatest);
            self.calls.push(Box::pin(call));
        }
    }

    /// Watches the row of a name while somebody else has it, and not otherwise.
    fn watch(&mut self, name: LockName) {
        if let Some(hints) = &mut self.hints {
            let others = self.member.must_wait(&name);
            let own = self.member.names.get(&name).filter(|_| others);
            hints.watch(name, own.and_then(Claimant::version));
        }
    }

    fn next_wake(&self) -> Option<Moment> {
        let Times { look, sweep, retry, begin } = self.times;
        let member = self.member.next_wake();
        [look, sweep, retry, begin, member, self.gives_up()].into_iter().flatten().min()
    }

    /// When it leaves to others what could not be given back. One call without an answer is not yet a store
    /// that cannot be reached: there is time for another. But nobody waits for long, however long a call
    /// may take.
    fn gives_up(&self) -> Option<Moment> {
        let patience = self.plan.call_timeout.min(PATIENCE);
        let silent = self.closing? + 2 * patience;
        Some(self.failing_since.map_or(silent, |since| silent.min(since + patience)))
    }

    /// Whether it has closed, or cannot.
    fn is_over(&self) -> bool {
        let has_given_up = self.gives_up().is_some_and(|at| self.now() >= at);
        self.closing.is_some() && (self.member.is_over() || has_given_up)
    }

    fn end(&mut self) {
        self.ended = true;
        let (unreturned, left) = (self.unreturned, !self.member.is_over());
        self.engine(|engine, effects| engine.driver_ended(unreturned, left, effects));
    }

    fn is_alive(&self) -> bool {
        self.member.session.life == Life::Alive
    }

    fn now(&self) -> Moment {
        self.clock.now().moment()
    }

    fn backoff(&mut self) -> Duration {
        let failures = self.failures.max(self.went_back);
        let doubled = BACKOFF * 2_u32.pow(failures.saturating_sub(1).min(16));
        self.random.up_to(doubled.min(self.plan.timing.ttl() / 4))
    }

    fn engine<R>(&self, action: impl FnOnce(&Engine, &mut Effects) -> R) -> Option<R> {
        Some(self.space.upgrade()?.act(action))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.ended {
            // The runtime has ended: nobody will keep the session alive.
            self.status.alive(false);
            self.engine(|engine, effects| engine.session_ended(SessionEnd::Outage, effects));
            if let Some(space) = self.space.upgrade() {
                space.begin_shutdown(Duration::ZERO);
            }
            self.engine(|engine, effects| engine.driver_ended(0, true, effects));
        }
    }
}

/// A session that is about to begin, with a number that was never used.
fn begin(plan: &Plan, random: &mut Random, now: Moment) -> Member {
    let id = SessionId(u128::from(random.fresh()) << 64 | u128::from(random.fresh()));
    Member::new(id, Session::new(plan.timing, &plan.label, now))
}

/// Random numbers: those of sessions from the system, those for jitter from a generator that it has seeded.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let mut random = Self(0);
        random.0 = random.fresh();
        random
    }

    /// From the system.
    fn fresh(&mut self) -> u64 {
        getrandom::u64().expect("the system has random numbers")
    }

    /// Between three quarters of `duration` and all of it, so that processes which began together do not
    /// stay together.
    fn up_to(&mut self, duration: Duration) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (self.0 >> 40) as f64 / (1_u64 << 24) as f64;
        duration.mul_f64(0.75 + part / 4.0)
    }
}
