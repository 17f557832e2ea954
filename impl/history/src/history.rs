//! A history in memory: read from a file, or taken from a recorder, and in order of time.
//!
//! What this file must not do: ask whether the history could have happened.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use lockspace_spec::history::{Event, What};

use crate::format;
use crate::references;

/// The longest line that is read, in bytes, its end not counted.
pub const MAX_LINE: usize = 64 * 1024;

/// A recorded history, in order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub(crate) header: Header,
    pub(crate) events: Vec<Event>,
    /// The line on which each event stands, counted from 1.
    pub(crate) lines: Vec<usize>,
}

/// What is known of the lockspace as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Whether every acquire that had to queue says so, with its ticket. Then one that does not say so
    /// did not queue.
    pub tickets: bool,
    /// The most names in use at once, if that is limited.
    pub max_names: Option<usize>,
    /// The most waiters of one name, if that is limited.
    pub max_waiters_per_name: Option<usize>,
}

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not a history.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// A line that does not belong in a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
#[non_exhaustive]
pub struct FormatError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: FormatFault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatFault {
    /// There is no first line to say what the file is.
    #[error("an empty file is not a history: its first line says what it is")]
    Empty,
    /// The first line says that it is something else.
    #[error("the first line does not say that this is a lockspace-history")]
    NotAHistory,
    /// A version of the format that is not known.
    #[error("version {0} of the format is not known here")]
    Version(u32),
    /// Longer than [`MAX_LINE`].
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// Not text.
    #[error("not UTF-8")]
    NotText,
    /// Not a JSON object with known fields.
    #[error("{0}")]
    Json(String),
    /// A word that the field does not have.
    #[error("{word:?} is no {field}")]
    Word {
        /// The field.
        field: &'static str,
        /// The word.
        word: String,
    },
    /// A field that the event must have.
    #[error("the field {0:?} is missing")]
    Missing(&'static str),
    /// A field that the event does not have.
    #[error("this event has no field {0:?}")]
    Superfluous(&'static str),
    /// The number of a call was given before.
    #[error("call {0} has begun before")]
    CallTwice(u64),
    /// There is no such call, or it begins later.
    #[error("call {0} has not begun by then")]
    UnknownCall(u64),
    /// What is cancelled, released, renewed, queued or lost is not an acquire.
    #[error("call {0} is not an acquire")]
    NotAnAcquire(u64),
    /// An answer that this kind of call does not have.
    #[error("call {0} cannot be answered like that")]
    WrongAnswer(u64),
    /// It claims to be the end of the history, and is not.
    #[error("something happens after the rest")]
    AfterRest,
}

impl History {
    /// Puts events in order of time, and checks that each refers to what exists.
    ///
    /// Of events with the same time, calls begin first: they overlap whatever ends then.
    ///
    /// # Errors
    /// [`FormatError`] if they do not make a history; its line is where the file would have it.
    pub fn new(header: Header, events: Vec<Event>) -> Result<Self, FormatError> {
        let lines = (2..events.len() + 2).collect();
        Self::ordered(header, events, lines)
    }

    fn ordered(header: Header, events: Vec<Event>, lines: Vec<usize>) -> Result<Self, FormatError> {
        let mut both: Vec<(Event, usize)> = events.into_iter().zip(lines).collect();
        both.sort_by_key(|(event, _)| (event.at, rank(&event.what)));
        let (events, lines) = both.into_iter().unzip();
        let history = Self { header, events, lines };
        match references::check(&history.events) {
            Ok(()) => Ok(history),
            Err((event, fault)) => Err(FormatError { line: history.lines[event], fault }),
        }
    }

    /// Reads a file of the format `lockspace-history`.
    ///
    /// # Errors
    /// [`ReadError`]: it cannot be read, or is not a history.
    pub fn read(mut from: impl BufRead) -> Result<Self, ReadError> {
        let at = |line| move |fault| ReadError::Format(FormatError { line, fault });
        let mut buffer = Vec::new();
        let first = next_line(&mut from, &mut buffer)?.map_err(at(1))?;
        let header = format::read_header(first.ok_or(FormatFault::Empty).map_err(at(1))?);
        let header = header.map_err(at(1))?;
        let (mut events, mut lines) = (Vec::new(), Vec::new());
        for line in 2.. {
            let Some(text) = next_line(&mut from, &mut buffer)?.map_err(at(line))? else {
                break;
            };
            events.push(format::read_event(text).map_err(at(line))?);
            lines.push(line);
        }
        Ok(Self::ordered(header, events, lines)?)
    }

    /// Writes the history as a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "{}", format::write_header(&self.header))?;
        self.events.iter().try_for_each(|event| writeln!(to, "{}", format::write_event(event)))
    }

    /// The events, in order of time.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What is known of the lockspace as a whole.
    #[must_use]
    pub fn header(&self) -> Header {
        self.header
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", format::write_header(&self.header))?;
        self.events.iter().try_for_each(|event| writeln!(f, "{}", format::write_event(event)))
    }
}

/// The order of events of the same time.
fn rank(what: &What) -> u8 {
    match what {
        What::Invoke(..) => 0,
        What::Queued(..) | What::Return(..) | What::Lost(..) | What::Closed => 1,
        What::Rest => 2,
    }
}

/// Reads a line without its end; `None` at the end of the file. Never more than a line of the allowed
/// length is kept in memory.
fn next_line<'b>(
    from: &mut impl BufRead,
    buffer: &'b mut Vec<u8>,
) -> io::Result<Result<Option<&'b str>, FormatFault>> {
    buffer.clear();
    from.by_ref().take(MAX_LINE as u64 + 2).read_until(b'\n', buffer)?;
    if buffer.is_empty() {
        return Ok(Ok(None));
    }
    let line = buffer.strip_suffix(b"\n").unwrap_or(buffer);
    if line.len() > MAX_LINE {
        return Ok(Err(FormatFault::TooLong));
    }
    Ok(std::str::from_utf8(line).map(Some).map_err(|_| FormatFault::NotText))
}
