//! The command `lockspace`: one module for each subcommand. This file parses, calls and exits.

mod check_history;
mod exit;
mod explore;
mod manual;
mod output;
mod picture;
mod trace;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, explained};

/// Named locks that provably leave nothing behind: check the proof yourself.
#[derive(Parser)]
#[command(name = "lockspace", version, after_help = explained(&Exit::ALL))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const CHECKED: [Exit; 3] = [Exit::Done, Exit::Deviates, Exit::Failed];
const JUDGED: [Exit; 4] = [Exit::Done, Exit::Deviates, Exit::Failed, Exit::Undecided];

#[derive(Subcommand)]
enum Command {
    /// Model checks the protocol: every run of the manifest, progress, and the faulty designs
    #[command(after_help = explained(&CHECKED))]
    Verify(verify::Args),
    /// Serves stateright's Explorer, to click through a model in the browser
    #[command(after_help = explained(&CHECKED))]
    Explore(explore::Args),
    /// Tells a story: how a faulty design breaks, or how something that must be possible happens
    #[command(after_help = explained(&CHECKED))]
    Trace(trace::Args),
    /// Judges a recorded history: could a correct lock have given these answers?
    #[command(after_help = explained(&JUDGED))]
    CheckHistory(check_history::Args),
    /// Prints what a shell needs to complete this command
    Completions(manual::CompletionsArgs),
    /// Prints the man page, or writes one for each subcommand into a folder
    Man(manual::ManArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Verify(args) => verify::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::CheckHistory(args) => check_history::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    };
    output::exit(done)
}
