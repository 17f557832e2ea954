//! The command that runs under a lock: started, signalled and stopped.
//!
//! If this process is in the foreground of a terminal, the command shares its process group: the terminal's
//! keys reach both, and the command may use the terminal. Otherwise, as under cron or with a shell's `&`, it
//! has a group of its own, and whatever is sent goes to all of it.

use std::ffi::OsString;
use std::fs::File;
use std::future::{poll_fn, ready};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use std::task::Poll;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgrp, getpid, getppid, kill_process, kill_process_group};
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
    pub(super) fn start(
        command: &[OsString],
        name: &str,
        token: u64,
        own_group: bool,
    ) -> io::Result<Self> {
        let mut this = Command::new(own_program()?);
        this.args(["run-child", &std::process::id().to_string(), "--"]).args(command);
        this.env("LOCKSPACE_NAME", name).env("LOCKSPACE_TOKEN", token.to_string());
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
    pub(super) fn forward(&self, signal: Signal) -> Result<(), Unsent> {
        if self.own_group || ![Signal::INT, Signal::QUIT].contains(&signal) {
            self.send(signal)?;
        }
        Ok(())
    }

    /// Lets it stand still, whatever it would do about it.
    pub(super) fn halt(&self) -> Result<(), Unsent> {
        self.send(Signal::STOP)
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) -> Result<(), Unsent> {
        self.send(Signal::CONT)
    }

    /// Asks the command to end.
    pub(super) fn terminate(&self) -> Result<(), Unsent> {
        self.send(Signal::TERM)?;
        // A command that was stopped by a signal must run to hear of it.
        self.go_on()
    }

    /// Ends it.
    pub(super) fn kill(&self) -> Result<(), Unsent> {
        self.send(Signal::KILL)
    }

    /// It has ended: ends what it has started and left in its group.
    pub(super) fn kill_what_it_left(&self) -> Result<(), Unsent> {
        if self.own_group { self.kill() } else { Ok(()) }
    }

    fn send(&self, signal: Signal) -> Result<(), Unsent> {
        send(self.pid, self.own_group, signal)
    }
}

/// A signal that did not reach the command, since that runs as somebody else.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the command cannot be sent signal {}: {why}; it runs as another user, who can end it",
    signal.as_raw()
)]
pub(super) struct Unsent {
    signal: Signal,
    why: Errno,
}

/// That nobody is there to hear it is no error: it has ended by itself.
fn send(pid: Pid, to_its_group: bool, signal: Signal) -> Result<(), Unsent> {
    let sent =
        if to_its_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
    match sent {
        Err(why) if why != Errno::SRCH => Err(Unsent { signal, why }),
        _ => Ok(()),
    }
}

/// Stops this process, as Ctrl-Z does with one that does not hear it. It returns when somebody lets it go on.
pub(super) fn stand_still() {
    // Nothing forbids a process to send itself a signal.
    let _ = kill_process(getpid(), Signal::STOP);
}

fn own_program() -> io::Result<std::path::PathBuf> {
    // This very file, even if it was replaced or removed since.
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Whether the keys of a terminal reach this process.
pub(super) fn in_the_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    let foreground = terminal.and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
    foreground.is_some() && foreground == own_group()
}

/// The process group of this process. On Linux it may be outside of the namespace that the process is in, as
/// behind unshare(1). Then it has no number there, and what getpgrp(2) answers is none.
fn own_group() -> Option<Pid> {
    if cfg!(target_os = "linux") { group_in(&own_status()) } else { Some(getpgrp()) }
}

fn group_in(status: &str) -> Option<Pid> {
    // One number for each namespace around the process, that of its own last.
    let numbers = line_of(status, "NSpgid:")?;
    numbers.split_whitespace().last()?.parse().ok().and_then(Pid::from_raw)
}

/// What Linux says of this process.
fn own_status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

fn line_of<'s>(status: &'s str, what: &str) -> Option<&'s str> {
    status.lines().find_map(|line| line.strip_prefix(what))
}

/// The signals that are passed on.
pub(super) struct Signals {
    heard: Vec<(Heard, Signal)>,
    /// Those of which nothing is to be heard.
    ignored: u64,
    /// Whether one has asked for an end.
    asked: bool,
}

impl Signals {
    /// Hears those that this process was not started to ignore, as nohup(1) starts it. What it does not hear
    /// stays ignored, and is ignored by the command too.
    pub(super) fn listen() -> io::Result<Self> {
        let mut signals = Self { heard: Vec::new(), ignored: ignored(), asked: false };
        for (kind, passed) in [
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::quit(), Signal::QUIT),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
        ] {
            signals.hear(kind, passed)?;
        }
        Ok(signals)
    }

    /// Hears Ctrl-Z too, which a command in a group of its own does not. (SIGSTOP is heard by nobody.)
    pub(super) fn hear_ctrl_z(&mut self) -> io::Result<()> {
        self.hear(SignalKind::from_raw(Signal::TSTP.as_raw()), Signal::TSTP)
    }

    fn hear(&mut self, kind: SignalKind, passed: Signal) -> io::Result<()> {
        if !is_in(self.ignored, passed) {
            self.heard.push((signal(kind)?, passed));
        }
        Ok(())
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        let next = poll_fn(|cx| {
            for (heard, signal) in &mut self.heard {
                if heard.poll_recv(cx).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await;
        self.asked |= asks_for_an_end(next);
        next
    }

    /// Forgets those that came with the end of the command: of the terminal's keys it may have heard first.
    pub(super) async fn forget(&mut self) {
        // The runtime tells what the system has told it when it has its turn.
        tokio::task::yield_now().await;
        loop {
            tokio::select! {
                biased;
                _ = self.next() => {}
                () = ready(()) => return,
            }
        }
    }

    /// The next one that asks for an end and is not the first that does. The first may be late: whoever ends
    /// all processes of a service may end the command before this one.
    pub(super) async fn insist(&mut self) {
        loop {
            let asked_before = self.asked;
            match self.next().await {
                Signal::TSTP => stand_still(),
                signal if asked_before && asks_for_an_end(signal) => return,
                _ => {}
            }
        }
    }
}

fn asks_for_an_end(signal: Signal) -> bool {
    [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].contains(&signal)
}

/// The signals that are ignored, as Linux says: a bit for each. Elsewhere it is not known of any.
fn ignored() -> u64 {
    let status = own_status();
    let mask = line_of(&status, "SigIgn:");
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn is_in(mask: u64, signal: Signal) -> bool {
    mask >> (signal.as_raw() - 1) & 1 == 1
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, geteuid};

    use super::{Unsent, group_in, send};

    /// Who is nobody on every system.
    const NOBODY: u32 = 65_534;

    /// The eldest process of another user, which will not end while the test runs.
    fn of_another_user() -> Pid {
        let me = geteuid().as_raw();
        let processes = fs::read_dir("/proc").expect("the system shows its processes");
        let others =
            processes.flatten().filter(|one| one.metadata().is_ok_and(|is| is.uid() != me));
        let pids = others.filter_map(|other| other.file_name().to_str()?.parse().ok());
        pids.min().and_then(Pid::from_raw).expect("somebody else has a process")
    }

    /// Root may send anything to anybody: where root runs the tests, nobody runs this one once more.
    #[test]
    fn a_signal_that_may_not_be_sent_is_an_error() {
        if geteuid().is_root() {
            let name = "exec::child::tests::a_signal_that_may_not_be_sent_is_an_error";
            let mut again = Command::new("/proc/self/exe");
            let again = again.args(["--exact", name]).uid(NOBODY).gid(NOBODY).output();
            let said = again.expect("it can be run");
            let said = String::from_utf8_lossy(&said.stdout);
            assert!(said.contains("1 passed"), "{said}");
            return;
        }
        // A signal that would do no harm, and not SIGCONT: that may be sent within a session, to anybody.
        let sent = send(of_another_user(), false, Signal::WINCH);
        assert_eq!(sent, Err(Unsent { signal: Signal::WINCH, why: Errno::PERM }));
    }

    #[test]
    fn whose_group_is_outside_of_its_namespace_has_none() {
        let group = |numbers: &str| group_in(&format!("Name:\tsh\nNSpgid:{numbers}\nNSsid:\t1\n"));
        assert_eq!(group("\t4242\t0"), None);
        assert_eq!(group("\t4242\t7"), Pid::from_raw(7));
        assert_eq!(group("\t4242"), Pid::from_raw(4242));
        assert_eq!(group_in("Name:\tsh\n"), None, "an old kernel does not tell");
    }

    #[test]
    fn a_signal_to_a_command_that_has_ended_is_no_error() {
        let mut command = Command::new("true").spawn().expect("every system has it");
        let pid = Pid::from_child(&command);
        command.wait().expect("it ends");
        assert_eq!(send(pid, false, Signal::CONT), Ok(()));
    }
}
