//! `lockspace exec` in a terminal: a real one, made by script(1).
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A terminal in which a shell runs something in the foreground.
struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: BufReader<ChildStdout>,
    /// All that was shown.
    shown: String,
    _folder: TempDir,
}

impl Terminal {
    /// `LOCKSPACE` and `COMMAND` stand for themselves in what it runs. Where keys are pressed, it begins with
    /// `exec`: they would end the shell too.
    fn run(line: &str, command: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", line]).env("SHELL", "/bin/sh");
        script.arg(folder.path().join("typescript"));
        script.env("LOCKSPACE", env!("CARGO_BIN_EXE_lockspace")).env("COMMAND", command);
        let store = format!("sqlite:{}", folder.path().join("locks.sqlite").display());
        script.env("LOCKSPACE_STORE", store).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().expect("util-linux is installed");
        let keys = script.stdin.take().expect("it was piped");
        let screen = BufReader::new(script.stdout.take().expect("it was piped"));
        Self { script, keys, screen, shown: String::new(), _folder: folder }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it listens");
        self.keys.flush().expect("it listens");
    }

    /// What stands behind `what` in the next line that has it.
    fn shows(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.screen.read_line(&mut line).expect("it shows text");
            assert!(read > 0, "it ends without {what:?}:\n{}", self.shown);
            self.shown += &line;
            if let Some((_, rest)) = line.split_once(what) {
                return rest.trim().to_owned();
            }
        }
    }

    fn end(mut self) -> Option<i32> {
        self.script.wait().expect("it ends").code()
    }
}

/// Nothing is left of a test that fails: a terminal that is gone ends what runs in it.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// Counts what it is sent, says so on USR1, and reads from the terminal.
const COMMAND: &str = r#"
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
    let line = r#"exec "$LOCKSPACE" exec job -- sh -c "$COMMAND""#;
    let mut terminal = Terminal::run(line, COMMAND);
    let wrapper = terminal.shows("begun ");
    let wrapper = Pid::from_raw(wrapper.parse().expect("it is a number")).expect("it is not zero");
    terminal.press("\x03");
    terminal.shows("interrupted");
    terminal.press("\x1c");
    terminal.shows("quitted");
    // Whatever the wrapper had passed on of the keys, it has passed on before this.
    kill_process(wrapper, Signal::USR1).expect("it is there");
    assert_eq!(terminal.shows("counted "), "1 1");
    terminal.press("hello\n");
    assert_eq!(terminal.shows("read "), "hello");
    assert_eq!(terminal.end(), Some(7));
}

#[test]
fn the_terminal_is_the_commands_own_and_is_left_as_it_was() {
    let line = r#"echo "before $(stty -g)"; "$LOCKSPACE" exec job -- sh -c "$COMMAND";
                  echo "status $?"; echo "after $(stty -g)""#;
    let command = r#"echo "inside $(stty -g </dev/tty)"; test -t 0 && test -t 1 && test -t 2"#;
    let mut terminal = Terminal::run(line, command);
    let states = ["before ", "inside "].map(|when| terminal.shows(when));
    assert_eq!(terminal.shows("status "), "0");
    let after = terminal.shows("after ");
    assert_eq!(states, [(); 2].map(|()| after.clone()));
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_signal_to_the_wrapper_alone_reaches_the_command_in_a_terminal() {
    let line = r#"exec "$LOCKSPACE" exec job -- sh -c "$COMMAND""#;
    let command =
        "trap 'echo ended; exit 9' TERM; echo \"begun $PPID\"; while :; do sleep 0.01; done";
    let mut terminal = Terminal::run(line, command);
    let wrapper = terminal.shows("begun ");
    let wrapper = Pid::from_raw(wrapper.parse().expect("it is a number")).expect("it is not zero");
    kill_process(wrapper, Signal::TERM).expect("it is there");
    terminal.shows("ended");
    assert_eq!(terminal.end(), Some(9));
}
