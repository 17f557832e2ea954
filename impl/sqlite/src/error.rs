//! What can go wrong, and whether it may have happened all the same.

use std::io;

use lockspace::store::{Cause, StoreError};

use crate::file::FORMAT;

/// Why a file cannot be used. It is left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be made, found or read.
    #[error("the file cannot be opened")]
    Io(#[source] io::Error),
    /// Something else has written the file.
    #[error("the file was not made by a lockspace: it needs one of its own")]
    Foreign,
    /// A version of this library that is older or newer than this one has made the file.
    #[error("the file has format {found}, and this version reads format {FORMAT}")]
    OtherFormat {
        /// The format that it has.
        found: i64,
    },
    /// The file was made by a lockspace and something has happened to it.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The file is on a filesystem that several hosts may use at the same time, or it would be. See
    /// [`Builder::on_one_host`](crate::Builder::on_one_host).
    #[error(
        "the file is on a filesystem that hosts may share ({kind}): it must be on a local disk"
    )]
    SharedFilesystem {
        /// What the system calls such a filesystem.
        kind: String,
    },
    /// The file's place does not have what a write-ahead log needs.
    #[error("no write-ahead log is possible here: the file must be on a local disk")]
    NoWriteAheadLog,
    /// The thread could not be started, or has ended.
    #[error("the thread of the store has ended")]
    ThreadEnded,
    /// Anything else that SQLite says.
    #[error("SQLite cannot open the file")]
    Sqlite(#[source] rusqlite::Error),
}

/// The file is not where it was, so that other processes see another one or none.
#[derive(Debug, thiserror::Error)]
#[error("the file was removed or replaced while it was open: open it anew")]
pub(crate) struct Gone;

/// An answer to another question than was asked.
#[derive(Debug, thiserror::Error)]
#[error("the thread of the store has answered another question: {0}")]
struct Mixed(String);

pub(crate) fn not_done(cause: impl Into<Cause>) -> StoreError {
    StoreError::NotDone(cause.into())
}

pub(crate) fn unknown(cause: impl Into<Cause>) -> StoreError {
    StoreError::Unknown(cause.into())
}

/// Something was done, and it is not known to have been what was asked.
pub(crate) fn done(answer: impl std::fmt::Debug) -> StoreError {
    unknown(Mixed(format!("{answer:?}")))
}
