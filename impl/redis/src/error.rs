//! What goes wrong, in words that hold no secrets.

use std::time::Duration;

use lockspace::store::StoreError;
use redis::{ErrorKind, RedisError};

/// Why a store cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none that the driver understands. It is not repeated here: it may hold a password.
    #[error("the address of the server cannot be understood")]
    Address(#[source] RedisError),
    /// A certificate that was to be trusted or shown, or its key, cannot be read.
    #[error("a certificate that is to be trusted or shown, or its key, cannot be read")]
    Certificate,
    /// The server does not answer, or does not let us in.
    #[error("the server cannot be used")]
    Server(#[source] StoreError),
    /// The namespace's key is there and was not made by this library. It is left as it is.
    #[error("the key of the namespace belongs to something else")]
    Foreign,
    /// The namespace was made by another version of this library, older or newer. It is left as it is.
    #[error("the namespace has format {found}, and this version knows format {known} only")]
    OtherFormat {
        /// The format that was found.
        found: u32,
        /// The one that this version of the library knows.
        known: u32,
    },
}

/// Why a call had no effect although nothing answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection to the server")]
    NotConnected(#[source] RedisError),
    #[error("no connection to the server: another call has just tried")]
    OtherFailed,
    #[error("no connection to the server within {0:?}")]
    NotConnectedInTime(Duration),
    #[error("the server is no primary: what it shows may be old")]
    NoPrimary,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::NotDone(Box::new(failure))
    }
}

/// The outcome of a call that was sent. An error that the server says is about something that it did not
/// do: the script writes last. Any other error says nothing of what the server did (upholds contract 5).
pub(crate) fn outcome(error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => StoreError::NotDone(Box::new(error)),
        _ => StoreError::Unknown(Box::new(error)),
    }
}
