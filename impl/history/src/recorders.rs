//! Recorders: into memory, and into a file.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use lockspace_spec::history::{Event, Recorder, What};

use crate::format;
use crate::history::{FormatError, Header, History};

/// How many threads can write at once without meeting.
const SHARDS: usize = 64;

/// Keeps events in memory. Threads hardly meet in it, so that it disturbs what it watches as little as
/// may be.
#[derive(Debug)]
pub struct Collector {
    header: Header,
    shards: Vec<Mutex<Vec<Event>>>,
}

impl Collector {
    /// An empty one.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self { header, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// What has been recorded so far, in order of time.
    ///
    /// # Errors
    /// [`FormatError`] if the events do not make a history: the recording began in the middle, or what
    /// was recorded is confused.
    pub fn history(&self) -> Result<History, FormatError> {
        History::new(self.header, self.events())
    }

    /// What has been recorded so far, and that nothing moves any more: see [`What::Rest`]. Only for a
    /// caller who knows, since whoever is still waiting will count as forgotten.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub fn history_at_rest(&self) -> Result<History, FormatError> {
        let mut events = self.events();
        let at = events.iter().map(|event| event.at).max().unwrap_or(0);
        let process = events.last().map_or(0, |event| event.process);
        events.push(Event { at, process, what: What::Rest });
        History::new(self.header, events)
    }

    fn events(&self) -> Vec<Event> {
        self.shards.iter().flat_map(|shard| lock(shard).clone()).collect()
    }
}

impl Recorder for Collector {
    fn record(&self, event: Event) {
        let mut hasher = DefaultHasher::new();
        thread::current().id().hash(&mut hasher);
        lock(&self.shards[hasher.finish() as usize % SHARDS]).push(event);
    }
}

/// Writes events to a writer, one JSON object a line. Give it a buffered one.
///
/// One writes at a time: the recorder is locked while the writer is called, which must not use the lockspace
/// that is recorded.
#[derive(Debug)]
pub struct NdjsonRecorder<W> {
    to: Mutex<Sink<W>>,
}

#[derive(Debug)]
struct Sink<W> {
    writer: W,
    /// The first error; after it nothing more is written.
    failed: Option<io::Error>,
}

impl<W: Write> NdjsonRecorder<W> {
    /// Writes the first line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(header: Header, mut writer: W) -> io::Result<Self> {
        writeln!(writer, "{}", format::write_header(&header))?;
        Ok(Self { to: Mutex::new(Sink { writer, failed: None }) })
    }

    /// Brings everything recorded so far to where it belongs.
    ///
    /// # Errors
    /// The first error that writing has met: from there on events are missing.
    pub fn flush(&self) -> io::Result<()> {
        let mut sink = lock(&self.to);
        match sink.failed.take() {
            Some(error) => {
                sink.failed = Some(io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
            None => sink.writer.flush(),
        }
    }
}

impl<W: Write + Send> Recorder for NdjsonRecorder<W> {
    fn record(&self, event: Event) {
        let line = format::write_event(&event);
        let mut sink = lock(&self.to);
        if sink.failed.is_none() {
            sink.failed = writeln!(sink.writer, "{line}").err();
        }
    }
}

/// A recorder outlives a panic of the thread that records.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
