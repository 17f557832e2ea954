//! The command on a terminal, as a user sits before one: a pseudo-terminal that is the controlling one of a
//! session of its own, whose keys are pressed and whose screen is read.
#![cfg(target_os = "linux")]

mod soon;
mod still;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};
use soon::until;
use still::stands_still;
use tempfile::TempDir;

const LOCKSPACE: &str = env!("CARGO_BIN_EXE_lockspace");
const CTRL_C: &[u8] = b"\x03";
const CTRL_BACKSLASH: &[u8] = b"\x1c";
const CTRL_Z: &[u8] = b"\x1a";
/// On which the cursor is not seen, and what is too long for a line is not shown.
const OTHER_SCREEN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const BACK: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// A store in a folder of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    fn at(&self, mut command: Command) -> Command {
        let url = format!("sqlite:{}", self.0.path().join("locks.sqlite").display());
        command.env("LOCKSPACE_STORE", url).env_remove("NO_COLOR").current_dir(self.0.path());
        command
    }

    /// Holds a name until it is killed, or its command is.
    fn holds(&self, name: &str, label: &str) -> Child {
        let mut command = self.at(Command::new(LOCKSPACE));
        command.args(["exec", name, "--label", label, "--", "sh", "-c", "echo; exec sleep 600"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
        let said = child.stdout.as_mut().expect("it was piped");
        BufReader::new(said).read_line(&mut String::new()).expect("it begins");
        child
    }
}

fn end(mut holder: Child) {
    kill_process(Pid::from_child(&holder), Signal::TERM).expect("it is there");
    holder.wait().expect("it ends");
}

/// A terminal with somebody before it.
struct Terminal {
    user: File,
    child: Child,
    shown: String,
}

impl Terminal {
    /// Runs the command with this terminal as the one that its keys come from.
    fn run(place: &Place, args: &[&str], rows: u16, variables: &[(&str, &str)]) -> Self {
        Self::run_program(place, &[&[LOCKSPACE], args].concat(), rows, variables)
    }

    /// `exec` of a shell script.
    fn exec(place: &Place, script: &str) -> Self {
        Self::run(place, &["exec", "job", "--", "sh", "-c", script], 24, &[])
    }

    fn run_program(place: &Place, program: &[&str], rows: u16, variables: &[(&str, &str)]) -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&user).and_then(|()| unlockpt(&user)).expect("it is ours");
        let path = ptsname(&user, Vec::new()).expect("it has a name");
        let size = Winsize { ws_row: rows, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&user, size).expect("it can be any size");
        let mut open = OpenOptions::new();
        open.read(true).write(true);
        open.custom_flags(OpenptFlags::NOCTTY.bits().cast_signed());
        let screen = open.open(OsStr::from_bytes(path.to_bytes())).expect("it can be opened");
        // Nothing but a program that is started there can make it the controlling terminal of a session.
        let mut command = place.at(Command::new("setsid"));
        // And whoever runs the tests may ignore the signals of its keys.
        command.args(["--ctty", "--wait", "env", "--default-signal"]).args(program);
        command.envs(variables.iter().copied());
        let end = || Stdio::from(screen.try_clone().expect("it can be shared"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let child = child.expect("setsid is there: it belongs to every Linux");
        Self { user: user.into(), child, shown: String::new() }
    }

    /// Reads on until `text` is shown; answers what was shown from there on back to the last call.
    fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            assert!(self.read(), "{text:?} was never shown, but {:?}", self.shown);
        }
    }

    /// What stands behind `text` in the line that has it.
    fn behind(&mut self, text: &str) -> String {
        self.until(text);
        self.until("\n").trim().to_owned()
    }

    /// The process that its script says is its parent.
    fn wrapper(&mut self) -> Pid {
        let pid = self.behind("begun ").parse().expect("it is a number");
        Pid::from_raw(pid).expect("it is not zero")
    }

    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // When the last one has closed the terminal, Linux says that there is an error.
        let count = self.user.read(&mut bytes).unwrap_or(0);
        self.shown += &String::from_utf8_lossy(&bytes[..count]);
        count > 0
    }

    fn press(&mut self, keys: &[u8]) {
        self.user.write_all(keys).expect("somebody listens");
    }

    /// Whether keys are shown and heard by the line, as they are at a prompt.
    fn is_as_usual(&self) -> bool {
        use rustix::termios::LocalModes;
        let modes = tcgetattr(&self.user).expect("it is a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// How the command ended, and what it has shown since.
    fn ended(mut self) -> (Option<i32>, String) {
        while self.read() {}
        (self.child.wait().expect("it ends").code(), self.shown)
    }
}

#[test]
fn top_has_a_screen_of_its_own_until_q() {
    let place = Place::new();
    let holder = place.holds("nightly", "backup");
    let mut top = Terminal::run(&place, &["top"], 24, &[]);
    top.until(OTHER_SCREEN);
    let shown = top.until("backup");
    assert!(shown.contains("1 held, 0 waiting, 1 session   (q leaves)"), "{shown:?}");
    for column in ["NAME", "TOKEN", "HELD", "ASKED", "WHO", "nightly", "holds", "0s+"] {
        assert!(shown.contains(column), "{column}: {shown:?}");
    }
    assert!(!top.is_as_usual(), "keys are heard at once, and not shown");
    top.press(b"xq");
    top.until(BACK);
    assert!(top.is_as_usual());
    assert_eq!(top.ended(), (Some(0), String::new()));
    end(holder);
}

#[test]
fn top_looks_again_and_again() {
    let place = Place::new();
    let mut top = Terminal::run(&place, &["top", "--every", "0.1"], 24, &[]);
    top.until("0 held");
    let holder = place.holds("a", "first");
    top.until("1 held, 0 waiting, 1 session ");
    top.until("first");
    end(holder);
    top.until("0 held, 0 waiting, 0 sessions");
    top.press(b"q");
    assert_eq!(top.ended().0, Some(0));
}

#[test]
#[cfg(feature = "redis")]
fn top_shows_an_outage_until_it_is_over() {
    let Some(server) = lockspace_servers::Redis::start() else { return };
    let (place, url) = (Place::new(), server.url());
    let mut top = Terminal::run(&place, &["top", "--every", "0.1", "--store", &url], 24, &[]);
    top.until("0 held");
    server.kill();
    top.until("the store cannot be used: ");
    top.until("(q leaves)");
    server.restart();
    top.until("0 held");
    top.press(b"q");
    assert_eq!(top.ended().0, Some(0));
}

#[test]
fn a_key_and_a_signal_end_top_and_give_the_screen_back() {
    let place = Place::new();
    for way in [Some(CTRL_C), Some(CTRL_BACKSLASH), None] {
        let mut top = Terminal::run(&place, &["top"], 24, &[]);
        top.until("(q leaves)");
        match way {
            Some(key) => top.press(key),
            None => kill_process(Pid::from_child(&top.child), Signal::TERM).expect("it is there"),
        }
        top.until(BACK);
        assert!(top.is_as_usual());
        assert_eq!(top.ended().0, Some(0));
    }
}

#[test]
fn top_shows_as_much_as_the_screen_has_room_for() {
    let place = Place::new();
    let holders = ["a", "b", "c"].map(|name| place.holds(name, &format!("label of {name}")));
    let mut top = Terminal::run(&place, &["top", "--looks", "1"], 6, &[]);
    let shown = top.until("… and 2 more");
    assert!(shown.contains("label of a") && !shown.contains("label of b"), "{shown:?}");
    assert_eq!(top.ended().0, Some(0));
    holders.into_iter().for_each(end);
}

#[test]
fn force_release_asks_and_does_what_it_is_answered() {
    let place = Place::new();
    let mut holder = place.holds("a", "");
    for (answer, status, says) in [
        (&b"n\n"[..], Some(2), "nothing was done"),
        (b"\n", Some(2), "nothing was done"),
        (b"yes\n", Some(0), "\"a\" was taken from its holder"),
    ] {
        let mut asks = Terminal::run(&place, &["force-release", "a"], 24, &[]);
        asks.until("Take \"a\" from its holder, who may be in the middle of its work? [y/N] ");
        asks.press(answer);
        asks.until(says);
        assert_eq!(asks.ended().0, status);
    }
    holder.kill().expect("it is there");
    holder.wait().expect("it ends");
}

#[test]
fn a_verdict_is_coloured_on_a_terminal_unless_that_is_not_wanted() {
    let place = Place::new();
    for (variables, coloured) in
        [(&[][..], true), (&[("NO_COLOR", "")], true), (&[("NO_COLOR", "1")], false)]
    {
        let (status, shown) = Terminal::run(&place, &["health"], 24, variables).ended();
        assert_eq!((status, shown.contains("\x1b[32mok")), (Some(0), coloured), "{shown:?}");
        assert_eq!(shown.contains('\x1b'), coloured, "{shown:?}");
    }
}

#[test]
fn json_on_a_terminal_is_json() {
    let place = Place::new();
    let (status, shown) =
        Terminal::run(&place, &["top", "--json", "--looks", "1"], 24, &[]).ended();
    assert_eq!((status, shown.trim()), (Some(0), r#"{"names":[],"unreadable":[]}"#));
}

/// Counts what it is sent, says so on USR1, and reads from the terminal.
const COUNTS: &str = r#"
ints=0 quits=0
trap 'ints=$((ints + 1)); echo "interrupted"' INT
trap 'quits=$((quits + 1)); echo "quitted"' QUIT
trap 'echo "counted $ints $quits"; go=1' USR1
echo "begun $PPID"
until [ "$go" ]; do sleep 0.01; done
read -r line
echo "read $line"
exit 7
"#;

#[test]
fn the_keys_of_a_terminal_reach_the_command_once_and_it_reads_from_the_terminal() {
    let place = Place::new();
    let mut exec = Terminal::exec(&place, COUNTS);
    let wrapper = exec.wrapper();
    exec.press(CTRL_C);
    exec.until("interrupted");
    exec.press(CTRL_BACKSLASH);
    exec.until("quitted");
    // Whatever the wrapper had passed on of the keys, it has passed on before this.
    kill_process(wrapper, Signal::USR1).expect("it is there");
    assert_eq!(exec.behind("counted "), "1 1");
    exec.press(b"hello\n");
    assert_eq!(exec.behind("read "), "hello");
    assert_eq!(exec.ended(), (Some(7), String::new()));
}

#[test]
fn the_terminal_is_the_commands_own_and_is_left_as_it_was() {
    let script = r#"echo "before $(stty -g)"; "$LOCKSPACE" exec job -- sh -c "$COMMAND";
                    echo "status $?"; echo "after $(stty -g)""#;
    let command = r#"echo "inside $(stty -g </dev/tty)"; test -t 0 && test -t 1 && test -t 2"#;
    let variables = [("LOCKSPACE", LOCKSPACE), ("COMMAND", command)];
    let place = Place::new();
    let mut shell = Terminal::run_program(&place, &["sh", "-c", script], 24, &variables);
    let states = ["before ", "inside "].map(|when| shell.behind(when));
    assert_eq!(shell.behind("status "), "0");
    let after = shell.behind("after ");
    assert_eq!(states, [(); 2].map(|()| after.clone()));
    assert_eq!(shell.ended().0, Some(0));
}

/// The key reaches both at once: the wrapper may hear of it when the command has ended.
#[test]
fn a_command_that_is_interrupted_twice_leaves_nothing() {
    let script =
        "trap 'trap - INT; echo interrupted' INT; echo begun; while :; do sleep 0.01; done";
    let place = Place::new();
    for _ in 0..30 {
        let mut exec = Terminal::exec(&place, script);
        exec.until("begun");
        exec.press(CTRL_C);
        exec.until("interrupted");
        exec.press(CTRL_C);
        assert_eq!(exec.ended().0, Some(128 + 2));
        let (_, shown) = Terminal::run(&place, &["ls"], 24, &[]).ended();
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }
}

/// It has a group of its own then, which the terminal's keys do not reach.
#[test]
fn ctrl_z_stops_a_command_that_was_begun_in_the_background_until_it_is_brought_back() {
    let script = r#"set -m
        "$LOCKSPACE" exec job -- sh -c "$COMMAND" &
        for time in first second; do read -r line; fg %1 >/dev/null; echo "back $?"; done"#;
    let command = r#"echo $$ >pid; echo "begun $PPID"; exec sleep 600"#;
    let variables = [("LOCKSPACE", LOCKSPACE), ("COMMAND", command)];
    let place = Place::new();
    let mut shell = Terminal::run_program(&place, &["sh", "-c", script], 24, &variables);
    let wrapper = shell.wrapper();
    let pid = fs::read_to_string(place.0.path().join("pid")).expect("it has said it");
    let command =
        Pid::from_raw(pid.trim().parse().expect("it is a number")).expect("it is not zero");
    let bring_back = |shell: &mut Terminal| {
        shell.press(b"\n");
        until("it has the terminal", || tcgetpgrp(&shell.user) == Ok(wrapper));
    };
    bring_back(&mut shell);
    shell.press(CTRL_Z);
    shell.until("back ");
    until("the command stands still", || stands_still(command));
    bring_back(&mut shell);
    until("the command goes on", || !stands_still(command));
    kill_process(wrapper, Signal::TERM).expect("it is there");
    assert_eq!(shell.behind("back "), "143");
    assert_eq!(shell.ended().0, Some(0));
}

#[test]
fn a_signal_to_the_wrapper_alone_reaches_the_command_in_a_terminal() {
    let script =
        "trap 'echo ended; exit 9' TERM; echo \"begun $PPID\"; while :; do sleep 0.01; done";
    let place = Place::new();
    let mut exec = Terminal::exec(&place, script);
    kill_process(exec.wrapper(), Signal::TERM).expect("it is there");
    exec.until("ended");
    assert_eq!(exec.ended().0, Some(9));
}
