//! `lockspace trace`: stories of how something breaks, or of how something happens.

use std::io::{self, Write};
use std::path::PathBuf;

use lockspace_model::breakable::{BREAKABLE, Breakable};
use lockspace_model::defects::{DEFECTS, Defect};
use lockspace_model::story::{Step, Story};
use lockspace_model::witness;
use lockspace_spec::{Property, REACHABLE};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::{out, say};
use crate::picture::{self, Told};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A defect, a property (S1.., L1.., D1) or a goal (R1..); without it, what there is
    what: Option<String>,
    /// Writes one JSON document
    #[arg(long)]
    json: bool,
    /// Draws the stories as a page for the browser, and writes it to this file
    #[arg(long, value_name = "OUT", requires = "what")]
    html: Option<PathBuf>,
}

/// A story to be told, and the words around it.
struct Tale {
    name: &'static str,
    before: String,
    story: Story,
    after: &'static str,
}

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let Some(what) = args.what.as_deref() else {
        let mut out = out();
        if args.json {
            writeln!(out, "{:#}", list_as_json())?;
        } else {
            list(&mut out)?;
        }
        return Ok(Exit::Done);
    };
    let tales = match tales(what) {
        Ok(tales) if tales.is_empty() => {
            say(format_args!("nothing to trace is called {what:?}."));
            list(&mut io::stderr().lock())?;
            return Ok(Exit::Failed);
        }
        Ok(tales) => tales,
        Err(missing) => {
            say(missing);
            return Ok(Exit::Deviates);
        }
    };
    if let Some(html) = &args.html {
        picture::of_stories(html, &format!("lockspace trace {what}"), &drawn(&tales))?;
    }
    let mut out = out();
    if args.json {
        writeln!(out, "{:#}", tales.iter().map(as_json).collect::<Value>())?;
    } else {
        tales.iter().try_for_each(|tale| tell(&mut out, tale))?;
    }
    Ok(Exit::Done)
}

/// What there is to tell about a goal, a property or a defect; or what is missing that should be there.
fn tales(what: &str) -> Result<Vec<Tale>, String> {
    let called = |property: &&Property| property.id.eq_ignore_ascii_case(what);
    if let Some(goal) = REACHABLE.iter().find(called) {
        let story = witness::called(goal.id).ok_or(format!("{} is not reached", goal.id))?;
        let before = format!("{}: {}", goal.name, goal.sentence);
        return Ok(vec![Tale { name: goal.id, before, story, after: "" }]);
    }
    let breaks = |defect: &&Defect| defect.breaks.eq_ignore_ascii_case(what);
    let defects = DEFECTS.iter().filter(breaks).chain(Defect::called(what));
    defects.map(of_defect).collect()
}

fn of_defect(defect: &Defect) -> Result<Tale, String> {
    let story = defect.story().ok_or(format!("{} is not refuted", defect.name))?;
    Ok(Tale { name: defect.name, before: defect.fault.to_owned(), story, after: defect.lesson })
}

fn tell(out: &mut impl Write, tale: &Tale) -> io::Result<()> {
    let Tale { name, before, story, after } = tale;
    if after.is_empty() {
        writeln!(out, "{name} {before}\n\n{story}")
    } else {
        writeln!(out, "{name}\n\n{before}\n\n{story}\n{after}\n")
    }
}

fn drawn(tales: &[Tale]) -> Vec<Told<'_>> {
    let told = tales.iter().map(|Tale { name, before, story, after }| {
        let heading = name.replace('-', " ");
        Told { heading, before, story, after }
    });
    told.collect()
}

fn as_json(tale: &Tale) -> Value {
    let broken: Vec<&str> = tale.story.broken().iter().map(|index| BREAKABLE[index].id).collect();
    let step = |step: &Step| {
        let told = step.told().iter();
        let told: Value =
            told.map(|(whom, what)| json!({ "whom": whom.to_string(), "what": what })).collect();
        let (who, to) = (step.who().to_string(), step.to().to_string());
        json!({ "who": who, "to": to, "did": step.did(), "told": told })
    };
    json!({
        "name": tale.name, "about": tale.before, "lesson": tale.after, "breaks": broken,
        "steps": tale.story.steps().iter().map(step).collect::<Value>(), "ends": tale.story.ends(),
    })
}

/// The properties that have stories of designs that break them.
fn broken_properties() -> impl Iterator<Item = &'static Breakable> {
    BREAKABLE.iter().filter(|property| DEFECTS.iter().any(|d| d.breaks == property.id))
}

fn list(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Faulty designs, each with the property that it breaks:")?;
    for defect in &DEFECTS {
        writeln!(out, "  {:<36} {:<4} {}", defect.name, defect.breaks, defect.fault)?;
    }
    writeln!(out, "\nProperties, each with the stories of the designs that break it:")?;
    for property in broken_properties() {
        writeln!(out, "  {:<36} {}", property.id, property.sentence)?;
    }
    writeln!(out, "\nWhat must be possible, each with a witness:")?;
    for goal in &REACHABLE {
        writeln!(out, "  {:<36} {}", goal.id, goal.sentence)?;
    }
    Ok(())
}

fn list_as_json() -> Value {
    let defect = |d: &Defect| json!({ "name": d.name, "breaks": d.breaks, "about": d.fault });
    let property = |p: &Breakable| json!({ "name": p.id, "about": p.sentence });
    let goal = |goal: &Property| json!({ "name": goal.id, "about": goal.sentence });
    json!({
        "defects": DEFECTS.iter().map(defect).collect::<Value>(),
        "properties": broken_properties().map(property).collect::<Value>(),
        "goals": REACHABLE.iter().map(goal).collect::<Value>(),
    })
}
