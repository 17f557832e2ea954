//! Runs the specification beside a subject and compares all there is to compare after every move.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lockspace_spec::owners::WaitFor;
use lockspace_spec::{
    Action, Addressee, FencingToken, Grace, Lease, Loss, Name, Op, Outcome, Outcomes, OwnerId,
    REACHABLE, RequestId, SAFETY, State, Transition, Wait, step,
};

use crate::books::{Books, Client, Stage};
use crate::story::Story;
use crate::subject::{Move, Ms, Observation, Reply, Setup, Subject};

const NOT_FOUND_WRONG: &str = "a judgement ends with the first disagreement";

/// Runs the specification beside a subject, and compares all there is to compare after every move.
pub struct Judge<S> {
    /// `None` once it was found wrong.
    subject: Option<S>,
    spec: State,
    books: Books,
    /// Whose each request is, where deadlocks are looked for.
    owners: Option<BTreeMap<RequestId, OwnerId>>,
    story: Story,
    reached: BTreeSet<&'static str>,
}

/// Where a subject and the specification part.
#[derive(Clone, Debug)]
pub struct Disagreement {
    story: String,
    about: String,
    expected: String,
    got: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { story, about, expected, got } = self;
        writeln!(f, "this is not what the specification says:\n\n{story}\n")?;
        writeln!(f, "After the last step, {about}:")?;
        write!(f, "  expected {expected}\n  got      {got}")
    }
}

/// Asking where things stand, to choose a next move that makes sense.
impl<S> Judge<S> {
    /// Everybody whose future or guard exists.
    pub fn clients(&self) -> impl Iterator<Item = (RequestId, &Client)> {
        self.books.clients.iter().map(|(request, client)| (*request, client))
    }

    /// What the specification holds to be true now.
    pub fn spec(&self) -> &State {
        &self.spec
    }

    /// How long until the next timer is due.
    pub fn next_due_in(&self) -> Option<Ms> {
        let (at, _) = self.books.next_due()?;
        Some(at - self.books.now)
    }

    /// The IDs of the reachability properties that were met so far.
    pub fn reached(&self) -> &BTreeSet<&'static str> {
        &self.reached
    }

    /// How somebody who is still there ends what it does.
    fn last_move(&self) -> Option<Move> {
        let (request, client) = self.clients().next()?;
        Some(if client.is_acquiring() {
            Move::Leave { request }
        } else {
            Move::Release { request }
        })
    }

    /// The subject, when the judgement is over.
    ///
    /// # Panics
    /// If it was found wrong.
    pub fn into_subject(self) -> S {
        self.subject.expect(NOT_FOUND_WRONG)
    }
}

impl<S: Subject> Judge<S> {
    /// Judges a subject that is open and in which nothing has happened.
    pub fn new(setup: &Setup, subject: S) -> Self {
        Self {
            subject: Some(subject),
            spec: State::new(setup.limits),
            books: Books::new(setup.timing),
            owners: setup.detect_deadlocks.then(BTreeMap::new),
            story: Story::default(),
            reached: BTreeSet::new(),
        }
    }

    /// Makes one move on both sides and compares the reply, who was woken, and all that is to be seen.
    ///
    /// # Errors
    /// The [`Disagreement`], which tells the story so far.
    ///
    /// # Panics
    /// If the move makes no sense, such as to release what was never granted.
    pub fn step(&mut self, what: &Move) -> Result<(), Disagreement> {
        self.story.begin(self.books.now, what);
        let expected = self.specify(what)?;
        let got = self.ask_subject(|subject| subject.apply(what))?;
        self.compare_reply(what, expected, got)?;
        self.compare_woken()?;
        self.compare_observation()
    }

    /// Ends everything that is still going on, and sees that nothing is left.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn wind_up(&mut self) -> Result<(), Disagreement> {
        while let Some(what) = self.last_move() {
            self.step(&what)?;
        }
        assert!(self.spec.is_quiescent(), "nobody is left, so nothing is");
        Ok(())
    }
}

/// The specification's side of a move.
impl<S> Judge<S> {
    /// Steps the specification; answers what the mover is to be told, as far as it can be known.
    fn specify(&mut self, what: &Move) -> Result<Expected, Disagreement> {
        match *what {
            Move::Pass { time } => self.specify_the_end_of_timers(what, time),
            Move::Look { request, .. } => {
                let expected = self.expected_at_a_look(request);
                self.books.looked(request);
                Ok(expected)
            }
            _ => self.specify_an_action(what),
        }
    }

    fn specify_the_end_of_timers(
        &mut self,
        what: &Move,
        time: Ms,
    ) -> Result<Expected, Disagreement> {
        self.books.now += time;
        while let Some((at, elapsed)) = self.books.next_due()
            && at <= self.books.now
        {
            self.act(what, elapsed.into())?;
        }
        Ok(Reply::Nothing.into())
    }

    fn specify_an_action(&mut self, what: &Move) -> Result<Expected, Disagreement> {
        if let Move::Ask { request, name, wait, lease, owner } = *what {
            if self.is_turned_away(what, owner) {
                return Ok(Reply::TurnedAway.into());
            }
            self.books.open(request, name, wait, lease);
            if let (Some(owners), Some(owner)) = (&mut self.owners, owner) {
                owners.insert(request, owner);
            }
        }
        let lost = mover(what).and_then(|request| self.books.clients.get(&request)?.lost);
        let outcomes = self.act(what, self.action_of(what).into())?;
        if let Move::Leave { request } | Move::Release { request } | Move::Drop { request } = *what
        {
            self.books.gone(request);
        }
        let told = match mover(what) {
            Some(request) => outcomes.of(request),
            None => outcomes.to(Addressee::Operator).next(),
        };
        Ok(expected_after(what, told, lost))
    }

    /// Whether `owner` would wait in a cycle if the protocol were asked.
    fn is_turned_away(&self, what: &Move, owner: Option<OwnerId>) -> bool {
        let (Some(owners), Some(owner)) = (&self.owners, owner) else {
            return false;
        };
        let op = self.action_of(what);
        let Op::Acquire { request, name, .. } = op else {
            return false;
        };
        let (_, outcomes) = step(&self.spec, &op.into());
        let would_wait =
            outcomes.of(request).is_some_and(|told| matches!(told, Outcome::Queued { .. }));
        // Whoever has no owner is nobody's, and like nobody else.
        let owner_of = |request: RequestId| {
            owners.get(&request).copied().unwrap_or(OwnerId(u16::MAX - request.0))
        };
        let graph = WaitFor::of(&self.spec, &owner_of);
        let holder = self.spec.holder_of(name).map(|(_, hold)| owner_of(hold.request));
        would_wait && holder.is_some_and(|holder| graph.leads_to(holder, owner))
    }

    fn action_of(&self, what: &Move) -> Op {
        match *what {
            Move::Ask { request, name, wait, lease, .. } => Op::Acquire {
                request,
                name,
                wait: match wait {
                    Some(0) => Wait::No,
                    Some(_) => Wait::Bounded,
                    None => Wait::Unbounded,
                },
                lease: lease.map_or(Lease::Unbounded, |_| Lease::Bounded),
            },
            Move::Leave { request } => Op::Cancel { request },
            Move::Release { request } | Move::Drop { request } => {
                Op::Release { request, token: self.token_of(request) }
            }
            Move::Renew { request, .. } => Op::Renew { request, token: self.token_of(request) },
            Move::Force { name } => Op::ForceRelease { name },
            Move::ShutDown { grace: 0 } => Op::Shutdown { grace: Grace::No },
            Move::ShutDown { .. } => Op::Shutdown { grace: Grace::Bounded },
            Move::Look { .. } | Move::Pass { .. } => unreachable!("no action of a client"),
        }
    }

    fn token_of(&self, request: RequestId) -> FencingToken {
        match self.books.clients.get(&request).map(|client| client.stage) {
            Some(Stage::Holding(token)) => token,
            stage => panic!("{request:?} has no guard: {stage:?}"),
        }
    }

    fn expected_at_a_look(&self, request: RequestId) -> Expected {
        match self.books.clients[&request].stage {
            Stage::Waiting => Reply::Pending.into(),
            Stage::Refused(why) => Reply::Refused(why).into(),
            Stage::Granted(token) => Expected::Granted(token),
            Stage::Holding(_) => panic!("{request:?} has seen its answer"),
        }
    }

    /// One step of the specification, held against its own properties.
    fn act(&mut self, what: &Move, action: Action) -> Result<Outcomes, Disagreement> {
        let (after, outcomes) = step(&self.spec, &action);
        self.story.answers(&outcomes);
        let transition =
            Transition { before: &self.spec, action: &action, outcomes: &outcomes, after: &after };
        let broken = SAFETY.iter().find(|property| !(property.holds)(&transition));
        let reached = REACHABLE.iter().filter(|property| (property.holds)(&transition));
        self.reached.extend(reached.map(|property| property.id));
        self.books.enter(what, &self.spec, &outcomes, &after);
        self.spec = after;
        if let Some(property) = broken {
            return Err(self.disagree("the specification's own step", property.sentence, "not so"));
        }
        if !self.books.armed().eq(&self.spec.timers) {
            let armed = format!("{:?}", self.spec.timers);
            return Err(self.disagree("the judge's own books", armed, format!("{:?}", self.books)));
        }
        Ok(outcomes)
    }
}

/// Comparing.
impl<S: Subject> Judge<S> {
    /// Asks the subject something. If it panics, that is its answer.
    fn ask_subject<T>(&mut self, ask: impl FnOnce(&mut S) -> T) -> Result<T, Disagreement> {
        let subject = self.subject.as_mut().expect(NOT_FOUND_WRONG);
        catch_unwind(AssertUnwindSafe(|| ask(subject))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            self.disagree("the subject answers", "anything", format!("a panic: {text}"))
        })
    }

    fn compare_reply(
        &mut self,
        what: &Move,
        expected: Expected,
        got: Reply,
    ) -> Result<(), Disagreement> {
        let expected = match (expected, got) {
            (Expected::Reply(reply), _) => reply,
            (Expected::Granted(token), Reply::Granted(number))
                if !self.books.tokens.knows(token) =>
            {
                let Move::Ask { name, .. } = *what else {
                    unreachable!("later grants are known from what was to be seen")
                };
                return self.learn(name, token, number);
            }
            (Expected::Granted(token), _) => Reply::Granted(self.books.tokens.of(token)),
            (Expected::Forced(name), _) => Reply::Forced(self.books.tokens.latest(name)),
        };
        if expected == got {
            return Ok(());
        }
        Err(self.disagree("the mover is told", format!("{expected:?}"), format!("{got:?}")))
    }

    fn compare_woken(&mut self) -> Result<(), Disagreement> {
        let mut expected = std::mem::take(&mut self.books.answered);
        let mut got = self.ask_subject(S::woken)?;
        expected.sort_unstable();
        got.sort_unstable();
        if expected == got {
            return Ok(());
        }
        Err(self.disagree("those are woken", format!("{expected:?}"), format!("{got:?}")))
    }

    fn compare_observation(&mut self) -> Result<(), Disagreement> {
        let got = self.ask_subject(|subject| subject.observe())?;
        self.learn_handed_over(&got)?;
        let expected = self.books.expect(&self.spec);
        if expected == got {
            return Ok(());
        }
        Err(self.disagree("this is to be seen", expected.to_string(), got.to_string()))
    }

    /// A hand-over shows its token only to whoever looks: the new holder has not been polled.
    fn learn_handed_over(&mut self, got: &Observation) -> Result<(), Disagreement> {
        let unknown: Vec<_> = self
            .spec
            .holds
            .iter()
            .filter(|(token, _)| !self.books.tokens.knows(**token))
            .map(|(token, hold)| (*token, hold.name))
            .collect();
        for (token, name) in unknown {
            if let Some(seen) = got.names.iter().find(|seen| seen.name == name) {
                self.learn(name, token, seen.token)?;
            }
        }
        Ok(())
    }

    fn learn(&mut self, name: Name, token: FencingToken, number: u64) -> Result<(), Disagreement> {
        let learnt = self.books.tokens.learn(name, token, number);
        learnt.map_err(|expected| self.disagree("the new token", expected, number.to_string()))
    }
}

impl<S> Judge<S> {
    /// The subject is wrong. From here on it is not touched, not even to be dropped: that might panic,
    /// and the story would be lost.
    fn disagree(
        &mut self,
        about: &str,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Disagreement {
        std::mem::forget(self.subject.take());
        Disagreement {
            story: self.story.to_string(),
            about: about.into(),
            expected: expected.into(),
            got: got.into(),
        }
    }
}

/// What the mover is to be told. The subject's own number of a token may have to be learnt.
enum Expected {
    Reply(Reply),
    Granted(FencingToken),
    /// The hold of this name, which had the name's latest token, was ended.
    Forced(Name),
}

impl From<Reply> for Expected {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// What the mover is to be told, given what the specification tells it.
fn expected_after(what: &Move, told: Option<Outcome>, lost: Option<Loss>) -> Expected {
    match (what, told) {
        (Move::Leave { .. } | Move::Drop { .. } | Move::ShutDown { .. }, _) => {
            Reply::Nothing.into()
        }
        (Move::Force { name }, Some(Outcome::Released)) => Expected::Forced(*name),
        (Move::Force { .. }, _) => Reply::Forced(None).into(),
        (_, Some(Outcome::Granted(token))) => Expected::Granted(token),
        (_, Some(Outcome::Queued { .. })) => Reply::Pending.into(),
        (_, Some(Outcome::Refused(why))) => Reply::Refused(why).into(),
        (_, Some(Outcome::Released)) => Reply::Released.into(),
        (_, Some(Outcome::Renewed)) => Reply::Renewed.into(),
        (_, Some(Outcome::NotHeld)) => Reply::Lost(lost.expect("its hold has ended")).into(),
        (_, other) => unreachable!("{what:?} answers {other:?}"),
    }
}

/// Who makes a move; nobody, if it is an operator or the world.
fn mover(what: &Move) -> Option<RequestId> {
    match *what {
        Move::Ask { request, .. }
        | Move::Look { request, .. }
        | Move::Leave { request }
        | Move::Release { request }
        | Move::Drop { request }
        | Move::Renew { request, .. } => Some(request),
        Move::Force { .. } | Move::ShutDown { .. } | Move::Pass { .. } => None,
    }
}
