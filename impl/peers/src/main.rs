//! `peers`: time, as ratios inside one run, as a table for each workload.

use std::process::ExitCode;

use lockspace_peers::command::{self, Asked};
use lockspace_peers::measure::Scale;
use lockspace_peers::{targets, workloads};

fn main() -> ExitCode {
    match Asked::read("peers", std::env::args().skip(1)) {
        Ok(asked) => {
            measure(&asked);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn measure(asked: &Asked) {
    let mut workloads = workloads::all();
    workloads.retain(|workload| asked.wants(workload));
    if asked.list || workloads.is_empty() {
        workloads::all().iter().for_each(command::list);
        return;
    }
    let mut scale = if asked.quick { Scale::QUICK } else { Scale::FULL };
    scale.rounds = asked.rounds.unwrap_or(scale.rounds);
    let samples = command::take(&workloads, &scale, scale.rounds);
    let Scale { sample, names, rounds } = scale;
    let sample = sample.as_millis();
    println!("{rounds} rounds, {names} names at most, {sample} ms of each sample that repeats.\n");
    command::print(&workloads, &targets::targets(), &samples);
}
