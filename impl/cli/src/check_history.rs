//! `lockspace check-history`: judges a recorded history by the specification.

use std::fs::File;
use std::io::{self, BufReader, Write, stdin};
use std::path::PathBuf;

use lockspace_history::{
    Budget, History, ReadError, Rejection, Summary, Undecided, Verdict, judge, judge_by_witness,
};
use serde_json::json;

use crate::exit::Exit;
use crate::output::{coloured, counted, out, say};
use crate::picture;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line, as docs/history-format.md has it; - for the standard input
    file: PathBuf,
    /// Writes the verdict as a JSON object
    #[arg(long)]
    json: bool,
    /// How many configurations to try for each name before it stays undecided
    #[arg(long, value_name = "NUMBER", default_value_t = Budget::default().configurations)]
    budget: u64,
    /// Looks only at what tokens and tickets show: less strict
    #[arg(long)]
    no_search: bool,
    /// Draws the history and the verdict as a page for the browser, and writes it to this file
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let read = if args.file.as_os_str() == "-" {
        History::read(stdin().lock())
    } else {
        File::open(&args.file)
            .map_err(ReadError::from)
            .and_then(|file| History::read(BufReader::new(file)))
    };
    let history = match read {
        Ok(history) => history,
        Err(error) => {
            say(format_args!("{}: {error}", args.file.display()));
            return Ok(Exit::Failed);
        }
    };
    let verdict = if args.no_search {
        judge_by_witness(&history)
    } else {
        judge(&history, Budget { configurations: args.budget })
    };
    if let Some(html) = &args.html {
        picture::of_history(html, &args.file.to_string_lossy(), &history, &verdict)?;
    }
    let mut out = out();
    if args.json {
        writeln!(out, "{}", as_json(&verdict))?;
    } else {
        tell(&mut out, &verdict)?;
    }
    Ok(match verdict {
        Verdict::Accepted(_) => Exit::Done,
        Verdict::Rejected(_) => Exit::Deviates,
        Verdict::Undecided(_) => Exit::Undecided,
    })
}

fn tell(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    match verdict {
        Verdict::Accepted(summary) => {
            writeln!(out, "{}: {}", coloured("accepted", true), in_words(summary))
        }
        Verdict::Rejected(why) => {
            writeln!(out, "{}: {why}", coloured("rejected", false))?;
            writeln!(out, "{} events before it are legal; it is {}", why.legal_prefix, why.event)
        }
        Verdict::Undecided(Undecided { names, summary, .. }) => {
            let undecided = coloured("undecided", false);
            writeln!(out, "{undecided}: the budget was spent; --budget gives more")?;
            names.iter().try_for_each(|name| writeln!(out, "  for {name:?}"))?;
            writeln!(out, "otherwise nothing was wrong in {}", in_words(summary))
        }
    }
}

fn in_words(summary: &Summary) -> String {
    format!(
        "{}, {}, {}, {}",
        counted(summary.events, "event"),
        counted(summary.calls, "call"),
        counted(summary.grants, "grant"),
        counted(summary.names, "name"),
    )
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    match verdict {
        Verdict::Accepted(summary) => json!({ "verdict": "accepted", "summary": counts(summary) }),
        Verdict::Rejected(why) => {
            let Rejection { property, name, legal_prefix, event, line, reason, .. } = &**why;
            let name = name.as_deref();
            json!({
                "verdict": "rejected", "property": property, "name": name, "line": line,
                "legal_prefix": legal_prefix, "event": event, "reason": reason,
            })
        }
        Verdict::Undecided(Undecided { names, summary, .. }) => {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            json!({ "verdict": "undecided", "names": names, "summary": counts(summary) })
        }
    }
}

fn counts(summary: &Summary) -> serde_json::Value {
    json!({
        "events": summary.events, "calls": summary.calls, "names": summary.names,
        "grants": summary.grants, "queued": summary.queued,
        "configurations": summary.configurations,
    })
}
