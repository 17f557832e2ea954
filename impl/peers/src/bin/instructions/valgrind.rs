//! Running this program under valgrind.

use std::io;
use std::process::{Command, Stdio};

use crate::paths::Path;

/// What one repetition of a path costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Instructions, to the nearest.
    pub(crate) instructions: u64,
    /// System calls. valgrind hides the page through which the kernel tells the time, so reading a clock
    /// is one as well.
    pub(crate) system_calls: u64,
}

/// Counts a path at two numbers of repetitions, so that what starting and ending costs cancels out.
///
/// # Errors
/// If valgrind cannot be run, or the path fails under it.
pub(crate) fn cost(path: &str) -> io::Result<Cost> {
    // The first repetitions still allocate what is kept.
    const FEW: u64 = 100;
    const MANY: u64 = 600;
    let (few, many) = (count(path, FEW)?, count(path, MANY)?);
    let more = (MANY - FEW) * Path::LOCKSPACES;
    let each = |index: usize| (many[index].saturating_sub(few[index]) + more / 2) / more;
    Ok(Cost { instructions: each(0), system_calls: each(1) })
}

/// The instructions and the system calls of the whole program.
fn count(path: &str, times: u64) -> io::Result<[u64; 2]> {
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-systime=yes"];
    let output = valgrind(&tool, &["--repeat", path, &times.to_string()])?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // "==1== Collected : 1234 56 ..."
    let mut collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .into_iter()
        .flat_map(|(_, numbers)| numbers.split(' ').filter_map(|number| number.parse().ok()));
    match (output.status.success(), collected.next(), collected.next()) {
        (true, Some(instructions), Some(system_calls)) => Ok([instructions, system_calls]),
        _ => Err(io::Error::other(format!("valgrind did not count {path}:\n{said}"))),
    }
}

/// This program under a tool of valgrind.
pub(crate) fn valgrind(tool: &[&str], program: &[&str]) -> io::Result<Command> {
    let mut command = Command::new("valgrind");
    command.args(tool).arg(std::env::current_exe()?).args(program).stdin(Stdio::null());
    Ok(command)
}
