//! A store in a file, for processes of one machine, that keeps the contract, but for one [`Habit`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockspace::store::{Capabilities, Row, Store, StoreError, Swap, Version};
use lockspace_conformance::{Harness, NotOffered, NotRun};
use serde::{Deserialize, Serialize};

/// How it deals with its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Orderly,
    /// Nobody else in the same process reads and writes meanwhile. Others do.
    LocksInTheProcessOnly,
    /// What others write later is not seen.
    ReadsOnce,
    /// The version first, and then the bytes.
    WritesInTwoSteps,
    /// Soon after the answer.
    WritesLater,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Content {
    last: u64,
    rows: BTreeMap<String, (u64, Vec<u8>)>,
}

/// A drawer with files, opened by one process.
pub(crate) struct Files {
    habit: Habit,
    folder: PathBuf,
}

/// What this process has read and not written yet, by the drawer that it is in.
static HERE: Mutex<BTreeMap<PathBuf, Content>> = Mutex::new(BTreeMap::new());

/// A case that fails in a drawer says nothing of the others.
fn here() -> MutexGuard<'static, BTreeMap<PathBuf, Content>> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    fn read(&self, here: &BTreeMap<PathBuf, Content>) -> Content {
        if let Some(content) = here.get(&self.folder) {
            return content.clone();
        }
        let text = fs::read(self.folder.join("rows")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// As a whole or not at all.
    fn write(folder: &Path, content: &Content) {
        let new = folder.join(format!("new-{}", std::process::id()));
        // The case may have ended, and the drawer with it.
        let written = fs::write(&new, serde_json::to_vec(content).unwrap());
        let _ = written.and_then(|()| fs::rename(&new, folder.join("rows")));
    }

    /// Reads, and writes if there is something to be written, while nobody else does.
    fn at_once<T>(&self, what: impl FnOnce(&mut Content) -> (T, Option<Content>)) -> T {
        let mut kept = here();
        let lock = File::create(self.folder.join("lock"));
        if let (Ok(lock), true) = (&lock, self.habit != Habit::LocksInTheProcessOnly) {
            lock.lock().unwrap();
        }
        let mut content = self.read(&kept);
        let (answer, between) = what(&mut content);
        if let Some(between) = between {
            match self.habit {
                Habit::LocksInTheProcessOnly => pause(fastrand::u64(..2_000)),
                Habit::WritesInTwoSteps => {
                    Self::write(&self.folder, &between);
                    pause(3_000);
                }
                _ => {}
            }
            if self.habit == Habit::WritesLater {
                let folder = self.folder.clone();
                if kept.insert(folder.clone(), content).is_none() {
                    std::thread::spawn(move || {
                        pause(50_000);
                        let mut kept = here();
                        Self::write(&folder, &kept.remove(&folder).unwrap());
                    });
                }
                return answer;
            }
            Self::write(&self.folder, &content);
        }
        if self.habit == Habit::ReadsOnce {
            kept.insert(self.folder.clone(), content);
        }
        answer
    }

    fn swapped(&self, key: &str, expected: Option<Version>, new: Option<&[u8]>) -> Swap {
        self.at_once(|content| {
            let found = content.rows.get(key).cloned();
            if found.as_ref().map(|(version, _)| Version(*version)) != expected {
                return (Swap::Conflict, None);
            }
            content.last += 1;
            let version = content.last;
            let mut between = content.clone();
            match new {
                Some(bytes) => content.rows.insert(key.into(), (version, bytes.into())),
                None => content.rows.remove(key),
            };
            if let Some((_, bytes)) = found {
                between.rows.insert(key.into(), (version, bytes));
            }
            (Swap::Swapped(Version(version)), Some(between))
        })
    }
}

/// Time in which others find the file as a habit has left it: that is what the habits are about.
fn pause(microseconds: u64) {
    std::thread::sleep(Duration::from_micros(microseconds));
}

impl Store for Files {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let row = self.at_once(|content| (content.rows.get(key).cloned(), None));
        Ok(row.map(|(version, bytes)| (Version(version), bytes)))
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        Ok(self.swapped(key, expected, new))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let content = self.at_once(|content| (content.clone(), None));
        let rows = content.rows.into_iter().filter(|(key, _)| key.starts_with(prefix));
        let row = |(key, (version, bytes))| Row { key, version: Version(version), bytes };
        Ok(rows.map(row).collect())
    }

    fn capabilities(&self) -> Capabilities {
        let mut promises = Capabilities::default();
        promises.durable = true;
        promises
    }
}

/// Which habit, as a type.
pub(crate) trait Has: Send + Sync + 'static {
    const HABIT: Habit;
}

/// A drawer that is kept with this habit.
pub(crate) struct Drawer<H> {
    folder: PathBuf,
    habit: PhantomData<H>,
}

impl<H> Drop for Drawer<H> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl<H: Has> Harness for Drawer<H> {
    const NAME: &str = "a drawer";
    type Store = Files;

    async fn start() -> Result<Self, NotRun> {
        let name = format!("lockspace-drawer-{}-{:x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Ok(Self { folder, habit: PhantomData })
    }

    async fn open(&self) -> Files {
        Files { habit: H::HABIT, folder: self.folder.clone() }
    }

    fn address(&self) -> Result<String, NotOffered> {
        Ok(self.folder.to_str().unwrap().into())
    }

    async fn open_at(address: &str) -> Files {
        Files { habit: H::HABIT, folder: address.into() }
    }
}
