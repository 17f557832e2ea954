//! What goes wrong, in words that hold no secrets.

use lockspace::store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

/// Why a store cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none that the driver understands. Neither it nor what the driver says of it is
    /// repeated here: there may be a password in it.
    #[error("the address of the server cannot be understood")]
    Address,
    /// A certificate that was to be trusted cannot be read.
    #[error("a certificate that is to be trusted cannot be read")]
    Certificate,
    /// The server does not answer, does not let us in, or does not let us make what we need.
    #[error("the server cannot be used")]
    Server(#[source] StoreError),
    /// The database has a schema `lockspace` that was not made by this library. It is left as it is.
    #[error("the schema lockspace belongs to something else")]
    Foreign,
    /// The schema was made by another version of this library, older or newer. It is left as it is.
    #[error("the schema lockspace has format {found}, and this version knows format {known} only")]
    OtherFormat {
        /// The format that was found.
        found: u32,
        /// The one that this version of the library knows.
        known: u32,
    },
}

/// Why a call failed, where it is not the driver that says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection to the server")]
    NotConnected(#[source] Error),
    #[error("no connection to the server within {0:?}")]
    NotConnectedInTime(std::time::Duration),
    #[error("no connection to the server: another call has just tried")]
    OtherFailed,
    #[error("the server is a replica: what it shows may be old")]
    Replica,
    #[error("the server's answer cannot be understood: something else has changed the schema")]
    Damaged,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::NotDone(Box::new(failure))
    }
}

/// A call was sent, and no answer came in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct NoAnswer(pub(crate) std::time::Duration);

/// The outcome of a call that was sent (upholds contract 5).
pub(crate) fn outcome(error: Error) -> StoreError {
    if is_rolled_back(&error) {
        StoreError::NotDone(Box::new(error))
    } else {
        StoreError::Unknown(Box::new(error))
    }
}

/// Whether the server says that it has rolled the call back. It has if it goes on with the connection
/// (`ERROR`), unless the words are those in which a pooler says that the server was lost to it.
fn is_rolled_back(error: &Error) -> bool {
    let Some(said) = error.as_db_error() else { return false };
    let lost = ["08", "57P", "58", "XX", "40003"];
    said.parsed_severity() == Some(Severity::Error)
        && !lost.iter().any(|class| said.code().code().starts_with(class))
}

/// Whether it is about other calls at the same time, and says nothing against the connection.
pub(crate) fn is_contention(error: &Error) -> bool {
    let codes = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// What the server called the error.
pub(crate) fn code(error: &StoreError) -> Option<&SqlState> {
    let (StoreError::NotDone(cause) | StoreError::Unknown(cause)) = error;
    cause.downcast_ref::<Error>()?.code()
}
