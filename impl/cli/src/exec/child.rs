//! The command that runs under a lock: started, signalled and stopped.
//!
//! If this process is in the foreground of a terminal, the command shares its process group: the terminal's
//! keys reach both, and the command may use the terminal. Otherwise, as under cron, it has a group of its
//! own, and whatever is sent goes to all of it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, getpgrp, getppid, kill_process, kill_process_group};
use tokio::signal::unix::{Signal as Heard, SignalKind, signal};

use crate::exit::Exit;
use crate::output::say;

/// The arguments of the subcommand behind `exec`.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// The process that must live for the command to run
    parent: i32,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the command. On Linux the kernel kills it if the process that holds the lock dies.
pub(crate) fn run_child(args: &RunArgs) -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        say(error);
        return Exit::ExecFailed.into();
    }
    // It may have died before the kernel was told.
    if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(args.parent) {
        return Exit::ExecFailed.into();
    }
    let (program, arguments) = args.command.split_first().expect("clap demands a command");
    let error = Command::new(program).args(arguments).exec();
    say(format_args!("{}: {error}", program.to_string_lossy()));
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound.into(),
        _ => Exit::CannotRun.into(),
    }
}

/// A command under way.
pub(super) struct Child {
    child: tokio::process::Child,
    pid: Pid,
    own_group: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exit(u8),
    Signal(i32),
}

impl Ended {
    /// The status that says so, as a shell does.
    pub(super) fn status(self) -> u8 {
        match self {
            Self::Exit(code) => code,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exit(code.to_le_bytes()[0]),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl Child {
    /// Starts `command`, which is told the name and the token of its lock.
    pub(super) fn start(command: &[OsString], name: &str, token: u64) -> io::Result<Self> {
        let mut this = Command::new(own_program()?);
        this.args(["run-child", &std::process::id().to_string(), "--"]).args(command);
        this.env("LOCKSPACE_NAME", name).env("LOCKSPACE_TOKEN", token.to_string());
        let own_group = !in_the_foreground();
        if own_group {
            this.process_group(0);
        }
        let child = tokio::process::Command::from(this).kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| io::Error::other("the command has no process id"))?;
        Ok(Self { child, pid, own_group })
    }

    pub(super) async fn ended(&mut self) -> io::Result<Ended> {
        self.child.wait().await.map(Ended::from)
    }

    /// Passes on a signal that was sent to this process. One from the terminal's keys has reached the
    /// command already, if it is in the same group.
    pub(super) fn forward(&self, signal: Signal) {
        if self.own_group || ![Signal::INT, Signal::QUIT].contains(&signal) {
            self.send(signal);
        }
    }

    /// Asks the command to end.
    pub(super) fn terminate(&self) {
        self.send(Signal::TERM);
        // A command that was stopped by a signal must run to hear of it.
        self.send(Signal::CONT);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// It has ended: ends what it has started and left in its group.
    pub(super) fn kill_what_it_left(&self) {
        if self.own_group {
            self.send(Signal::KILL);
        }
    }

    /// That nobody is there to hear it is no error: it has ended by itself.
    fn send(&self, signal: Signal) {
        let _ = if self.own_group {
            kill_process_group(self.pid, signal)
        } else {
            kill_process(self.pid, signal)
        };
    }
}

fn own_program() -> io::Result<std::path::PathBuf> {
    // This very file, even if it was replaced or removed since.
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Whether the keys of a terminal reach this process.
fn in_the_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    terminal.and_then(|tty| rustix::termios::tcgetpgrp(tty).ok()) == Some(getpgrp())
}

/// The signals that are passed on.
pub(super) struct Signals(Vec<(Heard, Signal)>);

impl Signals {
    /// Hears those that this process was not started to ignore, as nohup(1) starts it. What it does not hear
    /// stays ignored, and is ignored by the command too.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let all = [
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::quit(), Signal::QUIT),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
        ];
        let heard = all.into_iter().filter(|(_, passed)| !is_in(ignored, *passed));
        heard.map(|(kind, passed)| Ok((signal(kind)?, passed))).collect::<io::Result<_>>().map(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| {
            for (heard, signal) in &mut self.0 {
                if heard.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// The signals that are ignored, as Linux says: a bit for each. Elsewhere it is not known of any.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn is_in(mask: u64, signal: Signal) -> bool {
    mask >> (signal.as_raw() - 1) & 1 == 1
}
