//! Tells a path of the plain machine so that a person can read it: numbered steps in plain words, and
//! a sequence diagram. It tells what happened; it decides nothing.

use core::fmt::{self, Display, Formatter, Write};

use lockspace_spec::{
    Action, Addressee, Answer, Env, FencingToken, Grace, Lease, Loss, Name, Op, Outcome, Outcomes,
    Refusal, RequestId, SAFETY, Wait,
};

use crate::machine::Ids;
use crate::plain::Plain;
use crate::world::{Doing, World};

/// A path, told.
#[derive(Clone, Debug)]
pub struct Story {
    clients: u16,
    steps: Vec<Step>,
    ends: Vec<String>,
    broken: Ids,
}

#[derive(Clone, Debug)]
struct Step {
    who: Actor,
    did: String,
    told: Vec<(Actor, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Client(RequestId),
    Operator,
    Timer,
}

impl Story {
    /// The story of `path` from the initial state of `machine`, and of what its last step breaks.
    #[must_use]
    pub fn of(machine: &Plain, path: &[Action]) -> Self {
        let mut world = World::new(machine.clients, machine.limits);
        let mut story = Self {
            clients: machine.clients,
            steps: Vec::new(),
            ends: Vec::new(),
            broken: Ids::NONE,
        };
        for action in path {
            let before = world.clone();
            let told = world.take(machine.design, action);
            story.steps.push(Step::of(&before, action, &told));
            story.broken = world.judge(&before, action, &told, Ids::NONE).broken;
        }
        story.ends = how_it_stands(&world);
        story
    }

    /// The safety properties that the last step breaks.
    #[must_use]
    pub const fn broken(&self) -> Ids {
        self.broken
    }

    /// How many steps it takes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.steps.len()
    }

    /// The text of a Mermaid sequence diagram.
    #[must_use]
    pub fn diagram(&self) -> String {
        let mut text = String::from("sequenceDiagram\n");
        for client in (0..self.clients).map(RequestId) {
            line(&mut text, format_args!("actor {}", Actor::Client(client)));
        }
        line(&mut text, format_args!("participant lockspace"));
        for other in [Actor::Timer, Actor::Operator] {
            if self.steps.iter().any(|step| step.concerns(other)) {
                line(&mut text, format_args!("participant {other}"));
            }
        }
        for step in &self.steps {
            line(&mut text, format_args!("{}->>lockspace: {}", step.who, step.did));
            for (whom, what) in &step.told {
                line(&mut text, format_args!("lockspace-->>{whom}: {what}"));
            }
        }
        let last = Actor::Client(RequestId(self.clients - 1));
        let broken = self.broken.iter().map(|index| {
            let property = &SAFETY[index];
            format!("breaks {} {}", property.id, property.name)
        });
        for end in self.ends.iter().cloned().chain(broken) {
            let over = format_args!("Note over {},{last}: {end}", Actor::Client(RequestId(0)));
            line(&mut text, over);
        }
        text
    }
}

fn line(text: &mut String, content: fmt::Arguments<'_>) {
    // A Mermaid statement ends at a semicolon or at the end of its line.
    let content = content.to_string().replace(';', ",");
    let _ = writeln!(text, "    {content}");
}

impl Display for Story {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "{}. {} {}.", index + 1, step.who.with_article(), step.did)?;
            if step.told.is_empty() {
                writeln!(f, "   - Nobody is told anything.")?;
            }
            for (whom, what) in &step.told {
                writeln!(f, "   - {} is told: {what}.", whom.with_article())?;
            }
        }
        writeln!(f)?;
        writeln!(f, "In the end:\n")?;
        for end in &self.ends {
            writeln!(f, "- {end}")?;
        }
        for property in self.broken.iter().map(|index| &SAFETY[index]) {
            let (id, name, sentence) = (property.id, property.name, property.sentence);
            writeln!(f, "\nThis breaks **{id} {name}**: {sentence}.")?;
        }
        Ok(())
    }
}

impl Step {
    fn concerns(&self, actor: Actor) -> bool {
        self.who == actor || self.told.iter().any(|(whom, _)| *whom == actor)
    }

    fn of(before: &World, action: &Action, told: &Outcomes) -> Self {
        let (who, did) = deed(before, action);
        let answer = |answer: &Answer| match (answer.to, answer.outcome) {
            // Only a faulty design releases for somebody who did not ask, and does not hear of it.
            (Addressee::Request(request), Outcome::Released) if who != Actor::Client(request) => {
                (who, format!("released, in the name of {}", Actor::Client(request)))
            }
            (Addressee::Request(request), outcome) => (Actor::Client(request), words(outcome)),
            (Addressee::Operator, outcome) => (Actor::Operator, words(outcome)),
        };
        let told = told.iter().map(answer).collect();
        Self { who, did, told }
    }
}

/// Who did `action`, and what it is in words.
fn deed(before: &World, action: &Action) -> (Actor, String) {
    let client = |request| Actor::Client(request);
    match *action {
        Action::Op(Op::Acquire { request, name, wait, lease }) => {
            let wait = match wait {
                Wait::No => "without waiting",
                Wait::Bounded => "with a wait timeout",
                Wait::Unbounded => "ready to wait for as long as it takes",
            };
            let lease = match lease {
                Lease::Bounded => ", with a lease",
                Lease::Unbounded => "",
            };
            (client(request), format!("acquires {}, {wait}{lease}", Called(name)))
        }
        Action::Op(Op::Cancel { request }) => {
            let when = match before.clients[usize::from(request.0)].doing {
                Doing::Waiting => "drops its acquire while it waits",
                Doing::Inside { .. } => "drops its acquire: granted, and not yet seen",
                Doing::Idle => "drops an acquire that is over",
            };
            (client(request), when.into())
        }
        Action::Op(Op::Release { request, token }) => {
            (client(request), format!("releases {}", late(before, request, token)))
        }
        Action::Op(Op::Renew { request, token }) => {
            (client(request), format!("renews {}", late(before, request, token)))
        }
        Action::Op(Op::ForceRelease { name }) => {
            (Actor::Operator, format!("forces the release of {}", Called(name)))
        }
        Action::Op(Op::Shutdown { grace }) => {
            let grace = match grace {
                Grace::No => "without grace",
                Grace::Bounded => "with a grace for holders",
            };
            (Actor::Operator, format!("shuts the lockspace down, {grace}"))
        }
        Action::Env(Env::WaitElapsed { request }) => {
            (Actor::Timer, format!("ends the wait timeout of {}", client(request)))
        }
        Action::Env(Env::LeaseElapsed { token }) => {
            (Actor::Timer, format!("ends the lease of token {token}"))
        }
        Action::Env(Env::GraceElapsed) => (Actor::Timer, "ends the grace".into()),
    }
}

fn late(before: &World, request: RequestId, token: FencingToken) -> String {
    let stale = before.clients[usize::from(request.0)].stale == Some(token);
    let late = if stale { ", too late" } else { "" };
    format!("token {token}{late}")
}

fn words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Granted(token) => return format!("granted, with token {token}"),
        Outcome::Queued { ahead: 0 } => "queued, next in line",
        Outcome::Queued { ahead } => return format!("queued, behind {ahead}"),
        Outcome::Refused(Refusal::Busy) => "refused, the name is held",
        Outcome::Refused(Refusal::TimedOut) => "refused, the wait timed out",
        Outcome::Refused(Refusal::ShuttingDown) => "refused, the lockspace is shutting down",
        Outcome::Refused(Refusal::AtCapacity) => "refused, a limit is reached",
        Outcome::Cancelled => "cancelled",
        Outcome::Released => "released",
        Outcome::Renewed => "renewed",
        Outcome::Lost(Loss::LeaseElapsed) => "lost, the lease ended",
        Outcome::Lost(Loss::Forced) => "lost, an operator took it away",
        Outcome::Lost(Loss::Shutdown) => "lost, the shutdown took it away",
        Outcome::NotHeld => "not held, nothing changed",
        Outcome::Closed => "closed",
    }
    .into()
}

/// Where everybody is at the end: the bodies that run, and what the lockspace remembers.
fn how_it_stands(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for request in world.requests() {
        if let Doing::Inside { name, token } = world.clients[usize::from(request.0)].doing {
            let client = Actor::Client(request);
            lines.push(format!("{client}'s body is inside {}, with token {token}", Called(name)));
        }
    }
    let space = &world.space;
    let holds = space.holds.iter();
    let holds: Vec<_> = holds
        .map(|(token, hold)| {
            let holder = Actor::Client(hold.request);
            format!("{} held by {holder} with token {token}", Called(hold.name))
        })
        .collect();
    let entries: Vec<_> = space
        .entries
        .iter()
        .filter(|(name, queue)| !queue.is_empty() || space.holder_of(**name).is_none())
        .map(|(name, queue)| {
            let queue = queue.iter().map(|waiter| Actor::Client(waiter.request).to_string());
            let queue: Vec<_> = queue.collect();
            match queue.as_slice() {
                [] => format!("an entry for {}", Called(*name)),
                queue => format!("{} waiting for {}", queue.join(", "), Called(*name)),
            }
        })
        .collect();
    let timers = match space.timers.len() {
        0 => "no timer".into(),
        1 => "1 armed timer".into(),
        many => format!("{many} armed timers"),
    };
    let mut parts = vec![format!("{:?}", space.phase).to_lowercase()];
    parts.extend(holds.into_iter().chain(entries));
    parts.push(timers);
    lines.push(format!(
        "the lockspace is {} and remembers: {}; its next token is {}",
        parts[0],
        parts[1..].join("; "),
        space.next_token
    ));
    lines
}

struct Called(Name);

impl Display for Called {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 4] = ["red", "green", "blue", "white"];
        f.write_str(NAMES.get(usize::from(self.0.0)).unwrap_or(&"another name"))
    }
}

impl Actor {
    fn with_article(self) -> String {
        match self {
            Self::Client(_) => self.to_string(),
            Self::Operator => "The operator".into(),
            Self::Timer => "A timer".into(),
        }
    }
}

impl Display for Actor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const CLIENTS: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eva", "Finn"];
        match self {
            Self::Client(request) => {
                f.write_str(CLIENTS.get(usize::from(request.0)).unwrap_or(&"Somebody"))
            }
            Self::Operator => f.write_str("operator"),
            Self::Timer => f.write_str("timer"),
        }
    }
}
