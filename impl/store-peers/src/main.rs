//! `store-peers`: what a lock over a store costs, beside bare round trips to the same server and beside what
//! people write instead; as ratios inside one run, as a table for each workload.
//!
//! It starts servers of its own on this machine. It runs everybody in turns, as `lockspace-peers` does.
//!
//! What this package must not do: be used by any other, or be built by those who do not ask for it.

mod bench;
mod clock;
mod crowd;
mod other;
mod peer;
mod peers;
mod targets;
mod workloads;

use std::process::ExitCode;

use bench::{Bench, Scale};
use lockspace_peers::measure::{Samples, Workload};
use lockspace_peers::report;

/// The name that everybody wants.
const NAME: &str = "invoice/00000042";

const HELP: &str = "\
Runs every workload with every peer, in turns, and prints a table for each.

usage: store-peers [--quick] [--rounds N] [--only PART]... [--list]

  --quick      a first look, in about a minute
  --rounds N   how often everybody has a turn
  --only PART  only the workloads whose name contains this
  --list       names the workloads and ends";

struct Args {
    scale: Scale,
    only: Vec<String>,
    list: bool,
}

fn args(mut given: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args { scale: Scale::FULL, only: Vec::new(), list: false };
    let mut rounds = None;
    while let Some(flag) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{flag} wants a value"));
        match flag.as_str() {
            "--quick" => args.scale = Scale::QUICK,
            "--rounds" => rounds = Some(value()?.parse().map_err(|error| format!("{error}"))?),
            "--only" => args.only.push(value()?),
            "--list" => args.list = true,
            _ => return Err(HELP.into()),
        }
    }
    args.scale.rounds = rounds.unwrap_or(args.scale.rounds);
    Ok(args)
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [word, peer, url] = &given[..]
        && word == other::WORD
    {
        other::run(peer, url);
        return ExitCode::SUCCESS;
    }
    match args(given.into_iter()) {
        Ok(args) => {
            measure(&args);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args) {
    let mut wanted = workloads::all();
    let is_wanted =
        |id: &str| args.only.is_empty() || args.only.iter().any(|part| id.contains(part));
    wanted.retain(|(_, workload)| is_wanted(workload.id));
    if args.list || wanted.is_empty() {
        let say = |workload: &Workload<Bench>| println!("{:<20} {}", workload.id, workload.what);
        workloads::all().iter().for_each(|(_, workload)| say(workload));
        return;
    }
    let bench = Bench::new(args.scale, |place| wanted.iter().any(|(of, _)| *of == place));
    wanted.retain(|(place, _)| bench.url(*place).is_some());
    let workloads: Vec<_> = wanted.into_iter().map(|(_, workload)| workload).collect();
    let rounds = args.scale.rounds;
    let samples = Samples::take(&workloads, &bench, rounds, |round, workload, contender| {
        eprint!("\r\x1b[Kround {} of {rounds}: {}, {}", round + 1, workload.id, contender.peer);
    });
    eprint!("\r\x1b[K");
    println!("{rounds} rounds.\n");
    for workload in &workloads {
        println!("{}", report::table(workload, &samples));
    }
    println!("### targets\n\n{}", report::targets_table(&targets::targets(), &samples));
}
