//! The referee: hears what members do and were told, and notes it as a history; and is what they protect, a
//! resource that refuses tokens smaller than one that it has seen.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use lockspace_history::{Budget, History, Verdict, judge};

/// The answer of whoever has lost a name: to the specification all of them had a lease.
const LOST: &str = r#""lost","why":"lease_elapsed""#;

/// Listens as long as the test's process lives.
#[derive(Clone)]
pub(crate) struct Referee {
    address: SocketAddr,
    notes: Arc<Mutex<Notes>>,
}

/// What happened.
#[derive(Default)]
pub(crate) struct Notes {
    history: String,
    calls: u64,
    greatest: HashMap<String, u64>,
    /// By member.
    stages: HashMap<u64, Stage>,
    stopped: bool,
    /// Acquires, releases and writes that were answered.
    pub(crate) operations: u64,
    pub(crate) granted: u64,
    pub(crate) refused: u64,
    pub(crate) released: u64,
    pub(crate) lost: u64,
    /// Grants whose holder was killed.
    pub(crate) orphaned: u64,
    pub(crate) written: u64,
    pub(crate) stale: u64,
    /// Members who were refused and believed to hold.
    pub(crate) unaware: u64,
    pub(crate) done: usize,
}

/// How far a member is, and with which call.
#[derive(Clone, Copy)]
enum Stage {
    Asks(u64),
    Holds(u64),
    Releases(u64),
}

impl Referee {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it listens");
        let header = "{\"format\":\"lockspace-history\",\"version\":1}\n".to_owned();
        let notes = Notes { history: header, ..Notes::default() };
        let referee = Self { address, notes: Arc::new(Mutex::new(notes)) };
        let hears = referee.clone();
        let begun = Instant::now();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hears = hears.clone();
                thread::spawn(move || hears.hear(stream, begun));
            }
        });
        referee
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was noted, for one look.
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody is to ask for another name.
    pub(crate) fn stop(&self) {
        self.notes().stopped = true;
    }

    /// Until the member has gone, in whatever way. What it does not live to hear has happened all the same.
    fn hear(&self, stream: TcpStream, begun: Instant) {
        stream.set_nodelay(true).expect("it is a connection");
        let mut answers = stream.try_clone().expect("a connection has another handle");
        let mut member = 0;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let words: Vec<_> = line.split(' ').collect();
            if let ["member", number] = words[..] {
                member = number.parse().expect("members have numbers");
            }
            let answer = self.notes().note(member, &words, begun);
            if answers.write_all(format!("{answer}\n").as_bytes()).is_err() {
                break;
            }
        }
        self.notes().gone(member, begun);
    }

    /// Somebody who holds a name now, if anybody does.
    pub(crate) fn a_holder(&self) -> Option<u64> {
        let notes = self.notes();
        let mut stages = notes.stages.iter();
        stages.find(|(_, stage)| matches!(stage, Stage::Holds(_))).map(|(member, _)| *member)
    }

    /// What the specification says of what was noted so far.
    pub(crate) fn judge(&self) -> Verdict {
        let history = History::read(self.notes().history.as_bytes()).expect("it is a history");
        judge(&history, Budget::default())
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, granted, refused, released, lost, .. } = self;
        let Self { orphaned, written, stale, .. } = self;
        write!(
            f,
            "{operations} operations: {granted} granted ({released} released, {lost} lost, "
        )?;
        write!(f, "{orphaned} killed with), {refused} refused, {written} written, {stale} stale")
    }
}

impl Notes {
    /// The history, for whoever wants to look at it.
    pub(crate) fn history(&self) -> &str {
        &self.history
    }

    /// How many grants have no end. When everybody has gone there is none.
    pub(crate) fn unended(&self) -> u64 {
        self.granted - self.released - self.lost - self.orphaned
    }

    /// Notes what a member says, and answers it.
    fn note(&mut self, member: u64, words: &[&str], begun: Instant) -> String {
        let call = words.get(1).and_then(|call| call.parse().ok()).unwrap_or_default();
        let answers = ["granted", "refused", "released", "lost", "write"];
        self.operations += u64::from(answers.contains(&words[0]));
        match *words {
            ["acquire", _] if self.stopped => return "stop".to_owned(),
            ["acquire", name] => {
                // A session's end may take any name, so to the specification all have a lease.
                let of = format!(r#""name":"{name}","wait":"bounded","lease":"bounded""#);
                let call = self.begin(begun, member, "acquire", &of);
                self.stages.insert(member, Stage::Asks(call));
                return call.to_string();
            }
            ["granted", _, token] => {
                self.granted += 1;
                self.end(begun, member, call, &format!(r#""granted","token":{token}"#));
                self.stages.insert(member, Stage::Holds(call));
            }
            // Not `timed_out`: a release answers before the store has heard of it, so somebody elsewhere
            // can wait in vain although nobody seems to hold the name.
            ["refused", _] => {
                self.refused += 1;
                self.end(begun, member, call, r#""ruled_out""#);
            }
            ["release", request] => {
                let call = self.begin(begun, member, "release", &format!(r#""request":{request}"#));
                self.stages.insert(member, Stage::Releases(call));
                return call.to_string();
            }
            ["released", _] => {
                self.released += 1;
                self.end(begun, member, call, r#""released""#);
            }
            ["lost", _] => {
                self.lost += 1;
                self.end(begun, member, call, LOST);
            }
            ["write", _, name, token] => return self.write(name, token).to_owned(),
            ["refused-and-not-told"] => self.unaware += 1,
            ["done"] => self.done += 1,
            ["member", _] | ["refused-and-told"] => {}
            _ => panic!("a member said {words:?}"),
        }
        "ok".to_owned()
    }

    /// Notes the end of a member that may have been killed. What it did not live to hear, nobody has seen:
    /// it may as well have given up, and lost what it held.
    fn gone(&mut self, member: u64, begun: Instant) {
        match self.stages.remove(&member) {
            None => {}
            Some(Stage::Asks(request)) => {
                let call = self.begin(begun, member, "cancel", &format!(r#""request":{request}"#));
                self.end(begun, member, call, r#""cancelled""#);
            }
            Some(Stage::Holds(request)) => {
                self.orphaned += 1;
                let call = self.begin(begun, member, "release", &format!(r#""request":{request}"#));
                self.end(begun, member, call, LOST);
            }
            Some(Stage::Releases(call)) => {
                self.orphaned += 1;
                self.end(begun, member, call, LOST);
            }
        }
    }

    /// Notes that a call begins.
    fn begin(&mut self, begun: Instant, member: u64, what: &str, of: &str) -> u64 {
        self.calls += 1;
        let call = self.calls;
        self.line(begun, member, &format!(r#""event":"{what}","call":{call},{of}"#));
        call
    }

    /// Notes what a call was answered.
    fn end(&mut self, begun: Instant, member: u64, call: u64, answer: &str) {
        self.stages.remove(&member);
        self.line(begun, member, &format!(r#""event":"return","call":{call},"answer":{answer}"#));
    }

    /// The notes are locked meanwhile, so the order of the lines is that of the times.
    fn line(&mut self, begun: Instant, member: u64, rest: &str) {
        let at = begun.elapsed().as_nanos();
        self.history += &format!("{{\"at\":{at},\"process\":{member},{rest}}}\n");
    }

    /// As whatever is protected should: a token is refused once a greater one was seen.
    fn write(&mut self, name: &str, token: &str) -> &'static str {
        let token = token.parse().expect("tokens are numbers");
        let greatest = self.greatest.entry(name.to_owned()).or_default();
        if token < *greatest {
            self.stale += 1;
            return "stale";
        }
        *greatest = token;
        self.written += 1;
        "ok"
    }
}

#[test]
fn a_referee_finds_two_who_hold_at_once() {
    let referee = Referee::start();
    let begun = Instant::now();
    let say = |member, line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        referee.notes().note(member, &words, begun)
    };
    for member in [1, 2] {
        assert_eq!(say(member, "acquire a"), member.to_string());
        say(member, &format!("granted {member} {member}"));
    }
    let accepted = |verdict| matches!(verdict, Verdict::Accepted(_));
    assert!(accepted(referee.judge()), "the first one may have lost it");
    assert_eq!(say(2, "write 2 a 2"), "ok");
    assert_eq!(say(1, "write 1 a 1"), "stale");
    assert_eq!(say(1, "release 1"), "3");
    say(1, "released 3");
    assert!(!accepted(referee.judge()), "he was told that he held it until then");
    assert_eq!(referee.notes().operations, 5);
}
