//! `lockspace trace`: stories of how something breaks, or of how something happens.

use std::io::{self, Write, stdout};
use std::process::ExitCode;

use lockspace_model::breakable::{BREAKABLE, Breakable};
use lockspace_model::defects::{DEFECTS, Defect};
use lockspace_model::witness;
use lockspace_spec::{Property, REACHABLE};

use crate::output::{DEVIATES, FAILED};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A defect, a property (S1.., L1..) or a goal (R1..); without it, what there is
    what: Option<String>,
}

pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let Some(what) = args.what.as_deref() else {
        list(&mut stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    };
    let called = |property: &&Property| property.id.eq_ignore_ascii_case(what);
    if let Some(goal) = REACHABLE.iter().find(called) {
        return tell_goal(goal);
    }
    let breaks = |defect: &&Defect| defect.breaks.eq_ignore_ascii_case(what);
    let mut defects: Vec<&Defect> = DEFECTS.iter().filter(breaks).collect();
    defects.extend(Defect::called(what));
    if defects.is_empty() {
        eprintln!("lockspace: nothing to trace is called {what:?}.");
        list(&mut io::stderr().lock())?;
        return Ok(ExitCode::from(FAILED));
    }
    for defect in defects {
        if !tell_defect(defect)? {
            return Ok(ExitCode::from(DEVIATES));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_defect(defect: &Defect) -> io::Result<bool> {
    let Some(story) = defect.story() else {
        eprintln!("lockspace: {} is not refuted", defect.name);
        return Ok(false);
    };
    let mut out = stdout().lock();
    writeln!(out, "{}\n\n{}\n", defect.name, defect.fault)?;
    writeln!(out, "{story}\n{}\n", defect.lesson)?;
    Ok(true)
}

fn tell_goal(goal: &Property) -> io::Result<ExitCode> {
    let Some(story) = witness::called(goal.id) else {
        eprintln!("lockspace: {} is not reached", goal.id);
        return Ok(ExitCode::from(DEVIATES));
    };
    writeln!(stdout().lock(), "{} {}: {}\n\n{story}", goal.id, goal.name, goal.sentence)?;
    Ok(ExitCode::SUCCESS)
}

fn list(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Faulty designs, each with the property that it breaks:")?;
    for defect in &DEFECTS {
        writeln!(out, "  {:<36} {:<4} {}", defect.name, defect.breaks, defect.fault)?;
    }
    writeln!(out, "\nProperties, each with the stories of the designs that break it:")?;
    let broken = |property: &&Breakable| DEFECTS.iter().any(|d| d.breaks == property.id);
    for property in BREAKABLE.iter().filter(broken) {
        writeln!(out, "  {:<36} {}", property.id, property.sentence)?;
    }
    writeln!(out, "\nWhat must be possible, each with a witness:")?;
    for goal in &REACHABLE {
        writeln!(out, "  {:<36} {}", goal.id, goal.sentence)?;
    }
    Ok(())
}
