//! The thread that has the connection: takes calls, does those that have come together at once, and looks
//! for changes while somebody watches.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use lockspace::store::{StoreError, Version};
use tokio::sync::oneshot;

use crate::error::not_done;
use crate::file::File;
use crate::transaction::{self, Answer, Call};
use crate::{Builder, OpenError};

/// How often the thread looks for changes while somebody watches: for some two hundredths of a core.
const LOOK: Duration = Duration::from_millis(5);

/// How many calls share a transaction at most, so that other processes get their turn.
const TOGETHER: usize = 256;

type Reply = oneshot::Sender<Result<Answer, StoreError>>;

/// Whoever waits until a row has another version than this.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) key: String,
    pub(crate) known: Option<Version>,
    pub(crate) changed: oneshot::Sender<()>,
}

#[derive(Debug)]
enum Message {
    Call(Call, Reply),
    Watch(Watch),
}

/// What a store has of its thread. When it is dropped the thread does what it was told, and ends.
#[derive(Debug)]
pub(crate) struct Handle(Sender<Message>);

impl Handle {
    /// Starts a thread, which opens the file.
    pub(crate) async fn start(settings: Builder, path: PathBuf) -> Result<Self, OpenError> {
        let (sender, messages) = channel();
        let (tell, opened) = oneshot::channel();
        let thread = std::thread::Builder::new().name("lockspace-sqlite".into());
        let body = move || match File::open(&settings, Path::new(&path)) {
            Ok(file) => {
                if tell.send(Ok(())).is_ok() {
                    Worker::new(file, settings.namespace).run(&messages);
                }
            }
            Err(error) => drop(tell.send(Err(error))),
        };
        thread.spawn(body).map_err(OpenError::Io)?;
        opened.await.unwrap_or(Err(OpenError::ThreadEnded))?;
        Ok(Self(sender))
    }

    pub(crate) fn call(&self, call: Call, reply: Reply) -> Result<(), StoreError> {
        let sent = self.0.send(Message::Call(call, reply));
        sent.map_err(|_| not_done(OpenError::ThreadEnded))
    }

    pub(crate) fn watch(&self, watch: Watch) -> Result<(), OpenError> {
        self.0.send(Message::Watch(watch)).map_err(|_| OpenError::ThreadEnded)
    }
}

struct Worker {
    file: File,
    namespace: String,
    watches: Vec<Watch>,
    /// What SQLite calls the file's content as it was when the watchers were last served.
    seen: Option<i64>,
}

impl Worker {
    fn new(file: File, namespace: String) -> Self {
        Self { file, namespace, watches: Vec::new(), seen: None }
    }

    /// Until the store is dropped.
    fn run(&mut self, messages: &Receiver<Message>) {
        let mut next_look = Instant::now();
        loop {
            let message = if self.watches.is_empty() {
                messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                messages.recv_timeout(next_look.saturating_duration_since(Instant::now()))
            };
            match message {
                Ok(first) => self.take(first, messages),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if !self.watches.is_empty() && next_look <= Instant::now() {
                self.serve_watches();
                next_look = Instant::now() + LOOK;
            }
        }
    }

    /// Takes what has come, and does the calls in it.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) {
        let (mut calls, mut replies) = (Vec::new(), Vec::new());
        for message in [first].into_iter().chain(messages.try_iter()).take(TOGETHER) {
            match message {
                // Nobody waits for the answer, and nothing has been done yet: so nothing is.
                Message::Call(_, reply) if reply.is_closed() => {}
                Message::Call(call, reply) => {
                    calls.push(call);
                    replies.push(reply);
                }
                Message::Watch(watch) => {
                    self.watches.push(watch);
                    self.seen = None;
                }
            }
        }
        if calls.is_empty() {
            return;
        }
        let answers = transaction::run(&mut self.file, &self.namespace, &calls);
        // The file does not count what its own connection has done as a change.
        if calls.iter().any(|call| matches!(call, Call::Swap { .. })) {
            self.seen = None;
        }
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Whoever does not wait any more takes the call for one with an unknown outcome.
            let _ = reply.send(answer);
        }
    }

    /// Tells those whose rows have changed.
    fn serve_watches(&mut self) {
        self.watches.retain(|watch| !watch.changed.is_closed());
        let connection = &self.file.connection;
        let content = connection.prepare_cached("PRAGMA data_version");
        let content = content.and_then(|mut sql| sql.query_row([], |row| row.get(0))).ok();
        if content.is_some() && content == self.seen {
            return;
        }
        self.seen = content;
        let look = |watch: &mut Watch| {
            let now = transaction::look(connection, &self.namespace, &watch.key);
            now.is_ok_and(|now| now != watch.known)
        };
        for watch in self.watches.extract_if(.., look) {
            let _ = watch.changed.send(());
        }
    }
}
