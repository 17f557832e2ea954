//! `lockspace ls` and `health`: what stands in a store, for people and programs that look once.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::json;

use crate::age;
use crate::exit::Exit;
use crate::output::{coloured, counted, document, out};
use crate::store::{self, StoreArgs, survey};
use crate::table::{Shown, as_json, counts, lines};

#[derive(clap::Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Writes one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn ls(args: &LsArgs) -> io::Result<Exit> {
    let found = store::run(async { survey(&args.store.open().await?).await })?;
    let shown = Shown { today: age::now(), watched: None };
    if args.json {
        document(&as_json(&found, shown))?;
        return Ok(Exit::Done);
    }
    let mut out = out();
    lines(&found, shown).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(Exit::Done)
}

pub(crate) fn health(args: &LsArgs) -> io::Result<Exit> {
    let begun = Instant::now();
    let found = store::run(async { survey(&args.store.open().await?).await });
    let took = begun.elapsed();
    let (status, exit, problems) = match &found {
        Ok(found) if found.unreadable.is_empty() => ("ok", Exit::Done, Vec::new()),
        Ok(found) => {
            let problems = found.unreadable.iter().map(|(key, why)| format!("{key:?}: {why}"));
            ("degraded", Exit::Deviates, problems.collect())
        }
        Err(error) => ("failing", Exit::Failed, vec![error.to_string()]),
    };
    let counts = found.as_ref().ok().map(counts);
    if args.json {
        let counts = counts.map(|(held, waiting, sessions)| {
            json!({ "held": held, "waiting": waiting, "sessions": sessions })
        });
        document(&json!({
            "status": status, "problems": problems, "counts": counts, "seconds": took.as_secs_f64(),
        }))?;
        return Ok(exit);
    }
    let mut out = out();
    writeln!(out, "{}", coloured(status, exit == Exit::Done))?;
    if let Some((held, waiting, sessions)) = counts {
        let sessions = counted(sessions, "session");
        writeln!(out, "  {held} held, {waiting} waiting, {sessions}; read in {took:.1?}")?;
    }
    problems.iter().try_for_each(|problem| writeln!(out, "  {problem}"))?;
    Ok(exit)
}
