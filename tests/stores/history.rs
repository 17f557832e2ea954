//! What the users of lockspaces over a store were told, recorded by what is shipped and judged by the
//! specification: of one lockspace among others that nobody records, and of several as one history.
//!
//! Which calls fail and what users do is chosen by a seed (the sessions' own jitter is not).

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use lockspace::store::{Memory, Options};
use lockspace::{LockSpace, Loss, Recorder, SessionEnd};
use lockspace_history::{Budget, Collector, Header, History, NdjsonRecorder, Verdict, judge};
use lockspace_spec::history::{Call, CallId, Event, What};

use crate::faulty::{Fate, Faulty};
use crate::{NAME, TTL, names, open, pass, settle, within};

const SEEDS: u64 = 100;

/// One lockspace's events, with numbers that tell them apart from those of the others, and otherwise as
/// they are.
struct Desk {
    number: u64,
    /// What time it is for all: the number of the event.
    events: Arc<AtomicU64>,
    to: Arc<Collector>,
}

impl Desk {
    fn id(&self, id: CallId) -> CallId {
        CallId(self.number << 32 | id.0)
    }

    fn call(&self, call: Call) -> Call {
        match call {
            Call::Cancel { request } => Call::Cancel { request: self.id(request) },
            Call::Release { request } => Call::Release { request: self.id(request) },
            Call::Renew { request } => Call::Renew { request: self.id(request) },
            Call::Acquire { .. } | Call::ForceRelease { .. } | Call::Shutdown { .. } => call,
        }
    }
}

impl Recorder for Desk {
    fn record(&self, event: Event) {
        let what = match event.what {
            What::Invoke(id, call) => What::Invoke(self.id(id), self.call(call)),
            What::Return(id, how) => What::Return(self.id(id), how),
            What::Lost(id, why) => What::Lost(self.id(id), why),
            What::Queued(id, ticket) => What::Queued(self.id(id), ticket),
            What::Closed | What::Rest => event.what,
        };
        let at = self.events.fetch_add(1, Ordering::Relaxed);
        self.to.record(Event { at, process: self.number, what });
    }
}

async fn user(space: LockSpace, mut rng: Rng) {
    for _ in 0..5 {
        let name = format!("name/{}", rng.u32(0..2));
        let mut request = space.acquire(&name);
        if rng.bool() {
            request = request.wait_timeout(Duration::from_millis(rng.u64(0..8) * 500));
        }
        if rng.u8(0..4) == 0 {
            request = request.lease(Duration::from_millis(rng.u64(1..1_000)));
        }
        // Without places in the queue, each that waits and gives up doubles what is to be thought of.
        let impatient = rng.u8(0..4) == 0;
        let patience = Duration::from_millis(if impatient { rng.u64(1..3_000) } else { 60_000 });
        let Ok(Ok(guard)) = tokio::time::timeout(patience, request).await else { continue };
        pass(Duration::from_millis(rng.u64(0..800))).await;
        if rng.bool() {
            drop(guard);
        } else {
            let _ = guard.release();
        }
    }
}

/// One in twelve of the store's calls fails.
fn fail_at_times(store: &Faulty, rng: &mut Rng) {
    for call in 1..400 {
        if rng.u8(0..12) == 0 {
            let slow = Fate::Slow(rng.u64(0..900));
            let fates = [Fate::AnswerLost, Fate::RequestLost, Fate::Refused, slow];
            store.at(call, fates[rng.usize(0..fates.len())]);
        }
    }
}

/// What the users of three lockspaces were told, each of which is over one of these stores.
async fn recorded(seed: u64, over: [usize; 3]) -> History {
    let stores = [Memory::new(), Memory::new()];
    let collector = Arc::new(Collector::new(Header::default()));
    let events = Arc::new(AtomicU64::new(0));
    let mut rng = Rng::with_seed(seed);
    let (mut users, mut spaces) = (Vec::new(), Vec::new());
    for (number, over) in (0..).zip(over) {
        let store = Faulty::over(stores[over].clone()).with_hints();
        fail_at_times(&store, &mut rng);
        let to = Arc::clone(&collector);
        let desk = Arc::new(Desk { number, events: Arc::clone(&events), to });
        let space = LockSpace::builder().recorder(desk).open(store, Options::new()).await.unwrap();
        users.extend((0..2).map(|_| tokio::spawn(user(space.clone(), rng.fork()))));
        spaces.push(space);
    }
    for user in users {
        user.await.expect("no user panics");
    }
    pass(Duration::from_secs(60)).await;
    for store in &stores {
        assert_eq!(names(store).await, [""; 0], "seed {seed}");
    }
    for space in &spaces {
        assert!(space.audit().is_quiescent(), "seed {seed}: {}", space.audit());
    }
    collector.history_at_rest().expect("what was recorded is a history")
}

#[tokio::test(start_paused = true)]
async fn what_the_users_of_three_lockspaces_over_a_failing_store_were_told_is_accepted() {
    let mut grants = 0;
    for seed in 0..SEEDS {
        let history = recorded(seed, [0; 3]).await;
        match judge(&history, Budget::default()) {
            Verdict::Accepted(summary) => grants += summary.grants,
            verdict => panic!("seed {seed}: {verdict:?}\n{history}"),
        }
    }
    assert!(grants > 10 * SEEDS as usize, "only {grants} grants were judged");
}

#[tokio::test(start_paused = true)]
async fn lockspaces_that_do_not_share_their_store_are_found_out() {
    for seed in 0..5 {
        let verdict = judge(&recorded(seed, [0, 0, 1]).await, Budget::default());
        assert!(matches!(verdict, Verdict::Rejected(_)), "seed {seed}: {verdict:?}");
    }
}

/// Where a recorder writes.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both recorders that are shipped, over a lockspace.
#[derive(Default)]
struct Recorded {
    page: Page,
    collector: Option<Arc<Collector>>,
}

impl Recorded {
    async fn open(&mut self, store: Faulty) -> LockSpace {
        let writer = NdjsonRecorder::new(Header::default(), self.page.clone()).unwrap();
        let collector = Arc::new(Collector::new(Header::default()));
        self.collector = Some(Arc::clone(&collector));
        let builder = LockSpace::builder().recorder(Arc::new(writer)).recorder(collector);
        builder.open(store, Options::new()).await.unwrap()
    }

    /// How many grants were judged. Both must have been accepted.
    fn accepted(&self, of: &str) -> usize {
        let written = self.page.0.lock().unwrap().clone();
        let written = History::read(&*written).expect("it is a history");
        let collected = self.collector.as_ref().unwrap().history_at_rest();
        let both = [written, collected.expect("it is a history")];
        let [grants, _] = both.map(|history| match judge(&history, Budget::default()) {
            Verdict::Accepted(summary) => summary.grants,
            verdict => panic!("{of}: {verdict:?}\n{history}"),
        });
        grants
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_recorded_as_the_end_of_a_lease() {
    let store = Faulty::over(Memory::new());
    let mut recorded = Recorded::default();
    let space = recorded.open(store.clone()).await;
    let told = space.acquire(NAME).await.unwrap();
    let released = space.acquire("released").await.unwrap();
    let renewed = space.acquire("renewed").lease(10 * TTL).await.unwrap();
    store.usually(Fate::Swallowed);
    let lost = within(TTL, told.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Outage));
    assert!(released.release().is_err() && renewed.renew(TTL).is_err());
    store.usually(Fate::Done);
    drop(renewed);
    within(2 * TTL, space.acquire(NAME)).await.unwrap().release().unwrap();
    drop(told);
    assert_eq!(recorded.accepted("an outage"), 4);
}

#[tokio::test(start_paused = true)]
async fn refusals_because_of_others_whom_nobody_records_are_not_held_against_the_lockspace() {
    let store = Memory::new();
    let mut recorded = Recorded::default();
    let space = recorded.open(Faulty::over(store.clone())).await;
    let other = open(store).await;
    let theirs = other.acquire(NAME).await.unwrap();
    for wait in [Duration::ZERO, TTL] {
        assert!(space.acquire(NAME).wait_timeout(wait).await.is_err());
    }
    drop(theirs);
    settle().await;
    space.acquire(NAME).await.unwrap().release().unwrap();
    assert_eq!(recorded.accepted("refusals"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_somebody_elsewhere_has_forced_has_an_order_in_the_history() {
    let store = Memory::new();
    let mut recorded = Recorded::default();
    let space = recorded.open(Faulty::over(store.clone())).await;
    let operator = open(store).await;
    let guard = space.acquire(NAME).await.unwrap();
    operator.force_release_everywhere(NAME).await.unwrap();
    assert_eq!(within(2 * TTL, guard.lost()).await.reason, Loss::Forced);
    space.acquire(NAME).await.unwrap().release().unwrap();
    drop(guard);
    assert_eq!(recorded.accepted("a forced release"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_order_to_force_a_name_is_recorded_wherever_its_holder_is() {
    let store = Faulty::over(Memory::new());
    let mut recorded = Recorded::default();
    let space = recorded.open(store.clone()).await;
    let other = open(store.inner.clone()).await;
    let theirs = other.acquire("theirs").await.unwrap();
    let ours = space.acquire(NAME).await.unwrap();
    for name in [NAME, NAME, "theirs"] {
        space.force_release_everywhere(name).await.unwrap();
    }
    assert_eq!(ours.release().unwrap_err().reason, Loss::Forced);
    // One whose answer nobody waited for, and one that the store did not answer.
    let ours = space.acquire(NAME).await.unwrap();
    store.usually(Fate::Slow(100));
    let limit = Duration::from_millis(150);
    let order = tokio::time::timeout(limit, space.force_release_everywhere(NAME));
    assert!(order.await.is_err());
    store.usually(Fate::Refused);
    assert!(space.force_release_everywhere("theirs").await.is_err());
    store.usually(Fate::Done);
    assert_eq!(within(2 * TTL, ours.lost()).await.reason, Loss::Forced);
    drop((theirs, ours));
    assert_eq!(recorded.accepted("orders"), 2);
    let page = recorded.page.0.lock().unwrap().clone();
    let orders = String::from_utf8(page).unwrap().matches("force_release").count();
    assert_eq!(orders, 6, "five that were given here, and the one that was found carried out");
}

#[tokio::test]
async fn the_end_of_the_runtime_is_recorded_as_a_shutdown() {
    let dead = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut recorded = Recorded::default();
        let space = runtime.block_on(recorded.open(Faulty::over(Memory::new())));
        let guard = runtime.block_on(async { space.acquire(NAME).await.unwrap().into_owned() });
        drop(runtime);
        assert!(space.acquire(NAME).blocking().is_err());
        assert!(guard.release().is_err());
        assert_eq!(recorded.accepted("the end of a runtime"), 1);
    });
    dead.join().unwrap();
}

/// One lockspace is recorded; another one, whom nobody records, wants the same names, and an operator takes
/// them away. Now and then the store is out of reach for longer than a session lives.
async fn recorded_among_others(seed: u64) -> (Recorded, usize) {
    let store = Memory::new();
    let mut rng = Rng::with_seed(seed);
    let mut recorded = Recorded::default();
    let faulty = Faulty::over(store.clone()).with_hints();
    fail_at_times(&faulty, &mut rng);
    let space = recorded.open(faulty.clone()).await;
    let other = open(store.clone()).await;
    let of = [&space, &space, &space, &other];
    let mut users: Vec<_> = of.map(|of| tokio::spawn(user(of.clone(), rng.fork()))).into();
    // One who holds until the outage, and for long after it.
    users.push(tokio::spawn({
        let space = space.clone();
        async move {
            let guard = space.acquire("name/1").await.unwrap();
            let _ = tokio::time::timeout(3 * TTL, guard.lost()).await;
        }
    }));
    let operator = tokio::spawn({
        let (other, mut rng) = (other.clone(), rng.fork());
        async move {
            for _ in 0..3 {
                pass(Duration::from_millis(rng.u64(0..2_000))).await;
                other.force_release_everywhere("name/0").await.unwrap();
            }
        }
    });
    pass(Duration::from_millis(rng.u64(0..2_000))).await;
    faulty.usually(Fate::Swallowed);
    pass(2 * TTL).await;
    faulty.usually(Fate::Done);
    operator.await.unwrap();
    for user in users {
        user.await.expect("no user panics");
    }
    pass(4 * TTL).await;
    assert_eq!(names(&store).await, [""; 0], "seed {seed}");
    let stats = space.stats();
    (recorded, stats.lost_session as usize + stats.lost_forced as usize)
}

#[tokio::test(start_paused = true)]
async fn a_recorded_lockspace_over_a_failing_store_among_others_is_accepted_as_it_is() {
    let (mut grants, mut losses) = (0, 0);
    for seed in 0..SEEDS {
        let (recorded, lost) = recorded_among_others(seed).await;
        grants += recorded.accepted(&format!("seed {seed}"));
        losses += lost;
    }
    assert!(grants > 5 * SEEDS as usize, "only {grants} grants were judged");
    assert!(losses > SEEDS as usize / 2, "only {losses} holds were lost");
}
