//! The lockspace under test, what its names protect, and the record of what its users were told.
//!
//! It checks in every execution what is true of all of them: the specification allows what was recorded
//! (S1 to S4, S8 to S10), and at the end nothing is left: no entry, waiter, timer, task or thread (S5 to
//! S7). Somebody who waits for ever is a deadlock, which shuttle reports.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use lockspace_history::{Event, Header, History, Recorder, Verdict, What};
use shuttle::future::{JoinHandle, spawn_local, yield_now};

use super::resource::Resource;
use super::stand_in;
use crate::{AcquireError, Builder, Guard, LockSpace, Refusal};

/// The unit of time here.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The names that tests use.
pub(super) const NAMES: [&str; 3] = ["door", "gate", "hatch"];

/// The only name that most tests use.
pub(super) const DOOR: &str = NAMES[0];

/// Says whether the specification allows a history.
pub(super) type Judge = fn(&History) -> Verdict;

/// A handle to a place; tasks have one each.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) space: LockSpace,
    /// What each of the names protects.
    pub(super) resources: [Resource; NAMES.len()],
    log: Arc<Log>,
}

/// The events of an execution. Their time is their number: only one task runs at a time.
#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

const HEADER: Header = Header { tickets: true, max_names: None, max_waiters_per_name: None };

impl Recorder for Log {
    fn record(&self, event: Event) {
        let mut events = self.0.lock().expect("nothing here panics");
        let at = events.len() as u64;
        events.push(Event { at, ..event });
    }
}

impl Place {
    pub(super) fn new() -> Self {
        // Once for all: the default settings are read from files of the system.
        static BUILDER: LazyLock<Builder> = LazyLock::new(|| LockSpace::builder().shards(1));
        stand_in::begin();
        let log = Arc::<Log>::default();
        let space = BUILDER.clone().recorder(log.clone()).build();
        Self { space, resources: Default::default(), log }
    }

    /// Starts a task.
    pub(super) fn spawn<T: 'static>(
        &self,
        task: impl AsyncFnOnce(&Self) -> T + 'static,
    ) -> Task<T> {
        let place = self.clone();
        Task(spawn_local(async move { task(&place).await }))
    }

    /// Starts a task that lets so much time pass, at whatever moment it comes to run.
    pub(super) fn spawn_time(&self, time: Duration) -> Task<()> {
        self.spawn(async move |_| stand_in::time::pass(time))
    }

    /// Starts a thread.
    pub(super) fn spawn_thread<T: Send + 'static>(
        &self,
        thread: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> shuttle::thread::JoinHandle<T> {
        let place = self.clone();
        shuttle::thread::spawn(move || thread(&place))
    }

    /// Uses what the door protects, for longer than a moment.
    pub(super) async fn work(&self, guard: &Guard<'_>) {
        let visit = self.resources[0].enter(guard.fencing_token());
        yield_now().await;
        assert!(visit.undisturbed(), "S1, S2: two were inside, or in the wrong order");
    }

    /// Ends an acquire of the door, however it was answered: a hold is used and released. Answers its
    /// token.
    pub(super) async fn finish(
        &self,
        answer: Result<Guard<'_>, AcquireError>,
    ) -> Result<u64, Refusal> {
        let guard = answer.map_err(|error| error.refusal().expect("the protocol was asked"))?;
        let token = guard.fencing_token().0;
        self.work(&guard).await;
        guard.release().expect("nobody takes it away");
        Ok(token)
    }

    /// Takes, uses and releases the door. Answers its token.
    pub(super) async fn visit(&self) -> u64 {
        self.finish(self.space.acquire(DOOR).await).await.expect("nobody refuses")
    }

    pub(super) async fn check_that_nothing_is_left(&self, judge: Judge) {
        stand_in::all_over().await;
        let audit = self.space.audit();
        assert!(audit.is_quiescent(), "left behind: {audit}");
        let history = self.log.history();
        let verdict = judge(&history);
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}\n{history}");
    }
}

impl Log {
    fn history(&self) -> History {
        let mut events = self.0.lock().expect("nothing here panics").clone();
        if let Some(last) = events.last() {
            let Event { at, process, .. } = *last;
            events.push(Event { at, process, what: What::Rest });
        }
        History::new(HEADER, events).expect("the events make a history")
    }
}

/// A task that was started.
pub(super) struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    /// Waits for its end.
    pub(super) async fn join(self) -> T {
        self.0.await.expect("nobody cancels it")
    }

    /// Drops it wherever it is, unless it has ended; `None` if so.
    pub(super) async fn cancel(self) -> Option<T> {
        self.0.abort();
        self.0.await.ok()
    }
}
