//! Who holds what is wanted here, if it is somebody elsewhere: what the store's answers have shown, for
//! whoever is told that a wait was in vain.
//!
//! What this file must not do: decide anything by it, or ask the store.

use std::fmt;

use lockspace_spec::FencingToken;

use super::record::SessionId;

/// A hold of another session, as it was last seen here. See [`Standing`](crate::Standing).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldElsewhere {
    /// Whose it is.
    pub session: SessionId,
    /// What the session says of itself: [`Options::label`](super::Options::label). None if it says nothing,
    /// or if its row has not been read yet.
    pub label: Option<String>,
    /// The token of the hold.
    pub token: FencingToken,
    /// How many other sessions waited before this one.
    pub ahead: usize,
}

impl fmt::Display for HeldElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, label, token, ahead } = self;
        match label {
            Some(label) => write!(f, "held elsewhere by {label} (session {session})")?,
            None => write!(f, "held elsewhere by session {session}")?,
        }
        write!(f, " under token {token}")?;
        match ahead {
            0 => Ok(()),
            1 => f.write_str(", with 1 session waiting before this one"),
            _ => write!(f, ", with {ahead} sessions waiting before this one"),
        }
    }
}
