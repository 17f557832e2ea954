//! Solvers, as programs that read questions and write answers.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::obligations::Inquiry;

/// A solver that may be installed.
#[derive(Clone, Copy, Debug)]
pub struct Solver {
    /// The program.
    pub name: &'static str,
    args: &'static [&'static str],
}

/// The solvers that must agree. Each gives up a goal after 20 seconds, which is no answer.
pub const SOLVERS: [Solver; 2] = [
    Solver { name: "z3", args: &["-smt2", "-in", "-t:20000"] },
    Solver { name: "cvc5", args: &["--lang=smt2", "--incremental", "--tlimit-per=20000", "-"] },
];

impl Solver {
    /// Its version, if the program is there.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let output = Command::new(self.name).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
    }

    /// Asks everything, two inquiries at a time, and returns what was not answered as it must be.
    ///
    /// # Panics
    /// If the program cannot be run.
    #[must_use]
    pub fn failures(&self, inquiries: &[Inquiry]) -> Vec<String> {
        // Each thread claims the next inquiry; the counter orders nothing else, the scope's end does.
        let next = AtomicUsize::new(0);
        let work = || {
            let mut failures = Vec::new();
            while let Some(inquiry) = inquiries.get(next.fetch_add(1, Ordering::Relaxed)) {
                failures.extend(self.ask(inquiry));
            }
            failures
        };
        std::thread::scope(|scope| {
            let askers = [scope.spawn(work), scope.spawn(work)];
            askers.into_iter().flat_map(|asker| asker.join().expect("the solver runs")).collect()
        })
    }

    /// Only `sat` and `unsat` are answers; a word too few, an error or a warning is none.
    fn ask(&self, inquiry: &Inquiry) -> Vec<String> {
        let output = self.run(&inquiry.text);
        let mut answers = output.lines();
        let expected = if inquiry.satisfiable { "sat" } else { "unsat" };
        let mut failures = Vec::new();
        for goal in &inquiry.goals {
            let answer = answers.next().unwrap_or("nothing");
            if answer != expected {
                failures.push(format!("{}: {goal}: {answer}", inquiry.about));
            }
        }
        failures.extend(answers.map(|line| format!("{}: {line}", inquiry.about)));
        failures
    }

    fn run(&self, text: &str) -> String {
        let mut program = Command::new(self.name);
        program.args(self.args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = program.spawn().expect("the solver starts");
        let mut input = child.stdin.take().expect("its input is a pipe");
        // It answers in a few words, so its output cannot fill up while it is still being asked.
        input.write_all(text.as_bytes()).expect("the solver reads what it is asked");
        drop(input);
        let output = child.wait_with_output().expect("the solver ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
