//! What `exec --report FILE` writes: how it went, for programs. It goes to a file of its own, because both
//! outputs are those of the command that runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use lockspace::FencingToken;
use serde_json::json;

use crate::exit::Exit;

/// The command has begun, and has the lock.
struct Held {
    token: FencingToken,
    since: Instant,
    until: Option<Instant>,
}

/// A report under way.
pub(super) struct Report {
    file: Option<File>,
    begun: Instant,
    held: Option<Held>,
    lost: bool,
    /// What ended it, if that was neither a failure nor the command.
    ended_by: Option<Exit>,
}

impl Report {
    /// The file is made at once, so that one that cannot be made is told before anything else happens.
    pub(super) fn begin(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| {
            let named = |error| io::Error::other(format!("{}: {error}", path.display()));
            File::create(path).map_err(named)
        });
        let file = file.transpose()?;
        Ok(Self { file, begun: Instant::now(), held: None, lost: false, ended_by: None })
    }

    pub(super) fn granted(&mut self, token: FencingToken) {
        self.held = Some(Held { token, since: Instant::now(), until: None });
    }

    pub(super) fn given_back(&mut self, lost: bool) {
        self.lost |= lost;
        if let Some(held) = &mut self.held {
            held.until = Some(Instant::now());
        }
    }

    pub(super) fn ended_by(&mut self, exit: Exit) {
        self.ended_by = Some(exit);
    }

    /// Writes it, if anybody wants it.
    pub(super) fn write(self, name: &str, status: u8) -> io::Result<()> {
        let Some(mut file) = self.file else { return Ok(()) };
        let waited = self.held.as_ref().map_or_else(Instant::now, |held| held.since) - self.begun;
        let held = self.held.as_ref();
        let held_for = held.and_then(|held| Some(held.until? - held.since));
        let outcome = match self.ended_by {
            Some(Exit::Busy) => "busy",
            Some(Exit::Lost) => "lost",
            Some(Exit::HeldTooLong) => "held_too_long",
            Some(_) => "failed",
            None if held.is_none() => "signalled",
            None => "ended",
        };
        let document = json!({
            "name": name,
            "outcome": outcome,
            "status": status,
            "token": held.map(|held| held.token.0),
            "lost": self.lost,
            "waited_seconds": waited.as_secs_f64(),
            "held_seconds": held_for.as_ref().map(Duration::as_secs_f64),
        });
        writeln!(file, "{document:#}")
    }
}
