//! A fleet: its members, what is done to them, and what must be so in the end.
//!
//! Members and servers are real processes in real time. So a fleet sleeps: between what it does to them, for
//! as long as its seed says, and between two looks at what it waits for, for which there is a limit.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lockspace_history::Verdict;
use lockspace_servers::{Proxy, Server};
use rustix::process::{Pid, Signal, kill_process};

use crate::broken::Flaw;
use crate::member;
use crate::referee::Referee;
use crate::storage::{self, TTL};

/// How many members run at a time.
const MEMBERS: usize = 5;
/// Within which everything must have ended when it may.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many operations a fleet is to make, unless `LOCKSPACE_FLEET_OPERATIONS` says otherwise.
const OPERATIONS: u64 = 1_500;

/// A fleet over a store.
pub(crate) struct Fleet {
    /// What this process is to be run as again.
    test: &'static str,
    url: String,
    server: Option<(Server, Proxy)>,
    /// What is wrong with the store, in the controls.
    flaw: Option<Flaw>,
    referee: Referee,
    seed: u64,
    random: Rng,
    members: Vec<(u64, Child)>,
    started: u64,
    done: Deeds,
}

/// What was done to it.
#[derive(Debug, Default)]
struct Deeds {
    kills: u32,
    pauses: u32,
    restarts: u32,
    silences: u32,
    cuts: u32,
}

impl Fleet {
    /// Over a store without a server.
    pub(crate) fn new(test: &'static str, url: String) -> Self {
        let chosen =
            env::var("LOCKSPACE_FLEET_SEED").ok().map(|seed| seed.parse().expect("a seed"));
        let seed = chosen.unwrap_or_else(|| fastrand::u64(..));
        eprintln!("LOCKSPACE_FLEET_SEED={seed}");
        Self {
            test,
            url,
            server: None,
            flaw: None,
            referee: Referee::start(),
            seed,
            random: Rng::with_seed(seed),
            members: Vec::new(),
            started: 0,
            done: Deeds::default(),
        }
    }

    /// Over a server, which is reached by a line that can be cut.
    pub(crate) fn over(test: &'static str, server: Server) -> Self {
        let proxy = Proxy::before(&server);
        let url = server.url_by(proxy.address());
        let mut fleet = Self::new(test, url);
        fleet.server = Some((server, proxy));
        fleet
    }

    /// Over a store with this flaw.
    pub(crate) fn with_flaw(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Runs it until it has done enough, and sees what is left.
    pub(crate) fn run(mut self) {
        let enough = env::var("LOCKSPACE_FLEET_OPERATIONS");
        let enough = enough.map_or(OPERATIONS, |count| count.parse().expect("a number"));
        let begun = Instant::now();
        for _ in 0..MEMBERS {
            self.start_member();
        }
        // What does not get on at ten operations a second never will.
        let limit =
            20 * PATIENCE + Duration::from_millis(100) * u32::try_from(enough).unwrap_or(u32::MAX);
        while !self.has_seen(enough) {
            assert!(begun.elapsed() < limit, "it does not get on: {:?}", self.done);
            sleep(Duration::from_millis(self.random.u64(50..400)));
            self.disturb();
        }
        self.end();
        self.nothing_is_left();
        self.nobody_was_wrong(enough, begun);
    }

    /// Runs it undisturbed until it is found out; answers by which property.
    pub(crate) fn until_found_out(mut self) -> Option<&'static str> {
        for _ in 0..MEMBERS {
            self.start_member();
        }
        let end = Instant::now() + PATIENCE;
        loop {
            sleep(Duration::from_millis(200));
            match self.referee.judge() {
                Verdict::Accepted(summary) => {
                    assert!(Instant::now() < end, "nothing was found in {} calls", summary.calls);
                }
                Verdict::Rejected(why) => {
                    eprintln!("{}: {why}", self.test);
                    return why.property;
                }
                Verdict::Undecided(_) => panic!("a fleet of {MEMBERS} is soon judged"),
            }
        }
    }

    /// Whether so many were granted, and everything was met that is to be.
    fn has_seen(&self, enough: u64) -> bool {
        let notes = self.referee.notes();
        let met = notes.lost > 2 && notes.stale > 0 && self.done.kills > 2;
        let server = self.server.is_none() || self.done.restarts > 2 && self.done.silences > 2;
        notes.operations >= enough && met && server
    }

    fn start_member(&mut self) {
        self.started += 1;
        let mut member = Command::new(env::current_exe().expect("this test is a file"));
        member.args(["--exact", self.test, "--nocapture"]).stdout(Stdio::null());
        member.env(member::REFEREE, self.referee.address().to_string());
        member.env(member::STORE, &self.url).env(member::NUMBER, self.started.to_string());
        // Each member of each fleet has habits of its own, and the same ones when the fleet is repeated.
        let seed = self.seed ^ self.started.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        member.env(member::SEED, seed.to_string());
        if let Some(flaw) = self.flaw {
            member.env(member::FLAW, flaw.to_string());
        }
        let member = member.spawn().expect("this test can be run again");
        self.members.push((self.started, member));
    }

    /// Does something to a member or to the server.
    fn disturb(&mut self) {
        let which = self.random.usize(..self.members.len());
        match (self.random.u32(..8), &self.server) {
            (2, Some((server, _))) => {
                server.kill();
                sleep(Duration::from_millis(self.random.u64(..TTL.as_millis() as u64 * 2)));
                server.restart();
                self.done.restarts += 1;
            }
            (3, Some((server, _))) => {
                server.pause();
                sleep(Duration::from_millis(self.random.u64(..TTL.as_millis() as u64 * 2)));
                server.resume();
                self.done.silences += 1;
            }
            (4, Some((_, proxy))) => {
                proxy.cut();
                self.done.cuts += 1;
            }
            (0 | 5, _) => {
                let (_, mut member) = self.members.swap_remove(which);
                member.kill().expect("it is our child");
                member.wait().expect("it is our child");
                self.start_member();
                self.done.kills += 1;
            }
            (1, _) => {
                // For a shorter time than its session is believed in, or a little longer.
                let millis = self.random.u64(..TTL.as_millis() as u64 * 3 / 2);
                self.pause(which, millis);
            }
            _ => {
                // Whoever holds a name, for so long that it is another's when he goes on.
                let holder = self.referee.a_holder();
                let place = self.members.iter().position(|member| Some(member.0) == holder);
                self.pause(place.unwrap_or(which), TTL.as_millis() as u64 * 5 / 2);
            }
        }
    }

    fn pause(&mut self, which: usize, millis: u64) {
        signal(&self.members[which].1, Signal::STOP);
        sleep(Duration::from_millis(millis));
        signal(&self.members[which].1, Signal::CONT);
        self.done.pauses += 1;
    }

    /// Lets all members come to an end.
    fn end(&mut self) {
        self.referee.stop();
        let end = Instant::now() + PATIENCE;
        while !self.members.is_empty() {
            assert!(Instant::now() < end, "{} members do not end", self.members.len());
            self.members.retain_mut(|(_, member)| {
                match member.try_wait().expect("it is our child") {
                    Some(status) => {
                        assert!(status.success(), "a member failed: {status}");
                        false
                    }
                    None => true,
                }
            });
            sleep(Duration::from_millis(10));
        }
        assert_eq!(
            self.referee.notes().done,
            MEMBERS,
            "those that were not killed have ended well"
        );
    }

    /// Whoever comes now is granted every name, and when he has gone no row is there.
    #[tokio::main(flavor = "current_thread")]
    async fn nothing_is_left(&self) {
        let patience = tokio::time::sleep(PATIENCE);
        let look = async {
            let space = storage::open(&self.url, "the last", None).await.expect("the server runs");
            for name in 0..4 {
                drop(space.acquire(&format!("name/{name}")).await.expect("nobody holds it"));
            }
            // The sessions of those that were killed are noticed by whoever sweeps.
            while storage::rows(&self.url).await.expect("the server runs").len() > 1 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let report = space.shutdown(Duration::from_secs(1)).await;
            assert_eq!(report.unreturned, 0);
            storage::rows(&self.url).await.expect("the server runs")
        };
        let left = tokio::select! { left = look => left, () = patience => panic!("rows are left") };
        assert!(left.is_empty(), "{left:?}");
    }

    fn nobody_was_wrong(&self, enough: u64, begun: Instant) {
        let verdict = self.referee.judge();
        let notes = self.referee.notes();
        eprintln!("{}: {notes}; {:?}; {:?}", self.test, self.done, begun.elapsed());
        assert!(notes.operations >= enough, "{} operations", notes.operations);
        assert_eq!(notes.unended(), 0, "each grant has ended once, or its holder was killed");
        assert_eq!(notes.unaware, 0, "whoever is refused has lost the name, and knows");
        if !matches!(verdict, Verdict::Accepted(_)) {
            let path = env::temp_dir().join(format!("{}.ndjson", self.test));
            std::fs::write(&path, notes.history()).expect("there is room");
            panic!("{} is not accepted: {verdict:?}", path.display());
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (_, member) in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

fn signal(member: &Child, signal: Signal) {
    let pid = i32::try_from(member.id()).ok().and_then(Pid::from_raw);
    // One that has just failed is noticed in the end.
    let _ = kill_process(pid.expect("it is a process"), signal);
}
