//! How fast the two explorers are, and what a state takes.
//!
//! ```sh
//! cargo bench -p lockspace-model             # some runs of the manifest
//! cargo bench -p lockspace-model -- 6x2      # all those whose name contains this
//! ```
//!
//! Every row is a process of its own, so that its peak of memory is its own. States and transitions are
//! counted by the second of the wall's clock; the processor's seconds tell whether others had part of it.

use std::env;
use std::process::Command;
use std::time::Duration;

use lockspace_model::manifest::{Explorer, Manifest, Run};
use lockspace_model::verify::verify;

/// Large enough to measure, small enough to wait for.
const SOME: [&str; 4] = ["protocol-5x2", "exchangeable-8x3", "plain-3x2", "engine-2x1"];

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--row", run, explorer, threads] => row(run, explorer, threads.parse().unwrap_or(1)),
        [] => table(&|name| SOME.contains(&name)),
        [part] => table(&|name| name.contains(part)),
        _ => eprintln!("usage: cargo bench -p lockspace-model [-- PART]"),
    }
}

/// One row after the other, each by a process of its own.
fn table(wanted: &dyn Fn(&str) -> bool) {
    const COLUMNS: [&str; 9] = [
        "run",
        "explorer",
        "threads",
        "states",
        "transitions",
        "processor s",
        "states/s",
        "transitions/s",
        "bytes a state",
    ];
    println!("| {} |", COLUMNS.join(" | "));
    println!("|---|---|{}", "---:|".repeat(COLUMNS.len() - 2));
    let program = env::current_exe().expect("this program is somewhere");
    for run in Manifest::read().run.iter().filter(|run| wanted(&run.name)) {
        for explorer in &run.explorers {
            let (explorer, threads): (&str, &[&str]) = match explorer {
                Explorer::Packed => (PACKED, &["1", "2"]),
                Explorer::Stateright => ("stateright", &["1"]),
            };
            for threads in threads {
                let args = ["--row", &run.name, explorer, threads];
                let status = Command::new(&program).args(args).status();
                assert!(status.is_ok_and(|status| status.success()), "{args:?}");
            }
        }
    }
}

const PACKED: &str = "packed";

fn row(name: &str, explorer: &str, threads: usize) {
    let manifest = Manifest::read();
    let run = manifest.run.iter().find(|run| run.name == name).expect("it is in the manifest");
    let only = if explorer == PACKED { Explorer::Packed } else { Explorer::Stateright };
    let run = Run { explorers: vec![only], progress: false, ..run.clone() };
    let memory = peak_memory();
    let verified = verify(&run, threads, |_| ());
    assert!(verified.deviations.is_empty(), "{:?}", verified.deviations);
    let (_, found, took) = verified.found[0];
    let grown = |before| Some(peak_memory()? - before);
    let each = memory.and_then(grown).map_or("–".into(), |it| (it / found.states).to_string());
    let processor = processor_seconds().map_or("–".into(), |seconds| format!("{seconds:.2}"));
    let (states, transitions) = (found.states, found.transitions);
    let (state_rate, rate) = (per_second(states, took), per_second(transitions, took));
    print!("| {name} | {explorer} | {threads} | {states} | {transitions} ");
    println!("| {processor} | {state_rate} | {rate} | {each} |");
}

fn per_second(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64()) as u64
}

/// What this process has had of the processors, where Linux tells.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the program's name, the 12th and the 13th: hundredths of a second for it and for the system.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Some(ticks.sum::<Result<u64, _>>().ok()? as f64 / 100.0)
}

/// The most memory that this process has had, in bytes, where Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok().map(|kilobytes: u64| kilobytes * 1024)
}
