//! A model's counterexample or witness as a score: a column for everybody who takes part, an arrow for
//! everything that is asked and answered, and bars for who waits and whose body is inside.

use lockspace_model::story::{Actor, Story};
use lockspace_model::world::Doing;
use lockspace_spec::RequestId;

use super::score::{Arrow, Bar, Column, Kind, Link, Place, Row, Score, Tone};

/// The score of `story`, whose last step breaks something, or shows what it is to show.
pub(super) fn score(story: &Story) -> Score {
    let actors = actors(story);
    let title = |actor: &Actor| Column { title: actor.to_string(), lanes: 1 };
    let mut score = Score { columns: actors.iter().map(title).collect(), ..Score::default() };
    let lane = |actor: Actor| actors.iter().position(|other| *other == actor).unwrap_or_default();
    let clients = (0..story.clients()).map(RequestId);
    let mut bodies: Vec<Body> = clients.map(|id| Body::new(lane(Actor::Client(id)))).collect();
    let tone = if story.broken().is_empty() { Tone::Shown } else { Tone::Wrong };
    for (index, step) in story.steps().iter().enumerate() {
        let begun = score.rows.len();
        let last = index + 1 == story.steps().len();
        let (does, told) = if last { (tone, tone) } else { (Tone::Does, Tone::Told) };
        let words = format!("{}. {} {}", index + 1, step.who(), step.did());
        score.rows.push(Row { stamp: String::new(), words, tone: does });
        score.links.push(arrow(lane(step.who()), lane(step.to()), begun, Arrow::Asks));
        for (whom, what) in step.told() {
            score.links.push(arrow(lane(step.to()), lane(*whom), score.rows.len(), Arrow::Answers));
            let words = format!("{whom} is told: {what}");
            score.rows.push(Row { stamp: String::new(), words, tone: told });
        }
        for (client, (body, doing)) in bodies.iter_mut().zip(step.leaves()).enumerate() {
            let client = Actor::Client(RequestId(client as u16));
            let told = step.told().iter().position(|(whom, _)| *whom == client);
            let row = begun + told.map_or(0, |at| at + 1);
            score.bars.extend(body.turn(*doing, row));
        }
    }
    score.bars.extend(bodies.into_iter().filter_map(|body| body.bar(None)));
    score
}

/// Who takes part, in the order of their columns.
fn actors(story: &Story) -> Vec<Actor> {
    let clients = (0..story.clients()).map(|id| Actor::Client(RequestId(id)));
    let others = [
        Actor::Lockspace,
        Actor::Store,
        Actor::Resource,
        Actor::Timer,
        Actor::Time,
        Actor::Operator,
    ];
    let concerned = |actor: &Actor| story.steps().iter().any(|step| step.concerns(*actor));
    clients.chain(others.into_iter().filter(concerned)).collect()
}

fn arrow(from: usize, to: usize, row: usize, kind: Arrow) -> Link {
    Link { from: Place { lane: from, row }, to: Place { lane: to, row }, kind }
}

/// What a client does, and since which row.
struct Body {
    lane: usize,
    doing: Doing,
    since: usize,
}

impl Body {
    fn new(lane: usize) -> Self {
        Self { lane, doing: Doing::Idle, since: 0 }
    }

    /// The client does something else from `row` on; answers the bar that ends there.
    fn turn(&mut self, doing: Doing, row: usize) -> Option<Bar> {
        if self.doing == doing {
            return None;
        }
        let bar = self.bar(Some(row));
        (self.doing, self.since) = (doing, row);
        bar
    }

    fn bar(&self, to: Option<usize>) -> Option<Bar> {
        let (kind, label, title) = match self.doing {
            Doing::Idle => return None,
            Doing::Waiting => (Kind::Waiting, String::new(), "waits".to_owned()),
            Doing::Inside { token, .. } => {
                (Kind::Holding, token.to_string(), format!("inside, with token {token}"))
            }
        };
        let (lane, from, hue) = (self.lane, Some(self.since), self.lane);
        Some(Bar { lane, from, to, kind, hue, label, title })
    }
}
