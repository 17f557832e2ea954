//! `peers`: time, as ratios inside one run, as a table for each workload.

use std::process::ExitCode;

use lockspace_peers::measure::{Samples, Scale};
use lockspace_peers::{report, targets, workloads};

const HELP: &str = "\
Runs every workload with every peer, in turns, and prints a table for each.

usage: peers [--quick] [--rounds N] [--only PART]... [--list]

  --quick      a first look, in about a minute
  --rounds N   how often everybody has a turn
  --only PART  only the workloads whose name contains this
  --list       names the workloads and ends";

struct Args {
    scale: Scale,
    only: Vec<String>,
    list: bool,
}

fn args() -> Result<Args, String> {
    let mut given = std::env::args().skip(1);
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
    let args = match args() {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let mut workloads = workloads::all();
    let wanted = |id: &str| args.only.is_empty() || args.only.iter().any(|part| id.contains(part));
    workloads.retain(|workload| wanted(workload.id));
    if args.list || workloads.is_empty() {
        workloads::all()
            .iter()
            .for_each(|workload| println!("{:<20} {}", workload.id, workload.what));
        return ExitCode::SUCCESS;
    }
    let rounds = args.scale.rounds;
    let samples = Samples::take(&workloads, &args.scale, rounds, |round, workload, contender| {
        eprint!("\r\x1b[Kround {} of {rounds}: {}, {}", round + 1, workload.id, contender.peer);
    });
    eprint!("\r\x1b[K");
    println!("{rounds} rounds, {} of each sample that repeats.\n", humane(args.scale));
    for workload in &workloads {
        println!("{}", report::table(workload, &samples));
    }
    println!("### targets\n\n{}", report::targets_table(&targets::targets(), &samples));
    ExitCode::SUCCESS
}

fn humane(scale: Scale) -> String {
    format!("{} names at most, {} ms", scale.names, scale.sample.as_millis())
}
