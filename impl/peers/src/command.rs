//! What `peers` and `store-peers` have in common as commands: what they are asked for, and what they show.

use std::str::FromStr;

use crate::measure::{Samples, Workload};
use crate::report;
use crate::targets::Target;

/// What is asked for on the command line.
#[derive(Default)]
pub struct Asked {
    /// A first look is enough.
    pub quick: bool,
    /// How often everybody has a turn, if that is said.
    pub rounds: Option<usize>,
    /// Only the names of the workloads.
    pub list: bool,
    only: Vec<String>,
}

impl Asked {
    /// Reads what was given to this program.
    ///
    /// # Errors
    /// What is wrong with it, or how the program is used.
    pub fn read(program: &str, mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self::default();
        while let Some(flag) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--quick" => asked.quick = true,
                "--rounds" => {
                    let rounds = usize::from_str(&value()?);
                    asked.rounds = Some(rounds.map_err(|error| error.to_string())?);
                }
                "--only" => asked.only.push(value()?),
                "--list" => asked.list = true,
                _ => return Err(usage(program)),
            }
        }
        Ok(asked)
    }

    /// Whether it is about this workload.
    #[must_use]
    pub fn wants<Given>(&self, workload: &Workload<Given>) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| workload.id.contains(part))
    }
}

fn usage(program: &str) -> String {
    format!(
        "\
Runs every workload with every peer, in turns, and prints a table for each.

usage: {program} [--quick] [--rounds N] [--only PART]... [--list]

  --quick      a first look, in about a minute
  --rounds N   how often everybody has a turn
  --only PART  only the workloads whose name contains this
  --list       names the workloads and ends"
    )
}

/// Names the workload.
pub fn list<Given>(workload: &Workload<Given>) {
    println!("{:<20} {}", workload.id, workload.what);
}

/// Takes all samples, and shows meanwhile how far it has got.
pub fn take<Given>(workloads: &[Workload<Given>], given: &Given, rounds: usize) -> Samples {
    let samples = Samples::take(workloads, given, rounds, |round, workload, contender| {
        eprint!("\r\x1b[Kround {} of {rounds}: {}, {}", round + 1, workload.id, contender.peer);
    });
    eprint!("\r\x1b[K");
    samples
}

/// Prints a table for each workload, and one of the targets.
pub fn print<Given>(workloads: &[Workload<Given>], targets: &[Target], samples: &Samples) {
    for workload in workloads {
        println!("{}", report::table(workload, samples));
    }
    println!("### targets\n\n{}", report::targets_table(targets, samples));
}
