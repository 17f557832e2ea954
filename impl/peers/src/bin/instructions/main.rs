//! `instructions`: what the hot paths cost, in numbers that do not depend on how busy the machine is.
//!
//! Counts instructions and system calls under valgrind, compares them with those pinned in
//! `instructions.toml`, and looks whether threads with different names write to a cache line in common.
//! Needs valgrind, and x86-64 Linux for the pinned numbers.

mod lines;
mod paths;
mod pins;
mod valgrind;

use std::io;
use std::process::{Command, ExitCode};

use paths::{PATHS, Path};
use pins::Pins;
use valgrind::{Cost, cost};

const HELP: &str = "\
Counts instructions and system calls of the hot paths, under valgrind.

usage: instructions [--pin | --growth | --peers]

  --pin    writes what was counted to instructions.toml, instead of comparing
  --growth prints a table of what a hand-over and a cancel cost in queues of three lengths
  --peers  prints a table of what one awaited pair costs each peer

With the feature `observe` metrics and traces are compiled into lockspace, and unused. Then everything is
set beside its pin, which is of a lockspace without them, and may cost 5% more; and nothing is pinned.";

/// Whether lockspace is as it is pinned.
const AS_PINNED: bool = !cfg!(feature = "observe");

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] if AS_PINNED => compare(),
        [] => beside_the_pins(),
        ["--pin"] if AS_PINNED => pin(),
        ["--growth"] => costs(&paths::GROWTH, |_| String::new()).map(|_| true),
        ["--peers"] => peers(),
        // What this program does under valgrind.
        ["--repeat", path, times] => repeat(path, times),
        ["--two-threads", case] => {
            lines::two_threads(case);
            Ok(true)
        }
        _ => Err(io::Error::other(HELP)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn repeat(path: &str, times: &str) -> io::Result<bool> {
    let peers = paths::peers();
    let mut all = PATHS.iter().chain([&paths::TWICE]).chain(&paths::GROWTH).chain(&peers);
    let known = all.find(|known| known.name == path).ok_or(io::Error::other("no such path"))?;
    known.repeat(times.parse().map_err(io::Error::other)?);
    Ok(true)
}

/// Whether everything costs what it is pinned to cost. Prints a table, and then what is wrong.
fn compare() -> io::Result<bool> {
    let (pins, rustc) = (Pins::read()?, rustc()?);
    if pins.rustc != rustc {
        println!("Pinned with rustc {}; this is {rustc}.\n", pins.rustc);
    }
    let costs = costs(&PATHS, |name| pins.bound(name))?;
    let mut complaints = pins.judge(&costs);
    complaints.extend(miscounted(&costs)?);
    println!();
    for case in &lines::CASES {
        let common = lines::written_by_both(case)?;
        println!("{}: two threads write {common} cache lines in common", case.name);
        if (common > 0) != case.shared {
            complaints.push(format!("{}: {common} cache lines in common", case.name));
        }
    }
    complaints.iter().for_each(|complaint| println!("\n{complaint}"));
    Ok(complaints.is_empty())
}

/// Whether users who could watch lockspace, and do not, pay at most what they may. Prints everything beside
/// its pin, as a table.
fn beside_the_pins() -> io::Result<bool> {
    const PERCENT_AT_MOST: f64 = 5.0;
    let pins = Pins::read()?;
    let costs = costs(&PATHS, |_| String::new())?;
    println!("\n| path | with metrics and traces, unused | pinned without | more |");
    println!("|---|---:|---:|---:|");
    let mut cheap = true;
    for (name, Cost { instructions, .. }) in costs {
        let pinned = pins.instructions(name).ok_or(io::Error::other("a path without a pin"))?;
        let more = (instructions as f64 / pinned as f64 - 1.0) * 100.0;
        println!("| {name} | {instructions} | {pinned} | {more:+.1}% |");
        cheap &= more <= PERCENT_AT_MOST;
    }
    if !cheap {
        println!("\nAt most {PERCENT_AT_MOST}% more are allowed.");
    }
    Ok(cheap)
}

/// That counting counts: what is done twice must cost twice as much.
fn miscounted(costs: &[(&str, Cost)]) -> io::Result<Option<String>> {
    let once = costs.iter().find(|(name, _)| *name == PATHS[0].name).map(|(_, cost)| *cost);
    let (once, twice) = (once.map_or(0, |cost| cost.instructions), cost(paths::TWICE.name)?);
    let counted = (twice.instructions as f64 / (2 * once) as f64 - 1.0).abs() < 0.03;
    let complaint = || format!("twice costs {}, and once {once}", twice.instructions);
    Ok((!counted).then(complaint))
}

fn pin() -> io::Result<bool> {
    Pins::read()?.write(&rustc()?, &costs(&PATHS, |_| String::new())?)?;
    Ok(true)
}

fn peers() -> io::Result<bool> {
    costs(&paths::peers(), |_| String::new())?;
    Ok(true)
}

/// Counts the paths, and prints a table as it goes on.
fn costs<'a>(
    paths: &'a [Path],
    bound: impl Fn(&str) -> String,
) -> io::Result<Vec<(&'a str, Cost)>> {
    println!("| path | instructions | system calls | |\n|---|---:|---:|---|");
    let count = |path: &'a Path| {
        let Cost { instructions, system_calls } = cost(path.name)?;
        println!("| {} | {instructions} | {system_calls} | {} |", path.name, bound(path.name));
        Ok((path.name, Cost { instructions, system_calls }))
    };
    paths.iter().map(count).collect()
}

/// The version of the compiler that is there.
fn rustc() -> io::Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8_lossy(&output.stdout);
    Ok(version.split(' ').nth(1).unwrap_or_default().to_owned())
}
