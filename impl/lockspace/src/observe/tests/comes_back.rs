//! Subscribers and exporters that come back into the lockspace of which they are told: to take a lock of
//! their own there, say, or by way of something else that does. Nothing of ours is locked while their code
//! runs, so they come in like anybody else.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::LockSpace;
use crate::sync::Mutex;

const MINUTE: Duration = Duration::from_secs(60);

thread_local! {
    /// Whoever has come back is told what it does there, and does not come back for that.
    static IS_BACK: Cell<bool> = const { Cell::new(false) };
}

/// What foreign code does whenever it runs.
#[derive(Default)]
struct Visitor {
    space: Mutex<Option<LockSpace>>,
    /// Looks at everything that the observer remembers, in whichever shard it is.
    look: Mutex<Option<Box<dyn Fn() + Send>>>,
    /// How often it has run, whatever for.
    times: AtomicUsize,
    /// At which of these times it panics.
    panics_at: Option<usize>,
    seen: Mutex<BTreeSet<&'static str>>,
}

impl Visitor {
    fn panicking(at: usize) -> Self {
        Self { panics_at: Some(at), ..Self::default() }
    }

    /// Foreign code runs, to do this.
    fn runs(&self, what: &'static str) {
        if IS_BACK.replace(true) {
            return;
        }
        self.seen.lock().insert(what);
        let space = self.space.lock().clone();
        if let Some(space) = space {
            drop(space.try_acquire("of its own").expect("nobody else wants it"));
            let look = self.look.lock().take().expect("only one looks at a time");
            look();
            *self.look.lock() = Some(look);
        }
        IS_BACK.set(false);
        let time = self.times.fetch_add(1, Ordering::Relaxed);
        assert_ne!(Some(time), self.panics_at, "on purpose");
    }

    fn visits(&self, space: &LockSpace, look: impl Fn() + Send + 'static) {
        *self.look.lock() = Some(Box::new(look));
        *self.space.lock() = Some(space.clone());
    }

    /// Everybody is about to be gone.
    fn leaves(&self) {
        drop((self.space.lock().take(), self.look.lock().take()));
    }

    #[track_caller]
    fn assert_has_done(&self, all: &[&str]) {
        assert_eq!(self.seen.lock().iter().copied().collect::<Vec<_>>(), all);
    }
}

/// Whatever can become of an acquire and of a hold.
fn everything(space: &LockSpace) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let guard = space.acquire("a").lease(MINUTE).label("nightly").await.unwrap();
        guard.renew(MINUTE).unwrap();
        assert!(space.try_acquire("a").is_err());
        assert!(space.acquire("a").wait_timeout(MINUTE / 2).await.is_err());
        leave_the_queue(space);
        let next = tokio::join!(space.acquire("a").into_future(), guard.lost()).0.unwrap();
        assert!(guard.renew(MINUTE).is_err());
        assert!(guard.release().is_err());
        next.release().unwrap();
        let guard = space.try_acquire("b").unwrap();
        assert!(space.force_release("b").unwrap().is_some());
        drop(guard);
    });
}

fn leave_the_queue(space: &LockSpace) {
    let mut leaves = pin!(space.acquire("a").into_future());
    assert!(leaves.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// The same, up to a panic.
fn everything_until_it_panics(space: &LockSpace) -> bool {
    catch_unwind(AssertUnwindSafe(|| everything(space))).is_err()
}

#[cfg(feature = "tracing")]
mod traces {
    use std::collections::HashMap;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::observe::Traces;
    use crate::tests::in_time;

    #[derive(Clone)]
    struct Watchful {
        visitor: Arc<Visitor>,
        /// How many handles there are of each span.
        open: Arc<Mutex<HashMap<u64, usize>>>,
    }

    impl Subscriber for Watchful {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            self.visitor.runs("new");
            let mut open = self.open.lock();
            let id = open.keys().max().map_or(1, |last| last + 1);
            open.insert(id, 1);
            Id::from_u64(id)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {
            self.visitor.runs("record");
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {
            self.visitor.runs("follow");
        }

        fn event(&self, _: &Event<'_>) {
            self.visitor.runs("event");
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}

        fn clone_span(&self, id: &Id) -> Id {
            *self.open.lock().get_mut(&id.into_u64()).unwrap() += 1;
            self.visitor.runs("clone");
            id.clone()
        }

        fn try_close(&self, id: Id) -> bool {
            let id = id.into_u64();
            let mut open = self.open.lock();
            let handles = open.get_mut(&id).unwrap();
            *handles -= 1;
            let closes = *handles == 0;
            if closes {
                open.remove(&id);
            }
            drop(open);
            self.visitor.runs("close");
            closes
        }
    }

    /// What a subscriber has seen of everything that can happen, and whether it has panicked.
    fn watched(visitor: Visitor) -> (Watchful, bool) {
        let watchful = Watchful { visitor: Arc::new(visitor), open: Arc::default() };
        let subscriber = watchful.clone();
        let panicked = tracing::subscriber::with_default(subscriber, || {
            let traces = Arc::new(Traces::new("billing").warn_after(Duration::ZERO));
            let space = LockSpace::builder().traces(traces.clone()).build();
            // Nobody is asked about a span that is met for the first time while somebody is told of another.
            IS_BACK.set(true);
            everything(&space);
            IS_BACK.set(false);
            let looks = traces.clone();
            watchful.visitor.visits(&space, move || {
                looks.look();
            });
            let panicked = everything_until_it_panics(&space);
            watchful.visitor.leaves();
            assert!(space.audit().is_quiescent(), "{:?}", space.audit());
            assert_eq!(traces.remembered(), 0, "calls that nothing is left of");
            panicked
        });
        assert!(watchful.open.lock().is_empty(), "every span was closed");
        (watchful, panicked)
    }

    #[test]
    fn a_subscriber_may_come_back_whatever_it_is_told() {
        let (watchful, panicked) = in_time(|| watched(Visitor::default()));
        assert!(!panicked);
        watchful.visitor.assert_has_done(&["close", "event", "follow", "new", "record"]);
    }

    #[test]
    fn a_subscriber_that_panics_leaves_no_span_open() {
        let times = in_time(|| (0..).take_while(|at| watched(Visitor::panicking(*at)).1).count());
        assert!(times > 20, "only {times} times");
    }
}

#[cfg(feature = "metrics")]
mod metrics {
    use ::metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
        SharedString, Unit,
    };

    use super::*;
    use crate::observe::Metrics;
    use crate::tests::in_time;

    /// An exporter that makes everything of its visitor.
    struct Exporter(Arc<Visitor>);

    struct Series(Arc<Visitor>);

    impl ::metrics::Recorder for Exporter {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            self.0.runs("register");
            Counter::from_arc(Arc::new(Series(Arc::clone(&self.0))))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            self.0.runs("register");
            Gauge::from_arc(Arc::new(Series(Arc::clone(&self.0))))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            self.0.runs("register");
            Histogram::from_arc(Arc::new(Series(Arc::clone(&self.0))))
        }
    }

    impl CounterFn for Series {
        fn increment(&self, _: u64) {
            self.0.runs("count");
        }

        fn absolute(&self, _: u64) {}
    }

    impl GaugeFn for Series {
        fn increment(&self, _: f64) {}

        fn decrement(&self, _: f64) {}

        fn set(&self, _: f64) {
            self.0.runs("set");
        }
    }

    impl HistogramFn for Series {
        fn record(&self, _: f64) {
            self.0.runs("measure");
        }
    }

    /// What an exporter has seen of everything that can happen, and whether it has panicked.
    fn exported(visitor: Visitor) -> (Arc<Visitor>, bool) {
        let visitor = Arc::new(visitor);
        let panicked = ::metrics::with_local_recorder(&Exporter(Arc::clone(&visitor)), || {
            // Each name is a class of its own.
            let Ok(metrics) = catch_unwind(|| Metrics::new("billing").classify(str::to_owned))
            else {
                return true;
            };
            let metrics = Arc::new(metrics);
            let space = LockSpace::builder().recorder(metrics.clone()).build();
            let looks = metrics.clone();
            visitor.visits(&space, move || {
                looks.remembered();
            });
            let publishes = AssertUnwindSafe(|| metrics.publish(&space));
            let panicked = everything_until_it_panics(&space) || catch_unwind(publishes).is_err();
            visitor.leaves();
            assert!(space.audit().is_quiescent(), "{:?}", space.audit());
            assert_eq!(metrics.remembered(), (0, 0), "calls and queues that nothing is left of");
            panicked
        });
        (visitor, panicked)
    }

    #[test]
    fn an_exporter_may_come_back_whatever_it_is_told() {
        let (visitor, panicked) = in_time(|| exported(Visitor::default()));
        assert!(!panicked);
        visitor.assert_has_done(&["count", "measure", "register", "set"]);
    }

    #[test]
    fn an_exporter_that_panics_leaves_nothing_behind() {
        let times = in_time(|| (0..).take_while(|at| exported(Visitor::panicking(*at)).1).count());
        assert!(times > 40, "only {times} times");
    }
}
