//! A member of a fleet: a process that takes names, writes to what they protect, and says at every step what
//! it is about to do and what it was told.
//!
//! It speaks a line and waits for the answer, so what the referee notes of a call begins before the call
//! does, and ends after it.

use std::env;
use std::time::Duration;

use lockspace::{Guard, LockSpace};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::storage;

/// Set in a member, to the referee's address.
pub(crate) const REFEREE: &str = "LOCKSPACE_FLEET_REFEREE";
/// Set in a member, to the store's URL.
pub(crate) const STORE: &str = "LOCKSPACE_FLEET_STORE";
/// Set in a member: its number.
pub(crate) const NUMBER: &str = "LOCKSPACE_FLEET_MEMBER";
/// Set in a member: what its habits come from.
pub(crate) const SEED: &str = "LOCKSPACE_FLEET_MEMBER_SEED";
/// Set in a member of a control: what is wrong with its store.
pub(crate) const FLAW: &str = "LOCKSPACE_FLEET_FLAW";

/// Many members want few names.
const NAMES: u64 = 4;
const WAIT: Duration = Duration::from_secs(5);
/// Within which a holder whose token is refused must have learnt that it has lost.
const SOON: Duration = Duration::from_secs(10);

/// Whether this process is a member.
pub(crate) fn is_one() -> bool {
    env::var_os(REFEREE).is_some()
}

/// Plays the member.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run() {
    let set = |variable| env::var(variable).expect("whoever starts members sets it");
    let number: u64 = set(NUMBER).parse().expect("it is a number");
    let mut random = fastrand::Rng::with_seed(set(SEED).parse().expect("it is a number"));
    let flaw = env::var(FLAW).ok().map(|flaw| flaw.parse().expect("it is a flaw"));
    let mut referee = Referee::meet(&set(REFEREE)).await;
    referee.ask(&format!("member {number}")).await;
    let url = set(STORE);
    let space = loop {
        match storage::open(&url, &format!("member {number}"), flaw).await {
            Ok(space) => break space,
            // The server is down now.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    loop {
        let name = format!("name/{}", random.u64(..NAMES));
        let call = referee.ask(&format!("acquire {name}")).await;
        if call == "stop" {
            break;
        }
        let habits = Habits {
            writes: random.u32(..4),
            pause: Duration::from_millis(if random.u8(..8) == 0 { random.u64(..100) } else { 0 }),
            careful: random.bool(),
        };
        take(&space, &name, &call, &mut referee, &habits).await;
    }
    space.shutdown(Duration::ZERO).await;
    referee.ask("done").await;
}

/// How somebody holds a name.
struct Habits {
    writes: u32,
    /// Before each write.
    pause: Duration,
    /// Whether he looks before he writes if he still holds the name. Who does not relies on the token.
    careful: bool,
}

/// Holds the name once.
async fn take(space: &LockSpace, name: &str, call: &str, referee: &mut Referee, habits: &Habits) {
    let Ok(guard) = space.acquire(name).wait_timeout(WAIT).await else {
        referee.ask(&format!("refused {call}")).await;
        return;
    };
    let token = guard.fencing_token();
    referee.ask(&format!("granted {call} {token}")).await;
    for _ in 0..habits.writes {
        sleep(habits.pause).await;
        if habits.careful && guard.is_lost() {
            break;
        }
        if referee.ask(&format!("write {call} {name} {token}")).await == "stale" {
            let told = timeout(SOON, guard.lost()).await;
            referee
                .ask(if told.is_ok() { "refused-and-told" } else { "refused-and-not-told" })
                .await;
            break;
        }
    }
    give_back(guard, call, referee).await;
}

async fn give_back(guard: Guard<'_>, call: &str, referee: &mut Referee) {
    let release = referee.ask(&format!("release {call}")).await;
    let answer = if guard.release().is_ok() { "released" } else { "lost" };
    referee.ask(&format!("{answer} {release}")).await;
}

/// The way to the referee.
struct Referee(BufStream<TcpStream>);

impl Referee {
    async fn meet(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the referee listens");
        stream.set_nodelay(true).expect("it is a connection");
        Self(BufStream::new(stream))
    }

    async fn ask(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\n").as_bytes()).await.expect("the referee listens");
        self.0.flush().await.expect("the referee listens");
        let mut answer = String::new();
        self.0.read_line(&mut answer).await.expect("the referee answers");
        answer.trim_end().to_owned()
    }
}
