//! Tells a path so that a person can read it: numbered steps in plain words, and a sequence diagram. It
//! tells what happened; it decides nothing.

mod plain;
mod words;

use core::fmt::{self, Display, Formatter, Write};

use lockspace_spec::{Addressee, Answer, Outcome, Outcomes, RequestId};

use crate::breakable::BREAKABLE;
use crate::machine::{Ids, Machine, Next};
use crate::world::Doing;
use words::outcome;

pub(crate) use plain::deed;
pub use words::Actor;
pub(crate) use words::{Called, acquire, how_it_stands, late};

/// A machine whose paths can be told.
pub(crate) trait Tell: Machine {
    /// How many clients there are.
    fn clients(&self) -> u16;

    /// Takes `action` in `state`, and tells it.
    fn tell(&self, state: &mut Self::State, action: &Self::Action) -> Step;

    /// What each client does in `state`, as far as it was told.
    fn doings(&self, state: &Self::State) -> Vec<Doing>;

    /// What it is that clients turn to.
    fn middle(&self) -> Actor {
        Actor::Lockspace
    }

    /// Why the progress with this ID is not made where it is said to be broken.
    fn why_not(&self, id: &str) -> String {
        format!("Nothing that {id} counts on can happen here, so it may stay so.")
    }

    /// Where everybody is in `state`.
    fn how_it_stands(&self, state: &Self::State) -> Vec<String>;
}

/// A path, told.
#[derive(Clone, Debug)]
pub struct Story {
    clients: u16,
    middle: Actor,
    steps: Vec<Step>,
    ends: Vec<String>,
    broken: Ids,
    /// Of the last one that is broken, should it be a debt of progress.
    why_not: Option<String>,
}

/// A step, told.
#[derive(Clone, Debug)]
pub struct Step {
    who: Actor,
    to: Actor,
    did: String,
    told: Vec<(Actor, String)>,
    leaves: Vec<Doing>,
}

impl Story {
    /// The story of `path` from the initial state of `machine`, and of what its last step breaks.
    #[must_use]
    pub(crate) fn of<M: Tell>(machine: &M, path: &[M::Action]) -> Self {
        let mut state = machine.initial();
        let (mut steps, mut broken) = (Vec::new(), Ids::NONE);
        for action in path {
            broken = match machine.next(&state, &mut state.clone(), action, Ids::NONE) {
                Next::Sound { .. } => Ids::NONE,
                Next::Broken(ids) => ids,
            };
            let mut step = machine.tell(&mut state, action);
            step.leaves = machine.doings(&state);
            steps.push(step);
        }
        let (clients, middle) = (machine.clients(), machine.middle());
        let (ends, why_not) = (machine.how_it_stands(&state), |id| machine.why_not(id));
        let why_not = broken.iter().map(|index| why_not(BREAKABLE[index].id)).last();
        Self { clients, middle, steps, ends, broken, why_not }
    }

    /// What the last step breaks (of [`BREAKABLE`]).
    #[must_use]
    pub const fn broken(&self) -> Ids {
        self.broken
    }

    /// How many steps it takes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.steps.len()
    }

    /// How many clients there are.
    #[must_use]
    pub const fn clients(&self) -> u16 {
        self.clients
    }

    /// What happens, step by step.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where everybody is in the end, in words.
    #[must_use]
    pub fn ends(&self) -> &[String] {
        &self.ends
    }

    /// The text of a Mermaid sequence diagram.
    #[must_use]
    pub fn diagram(&self) -> String {
        let mut text = String::from("sequenceDiagram\n");
        for client in (0..self.clients).map(RequestId) {
            line(&mut text, format_args!("actor {}", Actor::Client(client)));
        }
        line(&mut text, format_args!("participant {}", self.middle));
        for other in [Actor::Resource, Actor::Timer, Actor::Time, Actor::Operator] {
            if self.steps.iter().any(|step| step.concerns(other)) {
                line(&mut text, format_args!("participant {other}"));
            }
        }
        for step in &self.steps {
            line(&mut text, format_args!("{}->>{}: {}", step.who, step.to, step.did));
            for (whom, what) in &step.told {
                line(&mut text, format_args!("{}-->>{whom}: {what}", step.to));
            }
        }
        let last = Actor::Client(RequestId(self.clients - 1));
        let broken = self.broken.iter().map(|index| format!("breaks {}", BREAKABLE[index].title()));
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
        for broken in self.broken.iter().map(|index| &BREAKABLE[index]) {
            write!(f, "\nThis breaks **{}**: {}.", broken.title(), broken.sentence)?;
            if broken.progress {
                write!(f, " {}", self.why_not.as_deref().unwrap_or_default())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Step {
    /// What `who` does to the lockspace, and what everybody is told by it.
    pub(crate) fn new(who: Actor, did: String, told: &Outcomes) -> Self {
        let answer = |answer: &Answer| match (answer.to, answer.outcome) {
            // Only a faulty design releases for somebody who did not ask, and does not hear of it.
            (Addressee::Request(request), Outcome::Released) if who != Actor::Client(request) => {
                (who, format!("released, in the name of {}", Actor::Client(request)))
            }
            (Addressee::Request(request), what) => (Actor::Client(request), outcome(what)),
            (Addressee::Operator, what) => (Actor::Operator, outcome(what)),
        };
        Self {
            who,
            to: Actor::Lockspace,
            did,
            told: told.iter().map(answer).collect(),
            leaves: Vec::new(),
        }
    }

    /// What `who` does, to whom, and what everybody is told by it.
    pub(crate) const fn of(who: Actor, to: Actor, did: String, told: Vec<(Actor, String)>) -> Self {
        Self { who, to, did, told, leaves: Vec::new() }
    }

    /// What `who` does to the resource behind the lock, and what it answers.
    pub(crate) fn at_resource(who: Actor, did: String, answer: String) -> Self {
        Self { who, to: Actor::Resource, did, told: vec![(who, answer)], leaves: Vec::new() }
    }

    /// What `who` asks and is not given, for a reason that the protocol does not know.
    pub(crate) fn turned_away(who: Actor, did: String, answer: &str) -> Self {
        let told = vec![(who, answer.into())];
        Self { who, to: Actor::Lockspace, did, told, leaves: Vec::new() }
    }

    /// Who acts.
    #[must_use]
    pub const fn who(&self) -> Actor {
        self.who
    }

    /// Upon what.
    #[must_use]
    pub const fn to(&self) -> Actor {
        self.to
    }

    /// What is done, in words that follow the actor.
    #[must_use]
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Who is told what by it.
    #[must_use]
    pub fn told(&self) -> &[(Actor, String)] {
        &self.told
    }

    /// What each client does after it, as far as the client was told.
    #[must_use]
    pub fn leaves(&self) -> &[Doing] {
        &self.leaves
    }

    /// Whether it is about `actor` in any way.
    #[must_use]
    pub fn concerns(&self, actor: Actor) -> bool {
        self.who == actor || self.to == actor || self.told.iter().any(|(whom, _)| *whom == actor)
    }
}
