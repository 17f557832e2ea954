//! What came of all cases, for people and for programs.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::{fs, io};

use serde::Serialize;

use crate::CASES;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "kebab-case")]
pub enum Verdict {
    /// The case looked, and found nothing against the promise.
    Proved,
    /// The store promises it, and the case could not look: why.
    ClaimedNotProved(String),
    /// The store does not promise it.
    NotClaimed,
    /// Nothing was looked at: why.
    NotRun(String),
    /// The store does something else than it promises: what.
    Refuted(String),
    /// The same, unless it was because the machine or the store stood still: for how long, and what.
    Undecided(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proved => f.write_str("proved"),
            Self::ClaimedNotProved(why) => write!(f, "claimed, not proved: {why}"),
            Self::NotClaimed => f.write_str("not claimed"),
            Self::NotRun(why) => write!(f, "NOT RUN: {why}"),
            Self::Refuted(what) => write!(f, "REFUTED: {what}"),
            Self::Undecided(why) => write!(f, "UNDECIDED: {why}"),
        }
    }
}

/// What came of all cases of the [list](CASES). Those that nobody has looked at are not run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    store: &'static str,
    cases: Vec<Line>,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    case: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Report {
    pub(crate) fn new(store: &'static str) -> Self {
        let nobody = || Verdict::NotRun("nobody has looked".into());
        let cases = CASES.iter().map(|case| Line { case, verdict: nobody() });
        Self { store, cases: cases.collect() }
    }

    pub(crate) fn note(&mut self, case: &str, verdict: Verdict) {
        if let Some(line) = self.cases.iter_mut().find(|line| line.case == case) {
            line.verdict = verdict;
        }
    }

    /// Of which store.
    #[must_use]
    pub fn store(&self) -> &'static str {
        self.store
    }

    /// What came of a case; none if there is no such case.
    #[must_use]
    pub fn verdict(&self, case: &str) -> Option<&Verdict> {
        self.cases.iter().find(|line| line.case == case).map(|line| &line.verdict)
    }

    /// The cases by which the store is refuted.
    #[must_use]
    pub fn refuted(&self) -> Vec<&'static str> {
        let refuted = |line: &&Line| matches!(line.verdict, Verdict::Refuted(_));
        self.cases.iter().filter(refuted).map(|line| line.case).collect()
    }

    /// For people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# Conformance of {}\n\n| Case | Verdict |\n|---|---|\n", self.store);
        for line in &self.cases {
            let verdict = line.verdict.to_string().replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(text, "| {} | {verdict} |", line.case.replace('_', " "));
        }
        text
    }

    /// For programs: the store's name, and for each case its name, its verdict, and the reason where
    /// there is one.
    ///
    /// # Panics
    /// Never: there is nothing in it that JSON could not say.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and sentences are JSON")
    }

    /// Writes both into a folder, under the store's name.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let name = self.store.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        fs::write(folder.join(format!("{name}.md")), self.markdown())?;
        fs::write(folder.join(format!("{name}.json")), self.json())
    }
}
