//! Running a case: a place, a runtime, a limit, a verdict.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::time::timeout;

use crate::cases::{CASES, Late, SOON, Stop, is_about_locks, look};
use crate::place::Place;
use crate::process::{self, again};
use crate::still::{Canary, Silence};
use crate::{Harness, NotRun, Report, Verdict, part};

/// What hangs is refuted after this time. Cases take seconds, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(120);

/// A machine that stood still for so long, all in all, may have made everything too late.
const STILL: Duration = Duration::from_millis(300);
/// A store that left calls without an answer for so long may have cost a session its trust; but one that
/// does so for as long as anything may take has failed.
const SILENT: Duration = Duration::from_secs(1);
/// How often a case looks, at most.
const LOOKS: u32 = 3;

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
    assert!(!matches!(verdict, Verdict::Refuted(_) | Verdict::Undecided(_)), "{verdict}");
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

/// What a case has found to be wrong.
struct Fault {
    what: String,
    /// For how long the machine stood still meanwhile, and the store, as far as that may be why.
    machine: Duration,
    store: Duration,
}

fn judge<H: Harness>(name: &'static str, test: Option<String>) -> Verdict {
    decided(|| once::<H>(name, test.clone()))
}

/// The verdict of a case that looks so. A machine that stood still says nothing of the store, and is hoped to
/// go on; of a store that did nobody knows whether it will do so again.
fn decided(mut look: impl FnMut() -> Result<Verdict, Fault>) -> Verdict {
    for number in 1.. {
        let Fault { what, machine, store } = match look() {
            Ok(verdict) => return verdict,
            Err(fault) => fault,
        };
        if machine >= STILL && number < LOOKS {
            eprintln!("the machine stood still for {machine:?}, and the case looks again: {what}");
        } else if machine >= STILL {
            return Verdict::Undecided(format!("the machine stood still for {machine:?}: {what}"));
        } else if (SILENT..SOON).contains(&store) {
            return Verdict::Undecided(format!("the store was silent for {store:?}: {what}"));
        } else {
            return Verdict::Refuted(what);
        }
    }
    unreachable!("the last look is decided");
}

/// In a thread, so that whatever a case panics with is a fault and nothing of it lives on.
fn once<H: Harness>(name: &'static str, test: Option<String>) -> Result<Verdict, Fault> {
    let (canary, silence) = (Canary::start(), Arc::<Silence>::default());
    let heard = Arc::clone(&silence);
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        let runtime = runtime.expect("a runtime can be had");
        let case = again(test, one::<H>(name, silence));
        let verdict = runtime.block_on(async { timeout(LIMIT, case).await });
        // A store that hangs must not have the case hang.
        runtime.shutdown_background();
        verdict
            .unwrap_or_else(|_| resume_unwind(Box::new(Late(format!("not done within {LIMIT:?}")))))
    });
    let ended = thread.expect("a thread can be started").join();
    let machine = canary.stop();
    ended.map_err(|panic| match panic.downcast::<Late>() {
        Ok(late) => Fault { what: late.0, machine, store: Duration::ZERO },
        // Whoever holds a name holds it for as long as his session is believed in.
        Err(panic) if is_about_locks(name) => {
            Fault { what: words(panic), machine, store: heard.longest() }
        }
        Err(panic) => Fault { what: words(panic), machine: Duration::ZERO, store: Duration::ZERO },
    })
}

async fn one<H: Harness>(name: &str, silence: Arc<Silence>) -> Verdict {
    let place = match Place::start::<H>(silence).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a case looks that finds this, and what comes of it.
    fn looks(what: &str, machine: Duration, store: Duration) -> (u32, Verdict) {
        let mut looks = 0;
        let verdict = decided(|| {
            looks += 1;
            Err(Fault { what: what.into(), machine, store })
        });
        (looks, verdict)
    }

    #[test]
    fn what_is_wrong_on_a_machine_that_goes_on_is_refuted_at_once() {
        let almost = STILL - Duration::from_millis(1);
        let refuted = Verdict::Refuted("two are inside".into());
        assert_eq!(looks("two are inside", almost, Duration::ZERO), (1, refuted));
    }

    #[test]
    fn what_is_wrong_whenever_the_machine_stands_still_is_undecided() {
        let (looks, verdict) = looks("too late", STILL, Duration::ZERO);
        let words = "the machine stood still for 300ms: too late";
        assert_eq!((looks, verdict), (LOOKS, Verdict::Undecided(words.into())));
    }

    #[test]
    fn what_is_wrong_only_while_the_machine_stands_still_is_proved() {
        let mut looks = 0;
        let verdict = decided(|| {
            looks += 1;
            let fault = Fault { what: "too late".into(), machine: STILL, store: Duration::ZERO };
            if looks == 1 { Err(fault) } else { Ok(Verdict::Proved) }
        });
        assert_eq!((looks, verdict), (2, Verdict::Proved));
    }

    #[test]
    fn what_is_wrong_while_the_store_is_silent_is_undecided_and_not_looked_at_again() {
        let (looks, verdict) = looks("it was lost", Duration::ZERO, SILENT);
        let words = "the store was silent for 1s: it was lost";
        assert_eq!((looks, verdict), (1, Verdict::Undecided(words.into())));
    }

    #[test]
    fn a_store_that_is_silent_for_as_long_as_anything_may_take_is_refuted() {
        let (looks, verdict) = looks("it hangs", Duration::ZERO, SOON);
        assert_eq!((looks, verdict), (1, Verdict::Refuted("it hangs".into())));
    }
}
