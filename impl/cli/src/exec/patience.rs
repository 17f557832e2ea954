//! How long `exec` waits for its name.
//!
//! A limit counts against those who live. Only whoever asks for a name for a whole ttl of its holder finds
//! out that the holder is dead, and what a limit is shorter than that would be refused for ever. So a wait
//! that has reached its limit goes on until it has seen a sign of life of somebody who stands before it, or
//! has the name.
//!
//! What this file must not do: judge by itself who lives. The library does.

use std::future::IntoFuture;
use std::time::Duration;

use lockspace::store::OperateError;
use lockspace::{AcquireError, Guard, LockSpace};
use tokio::time::{Instant, sleep_until};

use crate::exit::Exit;
use crate::store::chain;

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as it takes.
    Unlimited,
    /// So long, if somebody lives who stands before.
    WithTheLiving(Duration),
    /// Not at all, whoever has the name.
    AtOnce,
}

impl Patience {
    /// What the options `--no-wait` and `--wait` mean.
    pub(super) fn new(no_wait: bool, wait: Option<Duration>) -> Self {
        match (no_wait, wait) {
            (true, _) => Self::WithTheLiving(Duration::ZERO),
            (false, Some(Duration::ZERO)) => Self::AtOnce,
            (false, Some(limit)) => Self::WithTheLiving(limit),
            (false, None) => Self::Unlimited,
        }
    }
}

/// Why the name is not held.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{}", chain(.0))]
    Answer(#[from] AcquireError),
    #[error("{0:?} is held, or waited for, by somebody who lives: try again later, or wait for it")]
    Busy(String),
    #[error("{0:?} did not come free within {1:?}: somebody who lives is before it")]
    TimedOut(String, Duration),
    #[error("{}", chain(.0))]
    Unseen(OperateError),
}

impl Refused {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Busy(_)
            | Self::TimedOut(..)
            | Self::Answer(AcquireError::Busy { .. } | AcquireError::TimedOut(_)) => Exit::Busy,
            Self::Answer(_) | Self::Unseen(_) => Exit::ExecFailed,
        }
    }
}

/// Asks for the name.
pub(super) async fn acquire<'s>(
    space: &'s LockSpace,
    name: &str,
    patience: Patience,
) -> Result<Guard<'s>, Refused> {
    let acquire = space.acquire(name);
    let limit = match patience {
        Patience::Unlimited => return Ok(acquire.await?),
        Patience::AtOnce => return Ok(acquire.wait_timeout(Duration::ZERO).await?),
        Patience::WithTheLiving(limit) => limit,
    };
    tokio::select! {
        biased; // Whoever is granted the name has it, whatever else was seen.
        granted = acquire.into_future() => Ok(granted?),
        seen = limit_and_sign_of_life(space, name, limit) => Err(match seen {
            Err(unseen) => Refused::Unseen(unseen),
            Ok(()) if limit.is_zero() => Refused::Busy(name.to_owned()),
            Ok(()) => Refused::TimedOut(name.to_owned(), limit),
        }),
    }
}

/// Until both have come: the limit, and a sign of life. An outage may last as long as the limit.
async fn limit_and_sign_of_life(
    space: &LockSpace,
    name: &str,
    limit: Duration,
) -> Result<(), OperateError> {
    // No span is longer than a clock can tell.
    let end = Instant::now() + limit;
    loop {
        let seen = space.until_seen_alive(name).await;
        if Instant::now() >= end || !matches!(seen, Err(OperateError::Store { .. })) {
            sleep_until(end).await;
            return seen;
        }
    }
}
