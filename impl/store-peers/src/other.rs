//! The other process: this program, started again, which does as it is told, a line at a time.
//!
//! | it is told | it does | it answers |
//! |---|---|---|
//! | *being started* | connects | `ready` |
//! | `wait` | acquires, and releases at once | `waiting` before, and then when it held, in nanoseconds |
//! | `crowd N` | makes so many tasks | `ready` |
//! | `go N` | each of them acquires and releases so often | `done` |
//! | *the end* | leaves nothing behind, and ends | |

use std::io::{BufRead, BufReader, Lines, Write, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::NAME;
use crate::bench::runtime;
use crate::clock::now;
use crate::crowd::Crowd;
use crate::peer::Peer;
use crate::workloads::main_of;

/// What the program is called with to be the other process; the peer's type and the place's URL follow.
pub(crate) const WORD: &str = "other-process";

/// The other process, as the first one sees it.
pub(crate) struct Other {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    /// Starts it, and returns when it has connected.
    pub(crate) fn start<P: Peer>(url: &str) -> Self {
        let program = std::env::current_exe().expect("the system knows this program");
        let mut command = Command::new(program);
        command.args([WORD, std::any::type_name::<P>(), url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("this program can be started again");
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut other = Self { process, orders, answers };
        other.expect("ready");
        other
    }

    pub(crate) fn tell(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it is open until the drop");
        writeln!(orders, "{order}").expect("it listens");
    }

    pub(crate) fn hear(&mut self) -> String {
        self.answers.next().expect("it runs").expect("it answers in text")
    }

    pub(crate) fn expect(&mut self, answer: &str) {
        assert_eq!(self.hear(), answer);
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Had it failed, it would have said so.
        let _ = self.process.wait();
    }
}

/// What `main` does in the other process.
pub(crate) fn run(peer: &str, url: &str) {
    let main = main_of(peer).expect("the first process names a peer");
    main(url);
}

/// The same, of a peer.
pub(crate) fn main<P: Peer>(url: &str) {
    let runtime = runtime();
    let peer = runtime.block_on(P::connect(url));
    say("ready");
    let mut crowd = None;
    for order in stdin().lines() {
        let order = order.expect("it is text");
        match order
            .split_once(' ')
            .map_or((&*order, 0), |(word, number)| (word, number.parse().expect("it is a number")))
        {
            ("wait", _) => {
                say("waiting");
                let held = runtime.block_on(peer.acquire(NAME));
                let when = now();
                runtime.block_on(peer.release(held));
                say(&when.as_nanos().to_string());
            }
            ("crowd", tasks) => {
                crowd = Some(runtime.block_on(Crowd::gather(&peer, tasks)));
                say("ready");
            }
            ("go", turns) => {
                let crowd = crowd.take().expect("there is one");
                runtime.block_on(crowd.take_turns(turns));
                say("done");
            }
            _ => panic!("nobody says {order}"),
        }
    }
    runtime.block_on(peer.close());
}

fn say(answer: &str) {
    let mut stdout = stdout();
    writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).expect("somebody listens");
}
