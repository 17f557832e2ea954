//! `lockspace exec NAME -- COMMAND`: runs a command while a name is held, as flock(1) does with a file.
//!
//! The command is always stopped before its lock is given back, never the other way round.

mod child;
mod patience;
mod report;

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use lockspace::store::{OpenError, Options, Store};
use lockspace::{Guard, LockSpace};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::output::say;
use crate::span::Span;
use crate::store::{Problem, StoreArgs, checked};
use child::{Child, Ended, Signals, Unsent, in_the_foreground, stand_still};
use patience::Patience;
use report::Report;

pub(crate) use child::{RunArgs, run_child};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name that is held while the command runs
    name: String,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    store: StoreArgs,
    /// How long to wait behind somebody who lives, such as 500ms, 10s, 5m or 1h; without it, as long as it
    /// takes. 0s: whoever has the name, it ends at once
    #[arg(long, value_name = "TIME", conflicts_with = "no_wait")]
    wait: Option<Span>,
    /// Does not wait behind somebody who lives: it ends when its holder gives a sign of life, within about a
    /// third of the holder's ttl. What a dead one has left is taken over, after the ttl
    #[arg(long)]
    no_wait: bool,
    /// How long the command may run: then it is stopped, and after that the name is released
    #[arg(long, value_name = "TIME")]
    max_hold: Option<Span>,
    /// How long a command that is stopped has after SIGTERM, before SIGKILL
    #[arg(long, value_name = "TIME", default_value = "10s")]
    kill_after: Span,
    /// What others see who look at who holds the name; without it, the command, the process and the machine
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// After how long a silence of this process others take the name over
    #[arg(long, value_name = "TIME", default_value = "15s")]
    ttl: Span,
    /// Lets the command go on if the lock is lost
    #[arg(long)]
    keep_running_when_lost: bool,
    /// Writes into this file how it went, as one JSON document
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let mut report = match Report::begin(args.report.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            say(error);
            return Exit::ExecFailed.into();
        }
    };
    let status = reported(args, &mut report);
    // What the command has come to counts for more than that nobody can read of it.
    if let Err(error) = report.write(&args.name, status) {
        say(error);
    }
    status.into()
}

fn reported(args: &Args, report: &mut Report) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(hold_and_run(args, report)),
        Err(error) => Err(Problem::Io(error)),
    };
    done.unwrap_or_else(|problem| {
        say(problem);
        report.ended_by(Exit::ExecFailed);
        Exit::ExecFailed.code()
    })
}

async fn hold_and_run(args: &Args, report: &mut Report) -> Result<u8, Problem> {
    // From here on signals are heard, so none can end this process between the grant and the child.
    let mut signals = Signals::listen()?;
    checked(&args.name)?;
    let store = tokio::select! {
        store = args.store.open() => store?,
        signal = signals.next() => return Ok(ended_by(signal)),
    };
    let ttl = args.ttl.duration();
    let options = Options::new().ttl(ttl).label(label(args));
    let space = match opened(store, options, ttl, async || signals.next().await).await {
        Ok(space) => space?,
        Err(signal) => return Ok(ended_by(signal)),
    };
    let status = acquire_and_run(&space, args, &mut signals, report).await;
    signals.forget().await;
    // Whoever insists on an end does not wait for a store that does not answer.
    tokio::select! {
        () = close(&space, ttl) => {}
        () = signals.insist() => {}
    }
    status.map_err(Problem::Io)
}

/// A lockspace over `store`, unless `ended` comes first. Then the session that is about to begin is ended as
/// well, before nobody is there any more to do it: no call to begin one takes long, unless it comes again.
async fn opened<T>(
    store: impl Store,
    options: Options,
    ttl: Duration,
    mut ended: impl AsyncFnMut() -> T,
) -> Result<Result<LockSpace, OpenError>, T> {
    let mut space = pin!(LockSpace::open(store, options));
    tokio::select! {
        space = &mut space => Ok(space),
        first = ended() => {
            let end_it = async {
                if let Ok(space) = space.await {
                    close(&space, ttl).await;
                }
            };
            tokio::select! {
                () = end_it => {}
                _ = ended() => {}
            }
            Err(first)
        }
    }
}

async fn acquire_and_run(
    space: &LockSpace,
    args: &Args,
    signals: &mut Signals,
    report: &mut Report,
) -> io::Result<u8> {
    let patience = Patience::new(args.no_wait, args.wait.map(Span::duration));
    let granted = tokio::select! {
        granted = patience::acquire(space, &args.name, patience) => granted,
        signal = signals.next() => return Ok(ended_by(signal)),
    };
    match granted {
        Ok(guard) => {
            report.granted(guard.fencing_token());
            let status = run_command(&guard, args, signals, report).await;
            let released = guard.release();
            report.given_back(released.is_err());
            if let Err(lost) = released {
                say(lost);
            }
            status
        }
        Err(refused) => {
            say(&refused);
            report.ended_by(refused.exit());
            Ok(refused.exit().code())
        }
    }
}

fn label(args: &Args) -> String {
    let own = || {
        // Not its arguments: there may be a password among them.
        let command = args.command.first().map(|command| command.to_string_lossy().into_owned());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{} (pid {} on {host})", command.unwrap_or_default(), std::process::id())
    };
    args.label.clone().unwrap_or_else(own)
}

/// Gives everything back; a store that does not answer is not waited for longer than others wait for us.
async fn close(space: &LockSpace, ttl: Duration) {
    let _ = tokio::time::timeout(ttl, space.shutdown(Duration::ZERO)).await;
}

async fn run_command(
    guard: &Guard<'_>,
    args: &Args,
    signals: &mut Signals,
    report: &mut Report,
) -> io::Result<u8> {
    let own_group = !in_the_foreground();
    if own_group {
        signals.hear_ctrl_z()?;
    }
    let token = guard.fencing_token().0;
    let mut child = Child::start(&args.command, &args.name, token, own_group)?;
    let mut limit = pin!(after(args.max_hold));
    let mut lost = pin!(lost(guard, args.keep_running_when_lost));
    let mut stopped = None;
    let mut kill_at = None;
    loop {
        let (why, grace) = tokio::select! {
            biased; // What has ended by itself was not stopped.
            ended = child.ended() => {
                let ended = ended?;
                return Ok(stopped.map_or(ended.status(), |why: Exit| {
                    told(args, child.kill_what_it_left());
                    report.ended_by(why);
                    why.code()
                }));
            }
            // Also while it is being stopped because it has run for too long.
            () = &mut lost, if stopped != Some(Exit::Lost) => {
                say(format_args!("{:?}: the lock was lost, so the command is stopped", args.name));
                // Others wait a tenth of the ttl longer than this process trusts itself.
                (Exit::Lost, args.kill_after.duration().min(args.ttl.duration() / 20))
            }
            () = &mut limit, if stopped.is_none() => {
                say(format_args!("{:?}: --max-hold has ended, so the command is stopped", args.name));
                (Exit::HeldTooLong, args.kill_after.duration())
            }
            signal = signals.next() => {
                told(args, pass_on(signal, &child, guard, args));
                continue;
            }
            () = at(kill_at) => {
                told(args, child.kill());
                kill_at = None;
                continue;
            }
        };
        stopped = Some(why);
        told(args, child.terminate());
        // One that is killed already is not there any more when its new time comes.
        kill_at = [kill_at, Instant::now().checked_add(grace)].into_iter().flatten().min();
    }
}

/// Lets the command know of a signal to this process. On Ctrl-Z both stand still, and go on together: a
/// command must not run while nobody keeps its lock.
fn pass_on(signal: Signal, child: &Child, guard: &Guard<'_>, args: &Args) -> Result<(), Unsent> {
    if signal != Signal::TSTP {
        return child.forward(signal);
    }
    child.halt()?;
    stand_still();
    // One whose lock was lost meanwhile goes on only to hear of that.
    if guard.is_lost() && !args.keep_running_when_lost {
        return Ok(());
    }
    child.go_on()
}

fn told(args: &Args, sent: Result<(), Unsent>) {
    if let Err(unsent) = sent {
        say(format_args!("{:?}: {unsent}", args.name));
    }
}

async fn after(limit: Option<Span>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit.duration()).await,
        None => pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => pending().await,
    }
}

async fn lost(guard: &Guard<'_>, ignored: bool) {
    guard.lost().await;
    if ignored {
        say(format_args!("{:?}: the lock was lost; the command goes on", guard.name().to_string()));
        pending::<()>().await;
    }
}

fn ended_by(signal: Signal) -> u8 {
    Ended::Signal(signal.as_raw()).status()
}

#[cfg(test)]
mod tests;
