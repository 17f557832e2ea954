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
use lockspace_peers::command::{self, Asked};

/// The name that everybody wants.
const NAME: &str = "invoice/00000042";

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [word, peer, url] = &given[..]
        && word == other::WORD
    {
        other::run(peer, url);
        return ExitCode::SUCCESS;
    }
    match Asked::read("store-peers", given.into_iter()) {
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
    let mut wanted = workloads::all();
    wanted.retain(|(_, workload)| asked.wants(workload));
    if asked.list || wanted.is_empty() {
        workloads::all().iter().for_each(|(_, workload)| command::list(workload));
        return;
    }
    let mut scale = if asked.quick { Scale::QUICK } else { Scale::FULL };
    scale.rounds = asked.rounds.unwrap_or(scale.rounds);
    let bench = Bench::new(scale, |place| wanted.iter().any(|(of, _)| *of == place));
    wanted.retain(|(place, _)| bench.url(*place).is_some());
    let workloads: Vec<_> = wanted.into_iter().map(|(_, workload)| workload).collect();
    let samples = command::take(&workloads, &bench, scale.rounds);
    println!("{} rounds.\n", scale.rounds);
    command::print(&workloads, &targets::targets(), &samples);
}
