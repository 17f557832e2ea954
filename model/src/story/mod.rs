//! Tells a path so that a person can read it: numbered steps in plain words, and a sequence diagram. It
//! tells what happened; it decides nothing.

mod plain;
mod words;

use core::fmt::{self, Display, Formatter, Write};

use lockspace_spec::{Addressee, Answer, Outcome, Outcomes, RequestId};

use crate::breakable::BREAKABLE;
use crate::machine::{Ids, Machine, Next};
use crate::world::{Doing, World};
use words::outcome;

pub use words::Actor;
pub(crate) use words::{Called, acquire, how_it_stands, late};

/// A machine whose paths can be told.
pub trait Tell: Machine {
    /// How many clients there are.
    fn clients(&self) -> u16;

    /// Takes `action` in `state`, and tells it.
    fn tell(&self, state: &mut Self::State, action: &Self::Action) -> Step;

    /// The part of `state` that says what the clients were told.
    fn world<'s>(&self, state: &'s Self::State) -> &'s World;

    /// Where everybody is in `state`.
    fn how_it_stands(&self, state: &Self::State) -> Vec<String>;
}

/// A path, told.
#[derive(Clone, Debug)]
pub struct Story {
    clients: u16,
    steps: Vec<Step>,
    ends: Vec<String>,
    broken: Ids,
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
    pub fn of<M: Tell>(machine: &M, path: &[M::Action]) -> Self {
        let mut state = machine.initial();
        let (mut steps, mut broken) = (Vec::new(), Ids::NONE);
        for action in path {
            broken = match machine.next(&state, &mut state.clone(), action, Ids::NONE) {
                Next::Sound { .. } => Ids::NONE,
                Next::Broken(ids) => ids,
            };
            let mut step = machine.tell(&mut state, action);
            let clients = machine.world(&state).clients.iter();
            step.leaves = clients.map(|client| client.doing).collect();
            steps.push(step);
        }
        Self { clients: machine.clients(), steps, ends: machine.how_it_stands(&state), broken }
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
        line(&mut text, format_args!("participant {}", Actor::Lockspace));
        for other in [Actor::Resource, Actor::Timer, Actor::Operator] {
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
            if broken.is_progress() {
                write!(
                    f,
                    " Nothing that {} counts on can happen here, so it may stay so.",
                    broken.id
                )?;
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

    /// What `who` does to the resource behind the lock, and what it answers.
    pub(crate) fn at_resource(who: Actor, did: String, answer: String) -> Self {
        Self { who, to: Actor::Resource, did, told: vec![(who, answer)], leaves: Vec::new() }
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
