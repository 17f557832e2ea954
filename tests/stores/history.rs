//! What the users of several lockspaces over one store were told, judged by the specification as one
//! history of one lockspace.
//!
//! Which calls fail and what users do is chosen by a seed (the sessions' own jitter is not). Nobody is
//! told its place in the queue: the order between processes is that of their sessions, which a history
//! does not know. And a holder is told that its release is done before the store has heard of it. So
//! nobody asks without waiting, and that a wait ended while nobody seemed to hold the name is nothing
//! against it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use lockspace::store::{Memory, Options};
use lockspace::{LockSpace, Recorder};
use lockspace_history::{Budget, Collector, Header, History, Verdict, judge};
use lockspace_spec::Refusal;
use lockspace_spec::history::{Call, CallId, Event, NotDone, Return, What};

use crate::faulty::{Fate, Faulty};
use crate::{names, pass};

const SEEDS: u64 = 100;

/// One lockspace's events, told apart from those of the others.
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
            // Whoever held the name may have been done with it by then, as far as he knows.
            What::Return(id, Return::NotDone(NotDone::Refused(Refusal::TimedOut))) => {
                What::Return(self.id(id), Return::NotDone(NotDone::RuledOut))
            }
            What::Return(id, how) => What::Return(self.id(id), how),
            What::Lost(id, why) => What::Lost(self.id(id), why),
            What::Queued(..) => return,
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
            request = request.wait_timeout(Duration::from_millis(rng.u64(1..4_000)));
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

/// What the users of three lockspaces were told, each of which is over one of these stores.
async fn recorded(seed: u64, over: [usize; 3]) -> History {
    let stores = [Memory::new(), Memory::new()];
    let collector = Arc::new(Collector::new(Header::default()));
    let events = Arc::new(AtomicU64::new(0));
    let mut rng = Rng::with_seed(seed);
    let (mut users, mut spaces) = (Vec::new(), Vec::new());
    for (number, over) in (0..).zip(over) {
        let store = Faulty::over(stores[over].clone()).with_hints();
        for call in 1..400 {
            if rng.u8(0..12) == 0 {
                let fates = [
                    Fate::AnswerLost,
                    Fate::RequestLost,
                    Fate::Refused,
                    Fate::Slow(rng.u64(0..900)),
                ];
                store.at(call, fates[rng.usize(0..fates.len())]);
            }
        }
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
