//! The command `lockspace`: one module for each subcommand. This file parses, calls and exits.

// They panic where nobody reads: `output` has what does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod act;
mod age;
mod check_history;
mod exec;
mod exit;
mod explore;
mod look;
mod manual;
mod output;
mod picture;
mod span;
mod store;
mod table;
mod top;
mod trace;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, explained};

/// Named locks that provably leave nothing behind: run a command under one, and check the proof yourself.
#[derive(Parser)]
#[command(name = "lockspace", version, after_help = explained(&Exit::ALL))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const CHECKED: [Exit; 3] = [Exit::Done, Exit::Deviates, Exit::Failed];
const JUDGED: [Exit; 4] = [Exit::Done, Exit::Deviates, Exit::Failed, Exit::Undecided];

const LOOKED: [Exit; 2] = [Exit::Done, Exit::Failed];
const WAITED: [Exit; 3] = [Exit::Done, Exit::Failed, Exit::Busy];

const EXECUTED: [Exit; 7] = [
    Exit::Failed,
    Exit::Busy,
    Exit::Lost,
    Exit::HeldTooLong,
    Exit::ExecFailed,
    Exit::CannotRun,
    Exit::NotFound,
];

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
    /// Runs a command while a name is held
    #[command(after_help = explained(&EXECUTED))]
    Exec(exec::Args),
    /// Becomes a command that does not outlive its parent
    #[command(hide = true)]
    RunChild(exec::RunArgs),
    /// Shows who holds which name, and who waits for it
    #[command(after_help = explained(&LOOKED))]
    Ls(look::LsArgs),
    /// Shows the same again and again, until q or Ctrl-C
    #[command(after_help = explained(&LOOKED))]
    Top(top::TopArgs),
    /// Says whether the store can be reached and all that stands in it can be read
    #[command(after_help = explained(&CHECKED))]
    Health(look::LsArgs),
    /// Waits until nobody holds a name
    #[command(after_help = explained(&WAITED))]
    Wait(act::WaitArgs),
    /// Takes a name from its holder
    #[command(after_help = explained(&CHECKED))]
    ForceRelease(act::ForceArgs),
    /// Prints what a shell needs to complete this command
    #[command(after_help = explained(&LOOKED))]
    Completions(manual::CompletionsArgs),
    /// Prints the man page, or writes one for each subcommand into a folder
    #[command(after_help = explained(&LOOKED))]
    Man(manual::ManArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Verify(args) => verify::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::CheckHistory(args) => check_history::run(&args),
        Command::Exec(args) => return exec::run(&args),
        Command::RunChild(args) => return exec::run_child(&args),
        Command::Ls(args) => look::ls(&args),
        Command::Top(args) => top::top(&args),
        Command::Health(args) => look::health(&args),
        Command::Wait(args) => act::wait(&args),
        Command::ForceRelease(args) => act::force_release(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    };
    output::exit(done)
}
