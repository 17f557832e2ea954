//! Whether real processes stand still, as Linux says.

use std::fs;

use rustix::process::Pid;

pub(crate) fn stands_still(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.expect("it is there").rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
}
