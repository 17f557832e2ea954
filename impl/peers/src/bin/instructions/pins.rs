//! The pinned costs: read, judged and written.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::Deserialize;

use crate::valgrind::Cost;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");

/// By how many percent a path may differ from its pin: compilers and C libraries differ a little.
const TOLERANCE: u64 = 3;

const HEADER: &str = "\
# What the hot paths of lockspace cost, counted by valgrind: see src/bin/instructions.
#
#   cargo run --release -p lockspace-peers --bin instructions            compares
#   cargo run --release -p lockspace-peers --bin instructions -- --pin   writes what is counted
#
# A path that costs over 3% more fails, and so does one that costs over 3% less and is not pinned again, or
# makes another number of system calls (which a clock read is, under valgrind). No path may cost more than
# its `limit`; a `goal` is a limit that is not reached yet.
#
# Counted on x86-64 Linux with glibc. Other compilers make other numbers.
";

/// `instructions.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pins {
    /// The compiler of the pinned counts.
    pub(crate) rustc: String,
    /// By the names of the paths.
    path: BTreeMap<String, Pin>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Pin {
    instructions: u64,
    system_calls: u64,
    limit: Option<u64>,
    goal: Option<u64>,
}

impl Pins {
    pub(crate) fn read() -> io::Result<Self> {
        toml::from_str(&fs::read_to_string(FILE)?).map_err(io::Error::other)
    }

    /// What is wrong with the costs that were counted.
    pub(crate) fn judge(&self, costs: &[(&str, Cost)]) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, cost) in costs {
            match self.path.get(*name) {
                Some(pin) => {
                    complaints.extend(pin.judge(*cost).map(|why| format!("{name}: {why}")));
                }
                None => complaints.push(format!("{name} is not pinned")),
            }
        }
        let counted = |name: &str| costs.iter().any(|(other, _)| *other == name);
        let gone = self.path.keys().filter(|name| !counted(name));
        complaints.extend(gone.map(|name| format!("{name} is pinned, and there is no such path")));
        complaints
    }

    /// The pinned instructions of a path.
    pub(crate) fn instructions(&self, name: &str) -> Option<u64> {
        self.path.get(name).map(|pin| pin.instructions)
    }

    /// The limit and the goal of a path, in words.
    pub(crate) fn bound(&self, name: &str) -> String {
        let pin = self.path.get(name);
        let limit = pin.and_then(|pin| pin.limit).map(|limit| format!("at most {limit}"));
        let goal = pin.and_then(|pin| pin.goal).map(|goal| format!("goal {goal}"));
        limit.into_iter().chain(goal).collect::<Vec<_>>().join(", ")
    }

    /// The same with the costs that were counted, as text. Limits and goals stay.
    fn pinned(&self, rustc: &str, costs: &[(&str, Cost)]) -> String {
        let mut text = format!("{HEADER}\nrustc = \"{rustc}\"\n");
        for (name, cost) in costs {
            let Cost { instructions, system_calls } = cost;
            text += &format!("\n[path.{name}]\ninstructions = {instructions}\n");
            text += &format!("system_calls = {system_calls}\n");
            let pin = self.path.get(*name);
            let bound = |name, number| format!("{name} = {number}\n");
            text += &pin.and_then(|pin| pin.limit).map_or(String::new(), |at| bound("limit", at));
            text += &pin.and_then(|pin| pin.goal).map_or(String::new(), |at| bound("goal", at));
        }
        text
    }

    pub(crate) fn write(&self, rustc: &str, costs: &[(&str, Cost)]) -> io::Result<()> {
        fs::write(FILE, self.pinned(rustc, costs))
    }
}

impl Pin {
    fn judge(self, cost: Cost) -> impl Iterator<Item = String> {
        let Cost { instructions, system_calls } = cost;
        let pinned = self.instructions;
        let differs = instructions.abs_diff(pinned) * 100 > pinned * TOLERANCE;
        let changed = differs.then(|| {
            let percent = (instructions as f64 / pinned as f64 - 1.0) * 100.0;
            let then = if percent < 0.0 { ": pin that" } else { "" };
            format!("{instructions} instructions, {percent:+.1}% of {pinned}{then}")
        });
        let limit = self.limit.filter(|limit| instructions > *limit);
        let limited = limit.map(|limit| format!("{instructions} instructions, {limit} at most"));
        let calls = (system_calls != self.system_calls)
            .then(|| format!("{system_calls} system calls instead of {}", self.system_calls));
        [changed, limited, calls].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::{Pin, Pins};
    use crate::valgrind::Cost;

    const PIN: Pin = Pin { instructions: 1000, system_calls: 1, limit: None, goal: None };

    fn complaints(pin: Pin, instructions: u64, system_calls: u64) -> usize {
        pin.judge(Cost { instructions, system_calls }).count()
    }

    #[test]
    fn three_percent_either_way_are_tolerated_and_no_more() {
        assert_eq!(complaints(PIN, 1030, 1), 0);
        assert_eq!(complaints(PIN, 1031, 1), 1);
        assert_eq!(complaints(PIN, 970, 1), 0);
        assert_eq!(complaints(PIN, 969, 1), 1);
    }

    #[test]
    fn a_system_call_more_or_less_is_not_tolerated() {
        assert_eq!(complaints(PIN, 1000, 2), 1);
        assert_eq!(complaints(PIN, 1000, 0), 1);
    }

    #[test]
    fn a_limit_is_not_exceeded_and_a_goal_may_be() {
        assert_eq!(complaints(Pin { limit: Some(1000), ..PIN }, 1000, 1), 0);
        assert_eq!(complaints(Pin { limit: Some(999), ..PIN }, 1000, 1), 1);
        assert_eq!(complaints(Pin { goal: Some(999), ..PIN }, 1000, 1), 0);
    }

    #[test]
    fn a_path_without_a_pin_and_a_pin_without_a_path_are_found() {
        let cost = Cost { instructions: 1000, system_calls: 1 };
        let pins = Pins { rustc: String::new(), path: [("a".into(), PIN)].into() };
        assert!(pins.judge(&[("a", cost)]).is_empty());
        assert_eq!(pins.judge(&[("a", cost), ("b", cost)]).len(), 1);
        assert_eq!(pins.judge(&[]).len(), 1);
    }

    #[test]
    fn what_is_pinned_can_be_read_again_with_its_limits() {
        let pin = Pin { limit: Some(1200), goal: Some(900), ..PIN };
        let pins = Pins { rustc: String::new(), path: [("a".into(), pin)].into() };
        let cost = Cost { instructions: 1100, system_calls: 1 };
        let read: Pins = toml::from_str(&pins.pinned("1.0", &[("a", cost)])).expect("it is TOML");
        assert_eq!(read.rustc, "1.0");
        assert_eq!(read.path["a"], Pin { instructions: 1100, ..pin });
    }
}
