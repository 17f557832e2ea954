//! Many processes at one file: none loses what it was told, not even if another one is killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use lockspace::store::{Store, Swap, Version};
use lockspace_sqlite::{SqliteStore, Synchronous};
use tempfile::TempDir;

/// Set, to the file's path, in the processes that a test starts.
const FILE: &str = "LOCKSPACE_SQLITE_TEST_FILE";
const PROCESSES: usize = 6;
const ROUNDS: u64 = 200;

struct Writer {
    process: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    /// Runs `test` again in a process of its own.
    fn start(test: &str, file: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, says }
    }

    /// What it was told, as far as it has said.
    fn told(&mut self, at_most: usize) -> Vec<(u64, Version)> {
        let told = self.says.by_ref().filter_map(|line| {
            let line = line.unwrap();
            let (count, version) = line.split_once("told ")?.1.split_once(' ')?;
            Some((count.parse().unwrap(), Version(version.parse().unwrap())))
        });
        told.take(at_most).collect()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks.sqlite");
    (folder, path)
}

/// The file, if this process is one that a test has started.
fn assigned() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

async fn fast(file: &Path) -> SqliteStore {
    SqliteStore::builder().synchronous(Synchronous::Normal).open(file).await.unwrap()
}

/// Counts a row up, and says what it was told.
async fn count_up(store: &SqliteStore, key: &str, rounds: u64) {
    for _ in 0..rounds {
        loop {
            let row = store.load(key).await.unwrap();
            let (known, count) = read(row);
            let new = (count + 1).to_string();
            let swap = store.swap(key, known, Some(new.as_bytes())).await.unwrap();
            if let Swap::Swapped(version) = swap {
                // In one piece, and not kept back: the process may be killed at any moment.
                std::io::stdout().write_all(format!("told {new} {version}\n").as_bytes()).unwrap();
                std::io::stdout().flush().unwrap();
                break;
            }
        }
    }
}

fn read(row: Option<(Version, Vec<u8>)>) -> (Option<Version>, u64) {
    row.map_or((None, 0), |(version, bytes)| {
        (Some(version), String::from_utf8(bytes).unwrap().parse().unwrap())
    })
}

#[tokio::test]
async fn many_processes_lose_no_swap_and_share_no_version() {
    if let Some(file) = assigned() {
        return count_up(&fast(&file).await, "a", ROUNDS).await;
    }
    let (_folder, file) = place();
    // Nobody has made the file: they do so all at once.
    let test = "many_processes_lose_no_swap_and_share_no_version";
    let mut writers: Vec<_> = (0..PROCESSES).map(|_| Writer::start(test, &file)).collect();
    let mut all = Vec::new();
    for writer in &mut writers {
        let told = writer.told(usize::MAX);
        assert!(writer.process.wait().unwrap().success());
        assert!(told.is_sorted_by(|one, next| one.1 < next.1), "versions only grow: {told:?}");
        all.extend(told);
    }
    let swaps = PROCESSES * usize::try_from(ROUNDS).unwrap();
    assert_eq!(all.iter().map(|(_, version)| version).collect::<BTreeSet<_>>().len(), swaps);
    all.sort_unstable();
    assert!(all.iter().map(|(count, _)| *count).eq(1..=swaps as u64), "no swap was lost");
    assert!(all.is_sorted_by_key(|(_, version)| *version), "versions are in the order of swaps");
    let (known, count) = read(fast(&file).await.load("a").await.unwrap());
    assert_eq!((known, count), (all.last().map(|last| last.1), swaps as u64));
}

#[tokio::test]
async fn a_killed_process_leaves_what_it_was_told_and_no_version_comes_twice() {
    if let Some(file) = assigned() {
        return count_up(&fast(&file).await, "a", u64::MAX).await;
    }
    let (_folder, file) = place();
    let test = "a_killed_process_leaves_what_it_was_told_and_no_version_comes_twice";
    let mut last = (0, Version(0));
    for round in 1..=12 {
        let mut writer = Writer::start(test, &file);
        let mut told = writer.told(round * 7);
        // SIGKILL, in the middle of whatever it does.
        writer.process.kill().unwrap();
        told.extend(writer.told(usize::MAX));
        assert!(
            told.iter().all(|one| one.0 > last.0 && one.1 > last.1),
            "after {last:?}: {told:?}"
        );
        let (known, count) = read(fast(&file).await.load("a").await.unwrap());
        let told = *told.last().unwrap();
        // What it was told is there, and at most one swap more, of whose answer it did not live to speak.
        assert!(count == told.0 || count == told.0 + 1, "{count} after {told:?}");
        assert!(known >= Some(told.1));
        last = (count, known.unwrap());
    }
}
