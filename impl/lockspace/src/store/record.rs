//! What stands in a row: who holds a name and who waits for it, and that a session lives.
//!
//! As bytes both are a line of text, so that whoever looks into the store with its own tools can read
//! them:
//!
//! ```text
//! lockspace-lock/1 holder=6f1d5c0a9be2473c8a01d5e4f7b36c21.7 token=42 queue=0c77…e1.3,b2a9…04.12
//! lockspace-session/1 ttl_ms=15000 label=worker 7 on host-a
//! ```
//!
//! The first word says what it is and in which version of the format. A row is read only if writing what
//! was read gives the same bytes, so nothing is half understood. Whatever cannot be read is an error
//! with a reason, and is never overwritten.
//!
//! Written by hand rather than with a serialization framework: the two forms take a hundred lines, and
//! a format that other languages and later versions must read should not be whatever a library makes of
//! two structs.

use std::fmt;
use std::time::Duration;

use lockspace_spec::FencingToken;

use super::Version;

/// Which session: a process's presence in a store. Drawn at random and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

impl SessionId {
    /// The session that is written so: 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = u128::from_str_radix(text, 16).map(Self).ok()?;
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A session's claim to a name: to hold it, or to a place in its queue.
///
/// The number is new for each wish of the session. So a claim that turns up although its wish is over (a
/// message was late) is known for what it is, and given back. A number that tells when its session
/// [asked](Self::asked) does so for people; nothing that is decided depends upon it.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use lockspace::store::record::{Claim, SessionId};
///
/// let by_the_clock = Claim { session: SessionId(1), number: 1_795_478_860_624_768 };
/// let asked = by_the_clock.asked().map(|since_1970| UNIX_EPOCH + since_1970);
/// assert_eq!(asked, Some(UNIX_EPOCH + Duration::from_micros(1_795_478_860_624_768)));
///
/// let counted = Claim { session: SessionId(1), number: 7 };
/// assert_eq!(counted.asked(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// Whose.
    pub session: SessionId,
    /// Which of the session's: greater than those before it.
    pub number: u64,
}

impl Claim {
    /// The first number that is the time when it was drawn, in microseconds since the beginning of 1970:
    /// one in the year 2001. Smaller ones were counted, by whoever knew no time.
    const FIRST_TIME: u64 = 1_000_000_000_000_000;

    /// When the session asked for the name, *by its own clock*: so long after the beginning of 1970. None if
    /// its number does not tell.
    ///
    /// For people. The clock may be wrong, may have been set since, and says nothing about any other
    /// machine's. A holder that had to wait has asked before it was granted the name.
    #[must_use]
    pub fn asked(&self) -> Option<Duration> {
        (self.number >= Self::FIRST_TIME).then(|| Duration::from_micros(self.number))
    }

    fn parse(text: &str) -> Option<Self> {
        let (session, number) = text.split_once('.')?;
        Some(Self { session: SessionId::parse(session)?, number: number.parse().ok()? })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.number)
    }
}

/// The row of a name. It is there only while the name is held (upholds S5).
///
/// ```
/// use lockspace::store::Version;
/// use lockspace::store::record::{Claim, Record, RecordError, SessionId};
///
/// let claim = |session, number| Claim { session: SessionId(session), number };
/// let record = Record { queue: vec![claim(2, 1)], ..Record::held_by(claim(1, 7)) };
/// assert_eq!(
///     record.to_string(),
///     "lockspace-lock/1 holder=00000000000000000000000000000001.7 token= \
///      queue=00000000000000000000000000000002.1",
/// );
/// assert_eq!(Record::read(record.to_string().as_bytes()), Ok(record));
/// assert_eq!(Record::read(b"lockspace-lock/2 ?"), Err(RecordError::Newer { format: 2 }));
/// assert_eq!(Record::read(b"{}"), Err(RecordError::Foreign));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Who holds the name.
    pub holder: Claim,
    /// The token of that hold. None says: the version of this very row, which nobody knows before it is
    /// written. Whoever writes the row anew and leaves the hold as it is must say which that was.
    pub token: Option<FencingToken>,
    /// Who waits, the next one first.
    pub queue: Vec<Claim>,
}

impl Record {
    /// A name that is newly granted to `holder`, and for which nobody waits.
    #[must_use]
    pub const fn held_by(holder: Claim) -> Self {
        Self { holder, token: None, queue: Vec::new() }
    }

    /// The token of the hold, if the row has this version.
    #[must_use]
    pub fn token_at(&self, version: Version) -> FencingToken {
        self.token.unwrap_or(version.into())
    }

    /// The holder and then the queue: all claims, in the order in which they have been made.
    pub fn line(&self) -> impl Iterator<Item = Claim> + Clone {
        [self.holder].into_iter().chain(self.queue.iter().copied())
    }

    /// Whether `session` has a claim here.
    #[must_use]
    pub fn mentions(&self, session: SessionId) -> bool {
        self.line().any(|claim| claim.session == session)
    }

    /// The record that these bytes say.
    ///
    /// # Errors
    /// [`RecordError`] if they do not say one.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes, LOCK, |rest| {
            let (holder, rest) = rest.strip_prefix("holder=")?.split_once(" token=")?;
            let (token, queue) = rest.split_once(" queue=")?;
            let token: Option<u64> =
                if token.is_empty() { None } else { Some(token.parse().ok()?) };
            if token > Some(Version::MAX.0) {
                return None;
            }
            let claims = queue.split(',').filter(|_| !queue.is_empty()).map(Claim::parse);
            let record = Self {
                holder: Claim::parse(holder)?,
                token: token.map(FencingToken),
                queue: claims.collect::<Option<_>>()?,
            };
            record.has_each_session_once().then_some(record)
        })
    }

    fn has_each_session_once(&self) -> bool {
        let mut sessions: Vec<_> = self.line().map(|claim| claim.session).collect();
        sessions.sort_unstable();
        sessions.windows(2).all(|pair| pair[0] != pair[1])
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LOCK}/{FORMAT} holder={} token=", self.holder)?;
        if let Some(token) = self.token {
            write!(f, "{token}")?;
        }
        f.write_str(" queue=")?;
        for (index, claim) in self.queue.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{claim}")?;
        }
        Ok(())
    }
}

/// The row of a session. It is there while the session lives; its version changes with each keep-alive.
///
/// ```
/// use std::time::Duration;
/// use lockspace::store::record::SessionRecord;
///
/// let record = SessionRecord::new(Duration::from_secs(15), "worker 7");
/// assert_eq!(record.to_string(), "lockspace-session/1 ttl_ms=15000 label=worker 7");
/// assert_eq!(SessionRecord::read(record.to_string().as_bytes()), Ok(record));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRecord {
    ttl: Duration,
    label: String,
}

impl SessionRecord {
    /// The session lives as long as it is not silent for `ttl` (counted in whole milliseconds, at least
    /// one). The label is for people; control characters in it become spaces.
    #[must_use]
    pub fn new(ttl: Duration, label: &str) -> Self {
        let ttl = Duration::from_millis(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1));
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        Self { ttl, label: label.chars().map(printable).collect() }
    }

    /// After how long a silence others may remove it. The session's own, whatever theirs is.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// What the session says of itself, for people to read.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The record that these bytes say.
    ///
    /// # Errors
    /// [`RecordError`] if they do not say one.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes, SESSION, |rest| {
            let (ttl, label) = rest.strip_prefix("ttl_ms=")?.split_once(" label=")?;
            Some(Self::new(Duration::from_millis(ttl.parse().ok()?), label))
        })
    }
}

impl fmt::Display for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ttl = self.ttl.as_millis();
        write!(f, "{SESSION}/{FORMAT} ttl_ms={ttl} label={}", self.label)
    }
}

/// Why a row cannot be read. It is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is not a row of a lockspace: something else uses the same place.
    #[error("the row was not written by a lockspace: something else uses its namespace")]
    Foreign,
    /// It was written by a version of this library that is newer than this one.
    #[error(
        "the row has format {format}, and this version reads formats up to {FORMAT}: update it"
    )]
    Newer {
        /// The format that it has.
        format: u32,
    },
    /// It begins like a row of a lockspace and does not go on like one.
    #[error("the row is damaged: look at it, and remove it if nobody needs it")]
    Damaged,
}

const FORMAT: u32 = 1;
const LOCK: &str = "lockspace-lock";
const SESSION: &str = "lockspace-session";

/// Reads what `parse` makes of all but the first word, if that is of this `kind`.
fn read<T: fmt::Display>(
    bytes: &[u8],
    kind: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RecordError> {
    let ours = bytes.strip_prefix(kind.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    let rest = ours.ok_or(RecordError::Foreign)?;
    let rest = std::str::from_utf8(rest).map_err(|_| RecordError::Damaged)?;
    let (format, rest) = rest.split_once(' ').ok_or(RecordError::Damaged)?;
    match format.parse().map_err(|_| RecordError::Damaged)? {
        FORMAT => {}
        format if format > FORMAT => return Err(RecordError::Newer { format }),
        _ => return Err(RecordError::Damaged),
    }
    let read = parse(rest).ok_or(RecordError::Damaged)?;
    if read.to_string().as_bytes() == bytes { Ok(read) } else { Err(RecordError::Damaged) }
}
