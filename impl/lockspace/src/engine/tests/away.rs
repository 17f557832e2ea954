//! What the engine does for the driver of a store, and what it tells it, looked at by one thread: no race, so
//! nothing for loom. Each test plays the driver's part.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use lockspace_spec::{FencingToken, Phase, Refusal};

use crate::engine::away::is_wish;
use crate::engine::{
    Acquired, Ask, Effects, Engine, Failure, Fault, HoldKey, Inbox, Notice, Patience, Released,
    Setup, ShutdownReport, WaitKey, Wish,
};
use crate::error::SessionEnd;
use crate::store::HeldElsewhere;
use crate::store::record::{RecordError, SessionId};
use crate::{LockName, Loss};

use super::plain::{Count, setup};

/// An engine over a store, and the driver's end of it.
struct Store {
    engine: Engine,
    inbox: Arc<Inbox>,
}

impl Store {
    fn new() -> Self {
        Self::with_waiters(None)
    }

    fn with_waiters(max_waiters_per_name: Option<u32>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let engine = Engine::new(&Setup {
            max_waiters_per_name,
            inbox: Some(Arc::clone(&inbox)),
            ..setup()
        });
        let store = Self { engine, inbox };
        store.trust_for(HOUR);
        store
    }

    /// The driver has a session, which trusts itself for so long.
    fn trust_for(&self, time: Duration) {
        let until = self.engine.clock().after(time.as_nanos() as u64);
        self.act(|engine, effects| engine.trust_until(until, effects));
    }

    fn act<R>(&self, act: impl FnOnce(&Engine, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = act(&self.engine, &mut effects);
        effects.carry_out();
        result
    }

    fn ask(&self, name: &str, patience: Patience<'_>) -> Acquired {
        let ask = Ask { name, patience, lease: None, label: None, owner: None };
        let asked = self.act(|engine, effects| engine.door(name).acquire(&ask, effects));
        asked.expect("nobody says who asks")
    }

    /// Asks for a name, and would wait for it.
    fn want(&self, name: &str) -> WaitKey {
        queued(self.ask(name, Patience::Queue { waker: Waker::noop(), wait: None }))
    }

    /// Asks for a name, and would not.
    fn want_at_once(&self, name: &str) -> WaitKey {
        queued(self.ask(name, Patience::No { waker: Waker::noop() }))
    }

    /// What the driver is told.
    fn notices(&self) -> Vec<Notice> {
        match self.inbox.poll(Waker::noop()) {
            Poll::Ready(notices) => notices,
            Poll::Pending => Vec::new(),
        }
    }

    /// The wish of which the driver is told, and of nothing else.
    fn wish(&self) -> Wish {
        match self.notices()[..] {
            [Notice::Want(_, wish) | Notice::PassOn(_, wish)] => wish,
            ref others => panic!("no wish: {others:?}"),
        }
    }

    fn grant(&self, of: &str, wish: Wish, token: u64) -> bool {
        self.act(|engine, effects| engine.granted(&name(of), wish, FencingToken(token), effects))
    }

    /// Has a name granted to somebody.
    fn hold(&self, name: &str, token: u64) -> HoldKey {
        let key = self.want(name);
        assert!(self.grant(name, self.wish(), token));
        self.granted(key)
    }

    fn answer(&self, key: WaitKey) -> Poll<Acquired> {
        self.act(|engine, effects| engine.poll_wait(key, Waker::noop(), effects))
    }

    fn granted(&self, key: WaitKey) -> HoldKey {
        match self.answer(key) {
            Poll::Ready(Acquired::Granted(hold)) => hold,
            other => panic!("not granted: {other:?}"),
        }
    }

    fn release(&self, hold: HoldKey) -> Option<Loss> {
        match self.act(|engine, effects| engine.release(hold, effects)) {
            Released::Released => None,
            Released::Lost(lost) => Some(lost.why),
        }
    }

    /// Whether it is known who elsewhere holds what there is this wish for.
    fn knows_of(&self, wish: u64) -> bool {
        self.engine.shards[0].lock().held_elsewhere(wish).is_some()
    }

    /// What stands for the token of the only entry.
    fn token(&self) -> u64 {
        self.engine.shards[0].lock().entries[0].token
    }

    fn show_holder(&self, of: &str, wish: Wish) {
        let by =
            HeldElsewhere { session: SessionId(9), label: None, token: FencingToken(4), ahead: 0 };
        self.engine.held_elsewhere(&name(of), wish, by);
    }

    fn shut_down(&self, grace: Duration) {
        self.act(|engine, effects| engine.shutdown(grace, effects));
    }

    fn report(&self) -> Option<ShutdownReport> {
        let mut id = None;
        match self.act(|engine, effects| engine.poll_closed(&mut id, Waker::noop(), effects)) {
            Poll::Ready(report) => Some(report),
            Poll::Pending => None,
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn name(name: &str) -> LockName {
    LockName::new(name).expect("it is a name")
}

fn queued(asked: Acquired) -> WaitKey {
    match asked {
        Acquired::Queued(key) => key,
        other => panic!("the store has not been asked: {other:?}"),
    }
}

#[test]
fn name_that_is_wanted_is_asked_for_once_however_many_want_it() {
    let store = Store::new();
    let _keys = [store.want("a"), store.want("a"), store.want("b")];
    let notices = store.notices();
    let [Notice::Want(a, of_a), Notice::Want(b, of_b)] = &notices[..] else {
        panic!("{notices:?}")
    };
    assert_eq!((a, b), (&name("a"), &name("b")));
    assert!(of_b > of_a, "each wish is a new one");
    assert_eq!(store.notices(), [], "they are told once");
    let audit = store.engine.audit();
    assert_eq!((audit.away, audit.held, audit.waiting), (2, 0, 3));
    assert!(audit.to_string().starts_with("0 held, 2 away, 3 waiting, "), "{audit}");
}

#[cfg(feature = "metrics")]
#[test]
fn names_that_are_away_are_not_counted_as_held() {
    let store = Store::new();
    let _hold = store.hold("a", 3);
    let _keys = [store.want("b"), store.want("c")];
    let census = store.engine.census();
    assert_eq!((census.held, census.waiters), (1, 2));
}

#[test]
fn wish_is_no_token_that_a_store_could_give() {
    let store = Store::new();
    let _key = store.want("a");
    assert!(store.token() > i64::MAX as u64);
    assert!(is_wish(store.token()));
    assert!(!is_wish(i64::MAX as u64));
}

#[test]
fn driver_that_has_read_everything_is_woken_by_the_next_notice() {
    let store = Store::new();
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert_eq!(store.inbox.poll(&waker), Poll::Pending);
    let _keys = [store.want("a"), store.want("b")];
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(matches!(store.inbox.poll(&waker), Poll::Ready(notices) if notices.len() == 2));
    assert_eq!(store.inbox.poll(&waker), Poll::Pending);
}

#[test]
fn grant_of_the_store_is_for_the_first_who_waits() {
    let store = Store::new();
    let keys = [store.want("a"), store.want("a")];
    assert!(store.grant("a", store.wish(), 7));
    let hold = store.granted(keys[0]);
    assert_eq!(hold.token, FencingToken(7));
    assert!(store.engine.is_held(hold));
    assert_eq!(store.answer(keys[1]), Poll::Pending);
    let audit = store.engine.audit();
    assert_eq!((audit.away, audit.held, audit.waiting), (0, 1, 1));
    assert!(audit.is_clean(), "{audit}");
}

#[test]
fn grant_for_a_wish_that_is_over_does_nothing() {
    let store = Store::new();
    let key = store.want("a");
    let over = store.wish();
    store.act(|engine, effects| engine.cancel(key, effects));
    assert_eq!(store.notices(), [Notice::GiveUp(name("a"))]);
    assert!(!store.grant("a", over, 7), "nobody wants it");

    let key = store.want("a");
    let wish = store.wish();
    assert!(!store.grant("a", over, 8));
    assert_eq!(store.answer(key), Poll::Pending);
    assert!(store.grant("a", wish, 9));
    assert!(!store.grant("a", wish, 10), "it is granted once");
    assert_eq!(store.granted(key).token, FencingToken(9));
}

#[test]
fn released_name_that_somebody_waits_for_is_passed_on_by_the_store() {
    let store = Store::new();
    let hold = store.hold("a", 3);
    let key = store.want("a");
    assert_eq!(store.notices(), [], "it is held here");
    assert_eq!(store.release(hold), None);
    let notices = store.notices();
    assert!(matches!(&notices[..], [Notice::PassOn(a, _)] if *a == name("a")), "{notices:?}");
    let [Notice::PassOn(_, wish)] = notices[..] else { unreachable!() };
    assert_eq!(store.answer(key), Poll::Pending);
    assert!(store.grant("a", wish, 5));
    assert_eq!(store.release(store.granted(key)), None);
    assert_eq!(store.notices(), [Notice::GiveUp(name("a"))]);
    assert!(store.engine.audit().is_quiescent());
}

#[test]
fn of_those_who_wait_for_a_name_that_is_away_one_is_about_to_hold_it() {
    let store = Store::with_waiters(Some(1));
    let _keys = [store.want("a"), store.want("a")];
    let patience = Patience::Queue { waker: Waker::noop(), wait: None };
    assert_eq!(store.ask("a", patience), Acquired::Refused(Refusal::AtCapacity));
    assert!(store.engine.audit().is_clean());
    let mut table = store.engine.shards[0].lock();
    table.entries[0].queued = 3;
    drop(table);
    assert!(store.engine.audit().faults.contains(&Fault::OverLimit(name("a"))));
}

#[test]
fn who_holds_a_name_elsewhere_is_known_for_as_long_as_it_is_wanted() {
    let known = |end: &dyn Fn(&Store, WaitKey, Wish)| {
        let store = Store::new();
        let key = store.want("a");
        let (wish, token) = (store.wish(), store.token());
        store.show_holder("a", wish);
        assert!(store.knows_of(token));
        end(&store, key, wish);
        store.knows_of(token)
    };
    assert!(known(&|_, _, _| {}));
    assert!(!known(&|store, _, wish| assert!(store.grant("a", wish, 7))));
    assert!(!known(&|store, key, _| store.act(|engine, effects| engine.cancel(key, effects))));
    assert!(!known(&|store, _, _| store.shut_down(HOUR)));
    assert!(!known(&|store, _, _| {
        store.act(|engine, effects| engine.session_ended(SessionEnd::Removed, effects));
    }));
}

#[test]
fn who_is_said_to_hold_a_name_that_nobody_wants_any_more_is_not_remembered() {
    let store = Store::new();
    let key = store.want("a");
    let (wish, token) = (store.wish(), store.token());
    store.act(|engine, effects| engine.cancel(key, effects));
    store.show_holder("a", wish);
    assert!(!store.knows_of(token));
}

#[test]
fn whoever_waited_in_vain_is_told_who_held_the_name_elsewhere() {
    let store = Store::new();
    let key = store.want("a");
    store.show_holder("a", store.wish());
    store.act(|engine, effects| engine.give_up(key, effects));
    let Poll::Ready(Acquired::TimedOut(told)) = store.answer(key) else { panic!("no answer") };
    let standing = told.standing;
    assert_eq!(standing.elsewhere.map(|by| by.token), Some(FencingToken(4)));
    assert_eq!((standing.holder, standing.ahead, standing.queued), (None, 0, 1));
    assert_eq!(store.notices(), [Notice::GiveUp(name("a"))]);
    assert!(store.engine.audit().is_quiescent());
}

#[test]
fn whoever_would_not_wait_is_refused_when_the_store_has_not_granted() {
    for (why, expected, busy) in [
        (Ok(Refusal::Busy), Acquired::Refused(Refusal::Busy), 1),
        (Err(Failure::Unreachable), Acquired::Failed(Failure::Unreachable), 0),
    ] {
        let store = Store::new();
        let key = store.want_at_once("a");
        let wish = store.wish();
        store.act(|engine, effects| engine.not_at_once(&name("b"), wish, why, effects));
        assert_eq!(store.answer(key), Poll::Pending, "another name was answered");
        store.act(|engine, effects| engine.not_at_once(&name("a"), wish, why, effects));
        assert_eq!(store.answer(key), Poll::Ready(expected));
        assert_eq!(store.engine.stats().refused_busy, busy);
        assert_eq!(store.notices(), [Notice::GiveUp(name("a"))]);
        assert!(store.engine.audit().is_quiescent());
    }
}

#[test]
fn whoever_waits_is_not_refused_since_another_would_not() {
    let store = Store::new();
    let keys = [store.want_at_once("a"), store.want("a")];
    let wish = store.wish();
    for expected in [1, 1] {
        let why = Ok(Refusal::Busy);
        store.act(|engine, effects| engine.not_at_once(&name("a"), wish, why, effects));
        assert_eq!(store.engine.stats().refused_busy, expected);
    }
    assert!(store.answer(keys[0]).is_ready());
    assert_eq!(store.answer(keys[1]), Poll::Pending);
    assert_eq!(store.notices(), [], "it is still wanted");
    assert!(store.grant("a", wish, 7));
    store.granted(keys[1]);
}

#[test]
fn nobody_who_would_not_wait_waits_for_a_store_that_cannot_be_reached() {
    let store = Store::new();
    let hold = store.hold("held", 3);
    let keys = [store.want_at_once("a"), store.want("b"), store.want_at_once("c")];
    store.act(Engine::nothing_at_once);
    for (key, fails) in keys.into_iter().zip([true, false, true]) {
        let failed = Poll::Ready(Acquired::Failed(Failure::Unreachable));
        assert_eq!(store.answer(key), if fails { failed } else { Poll::Pending });
    }
    assert!(store.engine.is_held(hold));
}

#[test]
fn all_who_wait_for_a_name_that_cannot_be_read_are_told_why() {
    let store = Store::new();
    let keys = [store.want("a"), store.want("a")];
    let wish = store.wish();
    let why = Failure::Unreadable(RecordError::Foreign);
    store.act(|engine, effects| engine.unreadable(&name("a"), wish, why, effects));
    for key in keys {
        assert_eq!(store.answer(key), Poll::Ready(Acquired::Failed(why)));
    }
    assert_eq!(store.notices(), [Notice::GiveUp(name("a"))]);
    assert!(store.engine.audit().is_quiescent());
}

#[test]
fn hold_that_was_taken_elsewhere_is_lost_and_its_successor_is_not() {
    let store = Store::new();
    let hold = store.hold("a", 3);
    for (token, held) in [(2, true), (4, true), (3, false)] {
        store.act(|engine, effects| engine.taken_away("a", FencingToken(token), effects));
        assert_eq!(store.engine.is_held(hold), held);
    }
    assert_eq!(store.engine.stats().lost_forced, 1);
    assert_eq!(store.release(hold), Some(Loss::Forced));
    assert!(store.engine.audit().is_clean());
}

#[test]
fn hold_whose_row_cannot_be_read_is_lost_and_a_wait_for_it_is_not() {
    let store = Store::new();
    let (hold, key) = (store.hold("a", 3), store.want("b"));
    for name in ["a", "b", "c"] {
        store.act(|engine, effects| engine.hold_unreadable(name, effects));
    }
    assert_eq!(store.engine.stats().lost_forced, 1);
    assert_eq!(store.release(hold), Some(Loss::Unreadable));
    assert_eq!(store.answer(key), Poll::Pending);
}

#[tokio::test(start_paused = true)]
async fn hold_is_lost_at_the_moment_when_its_session_trusts_itself_no_longer() {
    let store = Store::new();
    let hold = store.hold("a", 3);
    store.trust_for(Duration::from_nanos(2));
    tokio::time::advance(Duration::from_nanos(1)).await;
    assert!(store.engine.is_held(hold));
    tokio::time::advance(Duration::from_nanos(1)).await;
    assert!(!store.engine.is_held(hold), "nobody has been told");
    assert_eq!(store.engine.stats().lost_session, 0);

    // Trust that comes later does not bring it back.
    store.trust_for(Duration::from_secs(1));
    assert!(!store.engine.is_held(hold));
    assert_eq!(store.engine.stats().lost_session, 1);
    assert_eq!(store.release(hold), Some(Loss::Session(SessionEnd::Outage)));
}

#[tokio::test(start_paused = true)]
async fn all_holds_end_with_their_session_and_whoever_waits_is_granted_by_the_next() {
    let store = Store::new();
    let (a, b, key) = (store.hold("a", 3), store.hold("b", 4), store.want("c"));
    let wish = store.wish();
    store.act(|engine, effects| engine.session_ended(SessionEnd::Removed, effects));
    assert_eq!(store.engine.stats().lost_session, 2);
    for hold in [a, b] {
        assert!(!store.engine.is_held(hold));
        assert_eq!(store.release(hold), Some(Loss::Session(SessionEnd::Removed)));
    }
    let audit = store.engine.audit();
    assert!(audit.is_clean(), "{audit}");
    store.trust_for(HOUR);
    assert!(store.grant("c", wish, 6), "the wish is still the same");
    assert!(store.engine.is_held(store.granted(key)));
}

#[tokio::test(start_paused = true)]
async fn grant_that_comes_after_the_trust_has_ended_is_lost_at_once() {
    let store = Store::new();
    let (key, behind) = (store.want("a"), store.want("a"));
    let wish = store.wish();
    store.trust_for(Duration::from_nanos(1));
    tokio::time::advance(Duration::from_nanos(1)).await;
    // Somebody hears of the end before the grant comes, as the grant itself does.
    store.act(|engine, effects| engine.force_release("b", effects));
    assert!(store.grant("a", wish, 3));
    let hold = store.granted(key);
    assert!(!store.engine.is_held(hold));
    assert_eq!(store.release(hold), Some(Loss::Session(SessionEnd::Outage)));
    let again = store.wish();
    assert_eq!(store.answer(behind), Poll::Pending, "whoever is next waits for the store");
    store.trust_for(HOUR);
    assert!(store.grant("a", again, 5));
    assert!(store.engine.is_held(store.granted(behind)));
}

#[test]
fn driver_closes_when_the_last_hold_has_ended_and_the_lockspace_when_the_driver_has() {
    let store = Store::new();
    let holds = [store.hold("a", 3), store.hold("b", 4)];
    let key = store.want("c");
    let wish = store.wish();
    store.shut_down(HOUR);
    assert_eq!(store.notices(), [Notice::GiveUp(name("c"))]);
    assert_eq!(store.answer(key), Poll::Ready(Acquired::Refused(Refusal::ShuttingDown)));
    assert!(!store.grant("c", wish, 5), "nothing is granted any more");
    for (hold, drained) in holds.into_iter().zip([false, true]) {
        assert_eq!(store.release(hold), None);
        let notices = store.notices();
        assert_eq!(notices.len(), 1 + usize::from(drained));
        assert_eq!(notices.contains(&Notice::Drained), drained);
    }
    assert_eq!((store.engine.phase(), store.report()), (Phase::Draining, None));
    store.act(|engine, effects| engine.driver_ended(1, true, effects));
    assert_eq!(store.engine.phase(), Phase::Closed);
    let report = store.report().expect("it is closed");
    assert_eq!((report.released, report.cancelled, report.revoked), (2, 1, 0));
    assert_eq!((report.unreturned, report.session_left), (1, true));
}

#[test]
fn driver_is_told_once_that_it_is_to_close() {
    let store = Store::new();
    store.shut_down(HOUR);
    assert_eq!(store.notices(), [Notice::Drained], "nothing was held");
    store.shut_down(HOUR);
    store.shut_down(Duration::ZERO);
    assert_eq!(store.notices(), []);
    assert_eq!(store.report(), None);
    store.act(|engine, effects| engine.driver_ended(0, false, effects));
    let report = store.report().expect("it is closed");
    assert_eq!((report.unreturned, report.session_left), (0, false));
    assert_eq!(store.notices(), []);
}

#[test]
fn driver_that_ends_before_a_shutdown_is_not_waited_for() {
    let store = Store::new();
    store.act(|engine, effects| engine.driver_ended(0, true, effects));
    assert_eq!(store.engine.phase(), Phase::Open);
    store.shut_down(HOUR);
    assert_eq!(store.engine.phase(), Phase::Closed);
    assert_eq!(store.notices(), []);
    assert!(store.report().is_some_and(|report| report.session_left));
}

#[test]
fn driver_that_ends_while_somebody_holds_leaves_the_lockspace_draining() {
    let store = Store::new();
    let hold = store.hold("a", 3);
    store.shut_down(HOUR);
    store.act(|engine, effects| engine.driver_ended(1, true, effects));
    assert_eq!(store.report(), None);
    assert_eq!(store.release(hold), None);
    assert!(store.report().is_some());
    assert_eq!(store.notices(), [Notice::GiveUp(name("a"))], "there is nobody to close");
}

#[test]
fn wanted_names_are_shown_in_order_and_apart_from_those_that_are_held() {
    let store = Store::new();
    let _hold = store.hold("held", 3);
    let _keys = [store.want("b"), store.want("a"), store.want("b")];
    let snapshot = store.engine.snapshot();
    let held: Vec<&str> = snapshot.names.iter().map(|held| held.name.as_str()).collect();
    assert_eq!(held, ["held"]);
    let wanted = snapshot.wanted.iter().map(|want| (want.name.as_str(), want.waiters.len()));
    assert_eq!(wanted.collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
}

#[test]
fn lease_of_a_name_that_is_away_begins_with_its_grant() {
    let store = Store::new();
    let patience = Patience::Queue { waker: Waker::noop(), wait: None };
    let lease = NonZeroU64::new(3_600_000_000_000);
    let ask = Ask { name: "a", patience, lease, label: None, owner: None };
    let asked = store.act(|engine, effects| engine.door("a").acquire(&ask, effects));
    let key = queued(asked.expect("nobody says who asks"));
    assert_eq!(store.engine.audit().timers, 0);
    assert!(store.grant("a", store.wish(), 7));
    assert_eq!(store.engine.audit().timers, 1);
    assert_eq!(store.release(store.granted(key)), None);
    assert_eq!(store.engine.audit().timers, 0);
}
