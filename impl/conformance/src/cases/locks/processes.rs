//! Processes of their own, that share nothing but the store. What they were told is one history, judged by
//! the specification.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lockspace_history::{Budget, History, Verdict, judge};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::Looked;
use super::cut::SLACK;
use super::{LIMIT, NAME, TTL, nothing_is_left, until_queued};
use crate::place::Place;
use crate::process::{Answer, Ask, Process, Processes};

/// What happened, in the order in which it did: a call is noted before it is sent, and its answer after it
/// came.
struct Notes {
    begun: Instant,
    /// The lines of the history, and the number of the last call.
    lines: Mutex<(String, u64)>,
}

impl Notes {
    fn new() -> Arc<Self> {
        let header = "{\"format\":\"lockspace-history\",\"version\":1}\n".to_owned();
        Arc::new(Self { begun: Instant::now(), lines: Mutex::new((header, 0)) })
    }

    fn begin(&self, process: usize, event: &str, of: &str) -> u64 {
        self.line(process, |last| {
            *last += 1;
            format!(r#""event":"{event}","call":{last},{of}"#)
        })
    }

    fn end(&self, process: usize, call: u64, answer: &str) {
        self.line(process, |_| format!(r#""event":"return","call":{call},"answer":{answer}"#));
    }

    fn line(&self, process: usize, rest: impl FnOnce(&mut u64) -> String) -> u64 {
        let mut noted = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, last) = &mut *noted;
        let rest = rest(last);
        let at = self.begun.elapsed().as_nanos();
        *lines += &format!("{{\"at\":{at},\"process\":{process},{rest}}}\n");
        *last
    }

    fn judge(&self) {
        let noted = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let history = History::read(noted.0.as_bytes()).expect("it is a history");
        match judge(&history, Budget::default()) {
            Verdict::Accepted(_) => {}
            Verdict::Rejected(why) => panic!("the specification does not allow it: {why}"),
            Verdict::Undecided(why) => panic!("nobody knows whether that is allowed: {why:?}"),
        }
    }
}

/// A process with a user.
struct User {
    process: Process,
    number: usize,
    notes: Arc<Notes>,
}

/// A name that a user holds: by which request, and with which token.
#[derive(Clone, Copy)]
struct Held {
    request: u64,
    token: u64,
}

impl User {
    fn start(processes: &Processes, number: usize, notes: &Arc<Notes>) -> Arc<Self> {
        Arc::new(Self { process: processes.start(), number, notes: Arc::clone(notes) })
    }

    async fn acquire(&self, name: &str) -> Held {
        // Who is killed loses what it held: to the specification, its lease has ended.
        let of = format!(r#""name":"{name}","wait":"bounded","lease":"bounded""#);
        let request = self.notes.begin(self.number, "acquire", &of);
        match self.process.ask(&Ask::Acquire { name: name.into() }).await {
            Some(Answer::Granted(token)) => {
                self.notes.end(self.number, request, &format!(r#""granted","token":{token}"#));
                Held { request, token }
            }
            other => panic!("process {} asked for {name} and was told {other:?}", self.number),
        }
    }

    async fn release(&self, held: Held) {
        let of = format!(r#""request":{}"#, held.request);
        let call = self.notes.begin(self.number, "release", &of);
        match self.process.ask(&Ask::Release).await {
            Some(Answer::Released) => self.notes.end(self.number, call, r#""released""#),
            other => panic!("process {} released and was told {other:?}", self.number),
        }
    }

    /// With what it holds, which it has lost.
    fn kill(&self, held: Option<Held>) {
        self.process.kill();
        if let Some(held) = held {
            let of = format!(r#""request":{}"#, held.request);
            let call = self.notes.begin(self.number, "release", &of);
            self.notes.end(self.number, call, r#""lost","why":"lease_elapsed""#);
        }
    }

    async fn shut_down(&self) {
        let ended = timeout(LIMIT, self.process.ask(&Ask::ShutDown)).await;
        let ended = ended.unwrap_or_else(|_| panic!("a shutdown takes longer than {LIMIT:?}"));
        assert!(matches!(ended, Some(Answer::Done)), "process {} has died", self.number);
    }
}

pub(crate) async fn processes_exclude_each_other(place: Place) -> Looked {
    let processes = Processes::at(&place)?;
    let notes = Notes::new();
    let mut users = JoinSet::new();
    for number in 0..4 {
        let user = User::start(&processes, number, &notes);
        users.spawn(async move {
            for turn in 0..15 {
                let name = if (number + turn) % 3 == 0 { "invoice/43" } else { NAME };
                let held = user.acquire(name).await;
                user.release(held).await;
            }
            user.shut_down().await;
        });
    }
    while let Some(ended) = users.join_next().await {
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    notes.judge();
    nothing_is_left(&place, &[]).await;
    Ok(())
}

pub(crate) async fn a_process_hands_over_to_another(place: Place) -> Looked {
    let processes = Processes::at(&place)?;
    let (store, notes) = (place.open().await, Notes::new());
    let users = [User::start(&processes, 0, &notes), User::start(&processes, 1, &notes)];
    let mut held = users[0].acquire(NAME).await;
    for turn in 0..6 {
        let (holder, waiter) = (&users[turn % 2], Arc::clone(&users[(turn + 1) % 2]));
        let waiting = tokio::spawn(async move { waiter.acquire(NAME).await });
        until_queued(&store, 1).await;
        assert!(!waiting.is_finished(), "two hold it");
        let released = Instant::now();
        holder.release(held).await;
        let next = waiting.await.expect("it is granted");
        assert!(held.token < next.token, "{} was granted after {}", next.token, held.token);
        assert!(released.elapsed() < TTL, "it took {:?}", released.elapsed());
        held = next;
    }
    users[0].release(held).await;
    for user in &users {
        user.shut_down().await;
    }
    notes.judge();
    nothing_is_left(&place, &[]).await;
    Ok(())
}

/// A holder, and one who waits for him.
pub(crate) async fn a_process_that_is_killed_is_replaced(place: Place) -> Looked {
    let processes = Processes::at(&place)?;
    let (store, notes) = (place.open().await, Notes::new());
    let user = |number| User::start(&processes, number, &notes);
    let (holder, waiter, last) = (user(0), user(1), user(2));
    let first = holder.acquire(NAME).await;
    let waiting = Arc::clone(&waiter);
    let waits = tokio::spawn(async move { waiting.process.ask(&acquire()).await });
    until_queued(&store, 1).await;
    let next = Arc::clone(&last);
    let next = tokio::spawn(async move { next.acquire(NAME).await });
    until_queued(&store, 2).await;
    let killed = Instant::now();
    waiter.kill(None);
    holder.kill(Some(first));
    let second = next.await.expect("it is granted");
    assert!(first.token < second.token, "{} was granted after {}", second.token, first.token);
    // Each of the two is believed in for as long as a crashed one is.
    assert!(killed.elapsed() < TTL * SLACK * 2, "it took {:?}", killed.elapsed());
    assert!(waits.await.expect("it has died").is_none(), "a process was granted, and is dead");
    last.release(second).await;
    last.shut_down().await;
    notes.judge();
    nothing_is_left(&place, &[]).await;
    Ok(())
}

fn acquire() -> Ask {
    Ask::Acquire { name: NAME.into() }
}
