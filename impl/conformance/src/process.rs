//! Processes of their own: this test, run again, and what is said between it and them.
//!
//! A line to its standard input asks, and one from its standard output answers. Whoever is asked nothing
//! more, since the case has ended in whatever way, ends too.

use std::env;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lockspace::store::{Row, Store, StoreError, Swap, Version};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::NotOffered;
use crate::place::Place;

/// Set, in a process that a case has started, to the address of its place.
const PART: &str = "LOCKSPACE_CONFORMANCE_PART";
/// What an answer begins with, since a test's runner speaks on the same line.
const MARK: &str = "<answer>";

tokio::task_local! {
    /// The full name of the test that this case is, by which it can be run again.
    static TEST: Option<String>;
}

/// Runs a case that can be run again as the test of this name.
pub(crate) async fn again<T>(test: Option<String>, case: impl Future<Output = T>) -> T {
    TEST.scope(test, case).await
}

/// The address of the place in which this process is to play its part, if a case has started it.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// What a process is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Load { key: String },
    Swap { key: String, expected: Option<u64>, new: Option<Vec<u8>> },
    Scan { prefix: String },
    Acquire { name: String },
    Release,
    ShutDown,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Loaded(Option<(u64, Vec<u8>)>),
    Swapped(u64),
    Conflict,
    NotDone(String),
    Unknown(String),
    Scanned(Vec<(String, u64, Vec<u8>)>),
    Granted(u64),
    Refused(String),
    Released,
    Lost,
    Done,
}

/// Starts processes in a place.
#[derive(Clone)]
pub(crate) struct Processes {
    test: String,
    address: String,
}

impl Processes {
    /// Those that have the store of this place open.
    pub(crate) fn at(place: &Place) -> Result<Self, NotOffered> {
        let address = place.address()?;
        let test = TEST.try_with(Clone::clone).ok().flatten();
        let test =
            test.ok_or(NotOffered("a test that can be run again, as those of `suite!` can"))?;
        Ok(Self { test, address })
    }

    pub(crate) fn start(&self) -> Process {
        let mut command = Command::new(env::current_exe().expect("this test is a file"));
        command.args(["--exact", &self.test, "--nocapture"]).env(PART, &self.address);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("this test can be run again");
        let asks = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let ways = Ways { asks, answers, count: 0 };
        Process {
            child: Mutex::new(child),
            ways: tokio::sync::Mutex::new(ways),
            gone: AtomicBool::new(false),
        }
    }
}

/// A process that does what it is asked for, one thing after the other.
pub(crate) struct Process {
    child: Mutex<Child>,
    ways: tokio::sync::Mutex<Ways>,
    gone: AtomicBool,
}

/// The ways to it and from it, and how much was asked.
struct Ways {
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    count: u64,
}

impl Process {
    /// As `SIGKILL` does, whatever it is about to do.
    pub(crate) fn kill(&self) {
        self.gone.store(true, Ordering::Relaxed);
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.start_kill().expect("it is our child");
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Its answer; none if it does not live to give one.
    pub(crate) async fn ask(&self, what: &Ask) -> Option<Answer> {
        let mut ways = self.ways.lock().await;
        ways.count += 1;
        let number = ways.count;
        let line = serde_json::to_string(what).expect("it is JSON");
        ways.asks.write_all(format!("{line}\n").as_bytes()).await.ok()?;
        ways.asks.flush().await.ok()?;
        loop {
            let line = ways.answers.next_line().await.ok().flatten()?;
            let Some((_, answer)) = line.split_once(MARK) else { continue };
            let (to, answer) = serde_json::from_str::<(u64, Answer)>(answer).ok()?;
            // Others are to calls that were dropped.
            if to == number {
                return Some(answer);
            }
        }
    }
}

/// The store, as a process of its own has it open.
#[derive(Clone)]
pub(crate) struct Remote(pub(crate) Arc<Process>);

/// The store's error, from a process that has died before it could answer.
fn died() -> StoreError {
    StoreError::Unknown("the process has died".into())
}

impl Remote {
    async fn ask(&self, what: Ask) -> Result<Answer, StoreError> {
        if self.0.is_gone() {
            return Err(StoreError::NotDone("the process is dead".into()));
        }
        match self.0.ask(&what).await {
            Some(Answer::NotDone(why)) => Err(StoreError::NotDone(why.into())),
            Some(Answer::Unknown(why)) => Err(StoreError::Unknown(why.into())),
            Some(answer) => Ok(answer),
            None => Err(died()),
        }
    }
}

impl Store for Remote {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        match self.ask(Ask::Load { key: key.into() }).await? {
            Answer::Loaded(row) => Ok(row.map(|(version, bytes)| (Version(version), bytes))),
            other => panic!("a load was answered {other:?}"),
        }
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let expected = expected.map(|version| version.0);
        let ask = Ask::Swap { key: key.into(), expected, new: new.map(<[u8]>::to_vec) };
        match self.ask(ask).await? {
            Answer::Swapped(version) => Ok(Swap::Swapped(Version(version))),
            Answer::Conflict => Ok(Swap::Conflict),
            other => panic!("a swap was answered {other:?}"),
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let row = |(key, version, bytes)| Row { key, version: Version(version), bytes };
        match self.ask(Ask::Scan { prefix: prefix.into() }).await? {
            Answer::Scanned(rows) => Ok(rows.into_iter().map(row).collect()),
            other => panic!("a scan was answered {other:?}"),
        }
    }
}

/// What this process is asked for, as long as somebody is there to ask. Whoever started it may be gone at any
/// moment, and then this process goes too, whatever it waits for.
pub(crate) fn asked() -> tokio::sync::mpsc::UnboundedReceiver<Ask> {
    let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = asks.send(serde_json::from_str(&line).expect("it is JSON"));
        }
        std::process::exit(0);
    });
    asked
}

/// Answers what was asked last.
pub(crate) fn answer(answer: &Answer) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let line = serde_json::to_string(&(number, answer)).expect("it is JSON");
    // In one piece, and not kept back: the process may be killed at any moment.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{MARK}{line}\n").as_bytes()).expect("somebody listens");
    out.flush().expect("somebody listens");
}
