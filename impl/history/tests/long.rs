//! A history of a million events, judged by the witness and by the search.

use std::sync::Arc;
use std::time::Instant;

use lockspace_history::{
    Budget, Call, CallId, Done, Event, Header, History, Return, Ticket, Verdict, What, judge,
    judge_by_witness,
};
use lockspace_spec::{FencingToken, Lease, Wait};

const NAMES: u64 = 50;
const EVENTS: usize = 1_000_000;

/// Names that are handed over from one to the next for ever: each hold begins while the one before lasts.
fn long() -> Vec<Event> {
    let names: Vec<Arc<str>> = (0..NAMES).map(|name| format!("lock/{name}").into()).collect();
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    let mut tell = |what| {
        let at = events.len() as u64 * 100;
        events.push(Event { at, process: 1, what });
        events.len() < EVENTS
    };
    for turn in 0.. {
        // Of each name: the acquire of this turn, and the release of the turn before.
        let acquire = CallId(2 * turn + 1);
        let name = Arc::clone(&names[(turn % NAMES) as usize]);
        let call = Call::Acquire { name, wait: Wait::Unbounded, lease: Lease::Unbounded };
        let mut go_on = tell(What::Invoke(acquire, call));
        if turn >= NAMES {
            let release = CallId(2 * turn + 2);
            let request = CallId(2 * (turn - NAMES) + 1);
            let released = Return::Done(Done::Released(None));
            go_on &= tell(What::Queued(acquire, Ticket(turn)));
            go_on &= tell(What::Invoke(release, Call::Release { request }));
            go_on &= tell(What::Return(release, released));
        }
        let granted = Return::Done(Done::Granted(Some(FencingToken(turn + 1))));
        go_on &= tell(What::Return(acquire, granted));
        if !go_on {
            break;
        }
    }
    events
}

#[test]
fn a_million_events_are_judged() {
    let events = long();
    let header = Header { tickets: true, ..Header::default() };
    let history = History::new(header, events.clone()).expect("it is a history");
    let begun = Instant::now();
    let verdict = judge_by_witness(&history);
    println!("the witness judged {} events in {:?}", events.len(), begun.elapsed());
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    let begun = Instant::now();
    let verdict = judge(&history, Budget::default());
    println!("the search judged {} events in {:?}", events.len(), begun.elapsed());
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");

    let text = history.to_string();
    let begun = Instant::now();
    assert_eq!(
        History::read(text.as_bytes()).expect("it is a history").events().len(),
        events.len()
    );
    println!("{} bytes were read in {:?}", text.len(), begun.elapsed());
}

#[test]
fn a_wrong_token_among_a_million_events_is_found() {
    let mut events = long();
    let middle = events.len() / 2;
    let (at, token) = (middle..)
        .find_map(|at| match events[at].what {
            What::Return(_, Return::Done(Done::Granted(Some(token)))) => Some((at, token)),
            _ => None,
        })
        .expect("somebody is granted");
    if let What::Return(id, _) = events[at].what {
        // A token that was never given, and older than the one before it.
        let older = Return::Done(Done::Granted(Some(FencingToken(0))));
        events[at].what = What::Return(id, older);
    }
    let header = Header { tickets: true, ..Header::default() };
    let history = History::new(header, events).expect("it is a history");
    let begun = Instant::now();
    let Verdict::Rejected(why) = judge_by_witness(&history) else {
        panic!("token {token} was exchanged");
    };
    println!("rejected in {:?}: {why}", begun.elapsed());
    assert_eq!((why.property, why.legal_prefix), (Some("S2"), at));
}
