//! The command `lockspace`: one module for each subcommand. This file parses, calls and exits.

mod check_history;
mod explore;
mod output;
mod picture;
mod trace;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Named locks that provably leave nothing behind: check the proof yourself.
#[derive(Parser)]
#[command(version, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Model checks the protocol: every run of the manifest, progress, and the faulty designs
    #[command(after_help = EXIT_STATUS)]
    Verify(verify::Args),
    /// Serves stateright's Explorer, to click through a model in the browser
    #[command(after_help = EXIT_STATUS)]
    Explore(explore::Args),
    /// Tells a story: how a faulty design breaks, or how something that must be possible happens
    #[command(after_help = EXIT_STATUS)]
    Trace(trace::Args),
    /// Judges a recorded history: could a correct lock have given these answers?
    #[command(after_help = check_history::EXIT_STATUS)]
    CheckHistory(check_history::Args),
}

const EXIT_STATUS: &str = "Exit status:
  0  everything is as it must be
  1  something is not: a run deviates, or a defect is not refuted
  2  the command was not understood, or could not be carried out

With NO_COLOR set, nothing is coloured.";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Verify(args) => verify::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::CheckHistory(args) => check_history::run(&args),
    };
    output::exit(done)
}
