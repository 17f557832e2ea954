//! Running a case: a place, a runtime, a limit, a verdict.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::time::timeout;

use crate::cases::{CASES, Stop, look};
use crate::place::Place;
use crate::process::{self, again};
use crate::{Harness, NotRun, Report, Verdict, part};

/// What hangs is refuted after this time. Cases take seconds, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(120);

/// Looks at all cases, one after the other.
///
/// # Panics
/// If a runtime cannot be had. What a case panics with is its verdict.
#[must_use]
pub fn run<H: Harness>() -> Report {
    run_some::<H>(|_| true)
}

/// Looks at the cases that are wanted, one after the other. The others are reported as not run.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_some<H: Harness>(wanted: impl Fn(&str) -> bool) -> Report {
    looked::<H>(None, wanted)
}

/// As [`run_some`], in a test of this full name: cases that need processes of their own run the test again,
/// which then must call [`play_part`] and nothing else.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_again<H: Harness>(test: &str, wanted: impl Fn(&str) -> bool) -> Report {
    looked::<H>(Some(test), wanted)
}

fn looked<H: Harness>(test: Option<&str>, wanted: impl Fn(&str) -> bool) -> Report {
    let mut report = Report::new(H::NAME);
    for name in CASES.iter().filter(|name| wanted(name)) {
        report.note(name, judge::<H>(name, test.map(Into::into)));
    }
    report
}

/// If a case has started this process, plays its part and answers so. [`suite!`](crate::suite) does this by
/// itself.
///
/// # Panics
/// If a runtime cannot be had, or the store does not open: the case then fails.
#[must_use]
pub fn play_part<H: Harness>() -> bool {
    let Some(address) = process::part() else { return false };
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be had").block_on(part::play::<H>(&address));
    true
}

/// One case, as a test: fails if the store is refuted.
///
/// # Panics
/// If it is.
#[doc(hidden)]
pub fn test<H: Harness>(name: &'static str, module: &str) {
    if play_part::<H>() {
        return;
    }
    // A test's name has the module, and not the package.
    let module = module.split_once("::").map(|(_, inner)| format!("{inner}::"));
    let verdict = judge::<H>(name, Some(module.unwrap_or_default() + name));
    eprintln!("{}: {name}: {verdict}", H::NAME);
    keep::<H>(name, verdict.clone());
    assert!(!matches!(verdict, Verdict::Refuted(_)), "{verdict}");
}

/// Writes the report anew, if somebody wants it.
fn keep<H: Harness>(name: &'static str, verdict: Verdict) {
    static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());
    let Some(folder) = std::env::var_os("LOCKSPACE_CONFORMANCE_REPORT") else {
        return;
    };
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = match reports.iter().position(|report| report.store() == H::NAME) {
        Some(at) => &mut reports[at],
        None => {
            reports.push(Report::new(H::NAME));
            reports.last_mut().expect("it was just put there")
        }
    };
    mine.note(name, verdict);
    mine.write(folder.as_ref()).expect("the report can be written");
}

/// In a thread, so that whatever a case panics with is a verdict and nothing of it lives on.
fn judge<H: Harness>(name: &'static str, test: Option<String>) -> Verdict {
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        let runtime = runtime.expect("a runtime can be had");
        let verdict = runtime.block_on(async { timeout(LIMIT, again(test, one::<H>(name))).await });
        // A store that hangs must not have the case hang.
        runtime.shutdown_background();
        verdict.unwrap_or_else(|_| Verdict::Refuted(format!("not done within {LIMIT:?}")))
    });
    let ended = thread.expect("a thread can be started").join();
    ended.unwrap_or_else(|panic| Verdict::Refuted(words(panic)))
}

async fn one<H: Harness>(name: &str) -> Verdict {
    let place = match Place::start::<H>().await {
        Ok(place) => place,
        Err(NotRun(why)) => return Verdict::NotRun(why),
    };
    match look(name, place).await {
        Ok(()) => Verdict::Proved,
        Err(Stop::NotOffered(what)) => {
            Verdict::ClaimedNotProved(format!("the harness does not offer {what}"))
        }
        Err(Stop::NotClaimed) => Verdict::NotClaimed,
    }
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    match said.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(said) => said.into(),
        None => resume_unwind(panic),
    }
}
