//! How the command ends: every exit status, in one place. `docs/cli.md` has the same table; a test compares.

use std::process::ExitCode;

/// An exit status of this command's own. `exec` also passes on that of the command that it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and all is well.
    Done,
    /// Something is not as it must be, or is not there.
    Deviates,
    /// Not understood, or could not be carried out; as clap has it.
    Failed,
    /// The budget was spent before there was a verdict.
    Undecided,
    /// The name did not come free in the time that was given.
    Busy,
    /// The lock was lost, and the command under it was stopped.
    Lost,
    /// The command ran longer than it may, and was stopped; as timeout(1) has it.
    HeldTooLong,
    /// `exec` itself could not be carried out.
    ExecFailed,
    /// The command was found and cannot be run.
    CannotRun,
    /// There is no such command.
    NotFound,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Deviates,
        Self::Failed,
        Self::Undecided,
        Self::Busy,
        Self::Lost,
        Self::HeldTooLong,
        Self::ExecFailed,
        Self::CannotRun,
        Self::NotFound,
    ];

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Deviates => 1,
            Self::Failed => 2,
            Self::Undecided => 3,
            Self::Busy => 120,
            Self::Lost => 121,
            Self::HeldTooLong => 124,
            Self::ExecFailed => 125,
            Self::CannotRun => 126,
            Self::NotFound => 127,
        }
    }

    /// What it says.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Busy => "the name did not come free in time",
            Self::Lost => "exec: the lock was lost, and the command was stopped",
            Self::HeldTooLong => "exec: --max-hold ended, and the command was stopped",
            Self::ExecFailed => {
                "exec: the lock could not be asked for, or the command not be started"
            }
            Self::CannotRun => "exec: the command was found and cannot be run",
            Self::NotFound => "exec: there is no such command",
            Self::Done => "done, and all is well; a history is accepted",
            Self::Deviates => {
                "not as it must be: a run deviates, a history is rejected, a store is ill, \
                 force-release found nobody holding the name"
            }
            Self::Failed => "the command was not understood, or could not be carried out",
            Self::Undecided => {
                "a history is undecided: the budget was spent first; this is not a pass"
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What `--help` says of those in `exits`.
pub(crate) fn explained(exits: &[Exit]) -> String {
    let line = |exit: &Exit| format!("{:>5}  {}\n", exit.code(), exit.meaning());
    let lines: String = exits.iter().map(line).collect();
    let passed_on = if exits.contains(&Exit::NotFound) {
        "Otherwise that of the command; 128 and its number, if a signal ended it.\n"
    } else {
        ""
    };
    format!("Exit status:\n{lines}{passed_on}\nWith NO_COLOR set, nothing is coloured.")
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn every_exit_status_stands_in_the_documents() {
        let document = include_str!("../../../docs/cli.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(document.contains(&row), "{row}");
        }
        let (_, section) = document.split_once("## Exit status").expect("there is a section");
        let (section, _) = section.split_once("\n## ").expect("it ends");
        let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        assert_eq!(rows.count(), Exit::ALL.len(), "a status that there is not stands there");
    }
}
