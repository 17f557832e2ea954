//! `lockspace verify`: every run of the manifest, progress, and the faulty designs.

use std::io::{self, Write, stderr};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use lockspace_model::explorer::Explored;
use lockspace_model::manifest::{Explorer, Level, Manifest, Run};
use lockspace_model::progress::PROGRESS;
use lockspace_model::verify::{Verified, refute_all, verify};
use lockspace_spec::{DEADLOCK, REACHABLE, SAFETY};
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{coloured, grouped, out, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The quick runs only: seconds (the default)
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The large runs too: minutes, and some gigabytes of memory
    #[arg(long)]
    full: bool,
    /// Only the runs whose name contains this
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// Everything that was verified: what `--json` prints.
#[derive(Serialize)]
struct Report {
    passed: bool,
    threads: usize,
    runs: Vec<RunReport>,
    defects: Vec<DefectReport>,
}

#[derive(Serialize)]
struct RunReport {
    model: String,
    bounds: String,
    states: u64,
    transitions: u64,
    depth: u32,
    explorers: Vec<ExplorerReport>,
    properties: Vec<&'static str>,
    /// The chance that stateright took two states for one; the packed explorer cannot.
    collision: Option<f64>,
    passed: bool,
    deviations: Vec<String>,
}

#[derive(Serialize)]
struct ExplorerReport {
    explorer: &'static str,
    states: u64,
    transitions: u64,
    depth: u32,
    seconds: f64,
}

#[derive(Serialize)]
struct DefectReport {
    defect: &'static str,
    breaks: &'static str,
    steps: Option<usize>,
    problem: Option<String>,
}

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let level = if args.full { Level::Full } else { Level::Quick };
    let manifest = Manifest::read();
    let only = args.only.as_deref().unwrap_or_default();
    let mut runs: Vec<&Run> = manifest.up_to(level).filter(|run| run.name.contains(only)).collect();
    if runs.is_empty() {
        // That nothing deviates where nothing ran would be no news.
        let models: String = manifest.up_to(level).map(|run| format!("\n  {}", run.name)).collect();
        say(format_args!("no model's name contains {only:?}. There are:{models}"));
        return Ok(Exit::Failed);
    }
    runs.sort_by_key(|run| run.level);
    let threads = available_parallelism().map_or(1, usize::from);
    let mut report = Report { passed: true, threads, runs: Vec::new(), defects: Vec::new() };
    let table = Table::new(&runs);
    if !args.json {
        table.head()?;
    }
    for run in runs {
        let verified = verify(run, threads, ticker(&run.name));
        let row = RunReport::new(run, &verified);
        if !args.json {
            table.row(&row)?;
        }
        report.runs.push(row);
    }
    report.defects.extend(refute_all().map(|(defect, refuted)| DefectReport {
        defect: defect.name,
        breaks: defect.breaks,
        steps: refuted.as_ref().ok().copied(),
        problem: refuted.err(),
    }));
    report.passed = report.runs.iter().all(|run| run.passed)
        && report.defects.iter().all(|defect| defect.problem.is_none());
    if args.json {
        writeln!(out(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        report.summary()?;
    }
    Ok(if report.passed { Exit::Done } else { Exit::Deviates })
}

impl RunReport {
    fn new(run: &Run, verified: &Verified) -> Self {
        let explorers: Vec<_> = verified.found.iter().map(ExplorerReport::new).collect();
        let found = verified.found.first().map(|(_, found, _)| *found).unwrap_or_default();
        let mut properties: Vec<_> = SAFETY.iter().map(|property| property.id).collect();
        if run.cluster.is_some_and(|bounds| bounds.beyond_the_margin) {
            properties.retain(|id| *id != "S1");
        }
        properties.extend(run.goals().of(&REACHABLE));
        if verified.progress.is_some() {
            properties.extend(PROGRESS.iter().map(|debt| debt.id));
        }
        if run.requests.is_some() {
            properties.extend(DEADLOCK.iter().map(|property| property.id));
        }
        Self {
            model: run.name.clone(),
            bounds: run.bounds(),
            states: found.states,
            transitions: found.transitions,
            depth: found.depth,
            explorers,
            properties,
            collision: run.collision(),
            passed: verified.deviations.is_empty(),
            deviations: verified.deviations.clone(),
        }
    }

    /// The properties, as short as they can be told.
    fn checked(&self) -> String {
        let count = |kind| self.properties.iter().filter(|id| id.starts_with(kind)).count();
        let first = self.properties.first().copied().unwrap_or_default();
        let mut text = format!("{first}-S{}, {} R", SAFETY.len(), count('R'));
        if count('L') > 0 {
            text += &format!(", L1-L{}", count('L'));
        }
        if count('D') > 0 {
            text += &format!(", D1-D{}", count('D'));
        }
        text
    }

    fn rate(&self) -> String {
        let fastest = self.explorers.iter().map(|explorer| explorer.seconds).reduce(f64::min);
        let rate = self.states as f64 / fastest.unwrap_or(f64::INFINITY);
        grouped(rate as u64)
    }
}

impl ExplorerReport {
    fn new((explorer, found, took): &(Explorer, Explored, Duration)) -> Self {
        Self {
            explorer: match explorer {
                Explorer::Packed => "packed",
                Explorer::Stateright => "stateright",
            },
            states: found.states,
            transitions: found.transitions,
            depth: found.depth,
            seconds: took.as_secs_f64(),
        }
    }
}

impl Report {
    fn summary(&self) -> io::Result<()> {
        let mut out = out();
        for run in &self.runs {
            for deviation in &run.deviations {
                writeln!(out, "{}: {deviation}", run.model)?;
            }
        }
        let refuted = self.defects.iter().filter(|defect| defect.steps.is_some()).count();
        writeln!(out, "\nFaulty designs refuted: {refuted} of {}", self.defects.len())?;
        for defect in &self.defects {
            let verdict = match (defect.steps, &defect.problem) {
                (Some(steps), _) => format!("breaks {} in {steps} steps", defect.breaks),
                (None, problem) => problem.clone().unwrap_or_default(),
            };
            writeln!(out, "  {:<36} {verdict}", defect.defect)?;
        }
        let states: u64 = self.runs.iter().map(|run| run.states).sum();
        let verdict = if self.passed { "VERIFIED" } else { "FAILED" };
        let runs = self.runs.len();
        let said = coloured(verdict, self.passed);
        let collision = self.runs.iter().filter_map(|run| run.collision).fold(0.0, f64::max);
        writeln!(
            out,
            "\nTwo states taken for one: never by the packed explorer, which compares states; by \
             stateright, which\ncompares hashes, with a chance of at most {collision:.0e} in any run."
        )?;
        let outcome = if self.passed { "as the manifest says" } else { "not as the manifest says" };
        writeln!(out, "\n{said}: {runs} runs, {} states, {outcome}", grouped(states))
    }
}

/// The table, printed row by row as the runs end. Its widths come from what is expected.
struct Table {
    model: usize,
    bounds: usize,
    states: usize,
    transitions: usize,
}

impl Table {
    fn new(runs: &[&Run]) -> Self {
        let widest = |of: &dyn Fn(&Run) -> usize, least: usize| {
            runs.iter().map(|run| of(run)).fold(least, usize::max)
        };
        Self {
            model: widest(&|run| run.name.len(), "model".len()),
            bounds: widest(&|run| run.bounds().chars().count(), "bounds".len()),
            states: widest(&|run| grouped(run.states).len(), "states".len()),
            transitions: widest(&|run| grouped(run.transitions).len(), "transitions".len()),
        }
    }

    fn head(&self) -> io::Result<()> {
        let names = ["states", "transitions", "depth", "states/s"].map(String::from);
        self.line("model", "bounds", &names, "checked", "explorers", "verdict")
    }

    fn row(&self, run: &RunReport) -> io::Result<()> {
        let numbers =
            [grouped(run.states), grouped(run.transitions), run.depth.to_string(), run.rate()];
        let explorers: Vec<_> = run.explorers.iter().map(|explorer| explorer.explorer).collect();
        let verdict = coloured(if run.passed { "holds" } else { "DEVIATES" }, run.passed);
        let (checked, explorers) = (run.checked(), explorers.join(" = "));
        self.line(&run.model, &run.bounds, &numbers, &checked, &explorers, &verdict)
    }

    fn line(
        &self,
        model: &str,
        bounds: &str,
        [states, transitions, depth, rate]: &[String; 4],
        checked: &str,
        explorers: &str,
        verdict: &str,
    ) -> io::Result<()> {
        let mut out = out();
        write!(out, "{model:<0$}  {bounds:<1$}  ", self.model, self.bounds)?;
        write!(out, "{states:>0$}  {transitions:>1$}  ", self.states, self.transitions)?;
        writeln!(out, "{depth:>5}  {rate:>9}  {checked:<19}  {explorers:<19}  {verdict}")?;
        out.flush()
    }
}

/// Says on stderr how far the run called `name` is, every few seconds.
fn ticker(name: &str) -> impl FnMut(&Explored) {
    const EVERY: Duration = Duration::from_secs(5);
    let begun = Instant::now();
    let mut last = begun;
    move |found| {
        if last.elapsed() < EVERY {
            return;
        }
        last = Instant::now();
        let (states, transitions) = (grouped(found.states), grouped(found.transitions));
        let (depth, seconds) = (found.depth, begun.elapsed().as_secs());
        let told =
            format!("{states} states, {transitions} transitions, depth {depth}, {seconds} s");
        // That nobody is there to hear it is no reason to end.
        let _ = writeln!(stderr().lock(), "{name}: {told}");
    }
}
