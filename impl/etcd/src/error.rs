//! What goes wrong, in words that hold no secrets.

use std::time::Duration;

use lockspace::store::StoreError;
use tonic::{Code, Status};

/// Why a store cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be understood. It is not repeated here: there may be a password in it.
    #[error(
        "the address of the servers cannot be understood: it is written etcd://HOST:PORT[,HOST:PORT…]"
    )]
    Address,
    /// The address asks for TLS, and this was built without the feature `tls`.
    #[error("the address asks for TLS, and this was built without it")]
    NoTls,
    /// A certificate that was to be trusted or shown, or its key, cannot be read.
    #[error("a certificate or its key cannot be read")]
    Certificate,
    /// The servers do not answer, or do not let us in.
    #[error("the servers cannot be used")]
    Server(#[source] StoreError),
    /// Below the prefix of the namespace there are keys that were not made by this library. They are left
    /// as they are.
    #[error("the keys of the namespace belong to something else")]
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

/// Why a call had no effect, where it is not etcd that says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection to the server")]
    NotConnected(#[source] tonic::transport::Error),
    #[error("no connection to any server within {0:?}")]
    NotConnectedInTime(Duration),
    #[error("the server does not let us in")]
    NotLetIn(#[source] Said),
    #[error("no connection to the server: another call has just tried")]
    OtherFailed,
    #[error("the namespace has been made anew in another format than this version knows")]
    OtherFormat,
    #[error("the server's answer cannot be understood")]
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
pub(crate) struct NoAnswer(pub(crate) Duration);

/// What came instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.code(), .0.message())]
pub(crate) struct Said(pub(crate) Status);

/// The outcome of a call that was sent (upholds contract 5).
pub(crate) fn outcome(status: Status) -> StoreError {
    let refused = is_refused(&status);
    let said = Box::new(Said(status));
    if refused { StoreError::NotDone(said) } else { StoreError::Unknown(said) }
}

/// Whether etcd itself says that it has not done the call. `ResourceExhausted` is not among these codes: a
/// server that runs out of space while it applies a transaction applies it, and then says so.
fn is_refused(status: &Status) -> bool {
    let code = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated
    );
    // The same codes are used for what the transport finds wrong.
    code && status.message().starts_with("etcdserver: ")
}

/// Whether the token is too old. Nothing was done, and a new one is to be had.
pub(crate) fn is_stale(status: &Status) -> bool {
    let words = ["etcdserver: invalid auth token", "etcdserver: revision of auth store is old"];
    is_refused(status) && words.contains(&status.message())
}

#[test]
fn only_what_etcd_refuses_is_not_done() {
    let outcome = |code, message| match outcome(Status::new(code, message)) {
        StoreError::NotDone(_) => "not done",
        StoreError::Unknown(_) => "unknown",
    };
    for (code, message, meant) in [
        (Code::PermissionDenied, "etcdserver: permission denied", "not done"),
        (Code::InvalidArgument, "etcdserver: request is too large", "not done"),
        (Code::Unauthenticated, "etcdserver: invalid auth token", "not done"),
        (Code::PermissionDenied, "h2 protocol error: inadequate security", "unknown"),
        (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", "unknown"),
        (Code::Unavailable, "etcdserver: request timed out", "unknown"),
        (Code::Unavailable, "etcdserver: leader changed", "unknown"),
        (Code::Unknown, "transport error", "unknown"),
        (Code::Cancelled, "", "unknown"),
    ] {
        assert_eq!(outcome(code, message), meant, "{code:?} {message}");
    }
}
