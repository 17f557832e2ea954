//! A server that runs: its process, its folder, its port, and what a test does to them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads which process is to be looked after, a line each time it changes (empty: none). When nobody can
/// write any more, because the test ended in whatever way, kills that process and its children, and removes
/// the folder.
const CARETAKER: &str = r#"
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -STOP "$pid"
    for stat in /proc/[0-9]*/stat; do
        read -r child _ _ parent _ <"$stat" && [ "$parent" = "$pid" ] && kill -KILL "$child"
    done
    kill -KILL "$pid"
fi 2>/dev/null
rm -rf "$1"
"#;

/// The command that runs a server in the foreground, at this port and with its data below this folder.
type Run = Box<dyn Fn(&Path, u16) -> Command + Send + Sync>;

/// What is particular to a kind of server.
pub(crate) struct Kind {
    pub(crate) command: Run,
    /// Whether it answers at this address.
    pub(crate) answers: fn(SocketAddr) -> bool,
    /// What a client connects to, `ADDRESS` being where the server is.
    pub(crate) url: &'static str,
}

/// A server that runs on this machine for one test.
///
/// All of its methods block until what they say is so. Dropping it kills the server and removes all that
/// it kept.
pub struct Server {
    kind: Kind,
    address: SocketAddr,
    process: Mutex<Option<Child>>,
    caretaker: Mutex<Child>,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start(folder: TempDir, kind: Kind) -> Self {
        let mut caretaker = Command::new("sh");
        caretaker.args(["-c", CARETAKER, "caretaker"]).arg(folder.path());
        // A group of its own: an interrupt from the terminal is not meant for it.
        caretaker.stdin(Stdio::piped()).process_group(0);
        let server = Self {
            kind,
            address: free_address(),
            process: Mutex::new(None),
            caretaker: Mutex::new(caretaker.spawn().expect("a shell can be started")),
            folder,
        };
        server.restart();
        server
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client connects to.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.address)
    }

    /// What a client connects to that is to go by `address`: that of a [`Proxy`](crate::Proxy).
    #[must_use]
    pub fn url_by(&self, address: SocketAddr) -> String {
        self.kind.url.replace("ADDRESS", &address.to_string())
    }

    /// Kills it and all of its processes at once, as a crash does. Its data stay.
    pub fn kill(&self) {
        let Some(mut process) = locked(&self.process).take() else { return };
        let parent = pid(&process);
        // Whatever is stopped starts no children while they are looked for.
        stop(parent);
        let children = children(parent);
        for child in &children {
            signal(*child, Signal::KILL);
        }
        signal(parent, Signal::KILL);
        process.wait().expect("our own child can be waited for");
        // They are not ours to be waited for, and may still hold the port.
        for child in children {
            wait_for_state(child, &['Z', 'X']);
        }
        self.entrust("");
    }

    /// Asks it to end, as an operator does, and waits until it has. Its data stay.
    ///
    /// # Panics
    /// If it does not end within a minute.
    pub fn stop(&self) {
        let mut process = locked(&self.process);
        let Some(running) = process.as_mut() else { return };
        // PostgreSQL would wait for its clients if it were asked by SIGTERM; the others make no difference.
        signal(pid(running), Signal::INT);
        let end = Instant::now() + PATIENCE;
        while running.try_wait().expect("our own child can be waited for").is_none() {
            assert!(Instant::now() < end, "the server does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
        *process = None;
        drop(process);
        self.entrust("");
    }

    /// Starts it again, on the same port and with the data that it had, after killing it if it runs.
    ///
    /// # Panics
    /// If it does not answer within a minute; with what it said.
    pub fn restart(&self) {
        self.kill();
        let log = fs::File::create(self.folder.path().join("log")).expect("a file can be made");
        let mut command = (self.kind.command)(self.folder.path(), self.address.port());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file has another handle"));
        let process = command.stderr(log).process_group(0).spawn().expect("the server starts");
        self.entrust(&process.id().to_string());
        *locked(&self.process) = Some(process);
        self.wait_until_it_answers();
    }

    /// Stops it and all of its processes where they are: it answers nobody, and no connection is closed.
    pub fn pause(&self) {
        let parent = self.running();
        stop(parent);
        children(parent).into_iter().for_each(stop);
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn resume(&self) {
        let parent = self.running();
        for child in children(parent) {
            signal(child, Signal::CONT);
        }
        signal(parent, Signal::CONT);
    }

    /// What it has written to its output since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn running(&self) -> Pid {
        pid(locked(&self.process).as_ref().expect("it runs"))
    }

    fn wait_until_it_answers(&self) {
        let end = Instant::now() + PATIENCE;
        while !(self.kind.answers)(self.address) {
            let ended = locked(&self.process).as_mut().and_then(|p| p.try_wait().ok().flatten());
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < end, "the server does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Tells the caretaker which process is to be looked after.
    fn entrust(&self, pid: &str) {
        let mut caretaker = locked(&self.caretaker);
        let line = caretaker.stdin.as_mut().expect("it is open until the drop");
        writeln!(line, "{pid}").expect("the caretaker runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let mut caretaker = locked(&self.caretaker);
        drop(caretaker.stdin.take());
        // An error would only hide why the test failed.
        let _ = caretaker.wait();
    }
}

/// A test that failed while it did something to a server must not keep the server alive.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid(process: &Child) -> Pid {
    Pid::from_child(process)
}

fn signal(pid: Pid, signal: Signal) {
    // It may have ended by itself, which is as good.
    let _ = kill_process(pid, signal);
}

/// Stops a process, and returns when it has stopped or is gone.
fn stop(pid: Pid) {
    signal(pid, Signal::STOP);
    wait_for_state(pid, &['T', 't', 'Z', 'X']);
}

/// A signal that was sent has not yet been obeyed: waits until the process is in one of these states, or is
/// not there any more.
fn wait_for_state(pid: Pid, states: &[char]) {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let end = Instant::now() + PATIENCE;
    while let Ok(stat) = fs::read_to_string(&path) {
        if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(states)) {
            break;
        }
        assert!(Instant::now() < end, "process {pid:?} does not obey: {stat}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The processes whose parent this is.
fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("the system shows its processes");
    let stats = processes.flatten().map(|process| process.path().join("stat"));
    let stats = stats.filter_map(|stat| fs::read_to_string(stat).ok());
    stats.filter_map(|stat| child_of(parent, &stat)).collect()
}

/// The process that this line of `/proc` is about, if `parent` is its parent.
fn child_of(parent: Pid, stat: &str) -> Option<Pid> {
    let (pid, rest) = stat.split_once(' ')?;
    // The program's name stands in parentheses and may contain anything.
    let its_parent = rest.rsplit_once(") ")?.1.split(' ').nth(1)?;
    let is_child = its_parent.parse() == Ok(parent.as_raw_nonzero().get());
    pid.parse().ok().filter(|_| is_child).and_then(Pid::from_raw)
}

/// A port where nobody listens, outside of the range that the system gives to whoever connects: there it
/// could be taken while the server is down.
pub(crate) fn free_address() -> SocketAddr {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    loop {
        let port = 10_000 + u16::try_from(random() % 20_000).expect("it is small");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// What a server answers to these bytes within a second, as far as it came in one piece.
pub(crate) fn answer(address: SocketAddr, question: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(question).ok()?;
    let mut bytes = [0; 1024];
    let read = stream.read(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

/// Whether it is there. As long as a record's header, and none: a server that speaks TLS ends the connection,
/// and one that does not run yet has none.
pub(crate) fn answers_to_no_tls(address: SocketAddr) -> bool {
    answer(address, b"hello").is_some()
}

/// A new folder in the system's place for temporary ones.
pub(crate) fn folder(kind: &str) -> TempDir {
    let prefix = format!("lockspace-{kind}-");
    tempfile::Builder::new().prefix(&prefix).rand_bytes(12).tempdir().expect("a folder can be made")
}

#[test]
fn a_child_is_known_whatever_its_program_is_called() {
    let parent = Pid::from_raw(7).expect("it is positive");
    let child = Pid::from_raw(12);
    assert_eq!(child_of(parent, "12 (postgres) S 7 12 12 0"), child);
    assert_eq!(child_of(parent, "12 (a) S 9 (b c) S 7 12"), child);
    assert_eq!(child_of(parent, "12 (postgres) S 8 7 7 7"), None);
}
