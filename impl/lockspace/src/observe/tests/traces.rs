//! Traces, as a subscriber writes them down.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing_subscriber::fmt::format::FmtSpan;

use crate::LockSpace;
use crate::observe::Traces;
use crate::store::{Memory, Options};

const MINUTE: Duration = Duration::from_secs(60);

/// Where a subscriber writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while a lockspace is traced, whose holds should last no longer than this: a line for each
/// span that ends and for each warning.
fn lines(limit: Option<Duration>, work: impl AsyncFnOnce(&LockSpace, &Traces)) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let traces = Traces::new("billing");
        let traces = limit.into_iter().fold(traces, Traces::warn_after);
        let traces = Arc::new(traces);
        let space = LockSpace::builder().traces(traces.clone()).build();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(work(&space, &traces));
        assert!(space.audit().is_quiescent());
        assert_eq!(traces.remembered(), 0, "calls that nothing is left of");
    });
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    written.lines().map(String::from).collect()
}

#[track_caller]
fn assert_has(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

#[test]
fn an_acquire_and_a_hold_are_a_span_each() {
    let lines = lines(None, async |space, _| {
        let guard = space.acquire("a").label("nightly").await.unwrap();
        assert_eq!(guard.fencing_token(), space.snapshot().names[0].holder.token);
        drop(guard);
    });
    let here = format!("at={}", file!());
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let common = ["DEBUG", "lockspace=billing", "name=a", "label=\"nightly\"", &here, "token="];
    assert_has(&lines[0], &common);
    assert_has(&lines[0], &["acquire{", "outcome=\"granted\"", "wait_seconds="]);
    assert_has(&lines[1], &common);
    assert_has(&lines[1], &["hold{", "outcome=\"released\""]);
}

#[test]
fn who_waits_in_vain_or_leaves_is_told_apart() {
    let lines = lines(None, async |space, _| {
        let guard = space.try_acquire("a").unwrap();
        assert!(space.try_acquire("a").is_err());
        assert!(space.acquire("a").wait_timeout(MINUTE).await.is_err());
        let leaves =
            tokio::time::timeout(MINUTE, std::future::IntoFuture::into_future(space.acquire("a")));
        assert!(leaves.await.is_err());
        drop(guard);
    });
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_has(&lines[1], &["outcome=\"busy\""]);
    assert!(!lines[1].contains("queued"), "{}", lines[1]);
    assert_has(&lines[2], &["queued=true", "outcome=\"timed_out\""]);
    assert_has(&lines[3], &["queued=true", "outcome=\"cancelled\""]);
}

#[test]
fn a_long_hold_is_warned_of_once_while_it_lasts() {
    let mut line = 0;
    let lines = lines(Some(Duration::ZERO), async |space, traces| {
        line = line!() + 1;
        let guard = space.acquire("a").label("nightly").await.unwrap();
        assert_eq!(traces.look(), 1);
        assert_eq!(traces.look(), 0);
        drop(guard);
    });
    let warnings: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{lines:#?}");
    let here = format!("at={}:{line}:", file!());
    let parts =
        ["a name is held for longer", "name=a", "label=\"nightly\"", &here, "held_seconds="];
    assert_has(warnings[0], &parts);
}

#[test]
fn a_long_hold_at_which_nobody_looked_is_warned_of_when_it_ends() {
    let lines = lines(Some(Duration::ZERO), async |space, _| drop(space.try_acquire("a").unwrap()));
    assert_eq!(lines.iter().filter(|line| line.contains("WARN")).count(), 1, "{lines:#?}");
}

#[test]
fn a_watch_looks_until_it_is_dropped() {
    let lines = lines(Some(Duration::ZERO), async |space, traces| {
        let _guard = space.try_acquire("a").unwrap();
        assert!(tokio::time::timeout(2 * MINUTE, traces.watch(MINUTE)).await.is_err());
        assert_eq!(traces.look(), 0, "it was warned of");
    });
    assert_eq!(lines.iter().filter(|line| line.contains("WARN")).count(), 1, "{lines:#?}");
}

#[test]
fn a_short_hold_is_no_warning() {
    let lines = lines(Some(MINUTE), async |space, traces| {
        let _guard = space.try_acquire("a").unwrap();
        assert_eq!(traces.look(), 0);
    });
    assert!(!lines.iter().any(|line| line.contains("WARN")), "{lines:#?}");
}

#[test]
fn a_loss_is_one_warning_however_often_its_holder_is_told() {
    let lines = lines(Some(Duration::ZERO), async |space, _| {
        let guard = space.acquire("a").lease(MINUTE).await.unwrap();
        guard.lost().await;
        assert!(guard.renew(MINUTE).is_err());
        assert!(guard.release().is_err());
    });
    let warnings: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{lines:#?}");
    assert_has(warnings[0], &["a hold was lost", "reason=\"lease_elapsed\"", "name=a"]);
    assert_has(lines.last().unwrap(), &["hold{", "outcome=\"lease_elapsed\""]);
}

#[test]
fn a_name_that_an_operator_takes_away_is_told_once_whoever_held_it() {
    let lines = lines(None, async |space, _| {
        let guard = space.try_acquire("a").unwrap();
        assert!(space.force_release("a").unwrap().is_some());
        assert!(space.force_release("a").unwrap().is_none());
        drop(guard);
        let store = Memory::new();
        let traces = Arc::new(Traces::new("shipping"));
        let open = LockSpace::builder().traces(traces.clone()).open(store.clone(), Options::new());
        let (here, there) = (open.await.unwrap(), LockSpace::open(store, Options::new()).await);
        let _guard = there.as_ref().unwrap().acquire("b").await.unwrap();
        here.force_release_everywhere("b").await.unwrap();
        assert_eq!(here.force_release_everywhere("b").await, Ok(None));
        assert_eq!(traces.remembered(), 0, "orders that were carried out");
    });
    let taken: Vec<_> = lines.iter().filter(|line| line.contains(" INFO ")).collect();
    assert_eq!(taken.len(), 2, "{lines:#?}");
    assert_has(taken[0], &["a name was taken from its holder", "lockspace=billing", "name=a"]);
    assert_has(taken[1], &["a name was taken from its holder", "lockspace=shipping", "name=b"]);
}

#[test]
fn a_snapshot_shows_where_each_name_was_acquired() {
    lines(None, async |space, _| {
        let line = line!() + 1;
        let guards = [space.try_acquire("a"), space.blocking_acquire("b")].map(Result::unwrap);
        for name in space.snapshot().names {
            let place = name.holder.acquired_at.unwrap();
            assert_eq!((place.file(), place.line()), (file!(), line));
        }
        drop(guards);
        let section = space.critical_section("c", crate::SectionOptions::new(), async |_| {
            assert_eq!(space.snapshot().names[0].holder.acquired_at, None);
        });
        section.await.unwrap();
    });
}
