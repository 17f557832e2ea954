//! The connection: made when it is needed, shared by all calls, given up by whichever does not end well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockspace::store::StoreError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use crate::error::{Failure, outcome};

/// A line to the server.
pub(crate) struct Line {
    client: Client,
    config: AsyncConnectionConfig,
    open: Mutex<Option<Numbered>>,
    /// Held by whoever connects, for all who want to.
    connecting: tokio::sync::Mutex<u64>,
    /// How many attempts have failed. Only compared with itself, so any order will do.
    failed: AtomicU64,
}

/// The number says which connection it is, so that nobody gives up a newer one.
#[derive(Clone)]
struct Numbered(u64, MultiplexedConnection);

impl Line {
    pub(crate) fn new(client: Client, config: AsyncConnectionConfig) -> Self {
        let (open, connecting) = (Mutex::new(None), tokio::sync::Mutex::new(0));
        Self { client, config, open, connecting, failed: AtomicU64::new(0) }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The connection, for one call.
    pub(crate) async fn take(&self) -> Result<Call<'_>, StoreError> {
        let failed = self.failed.load(Ordering::Relaxed);
        if let Some(open) = self.open().clone() {
            return Ok(self.call(open));
        }
        let mut last = self.connecting.lock().await;
        if let Some(open) = self.open().clone() {
            return Ok(self.call(open));
        }
        if self.failed.load(Ordering::Relaxed) != failed {
            // Those who waited meanwhile do not each wait for an attempt of their own.
            return Err(Failure::OtherFailed.into());
        }
        let made = self.client.get_multiplexed_async_connection_with_config(&self.config).await;
        let connection = made.map_err(|error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            Failure::NotConnected(error)
        })?;
        *last += 1;
        let open = Numbered(*last, connection);
        *self.open() = Some(open.clone());
        Ok(self.call(open))
    }

    fn call(&self, open: Numbered) -> Call<'_> {
        Call { line: self, number: open.0, connection: open.1, ended_well: false }
    }

    fn open(&self) -> MutexGuard<'_, Option<Numbered>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way. If it is dropped before its answer, or the answer is an error, the next call has a new
/// connection: this one may be dead, or lead to a server that is no primary any more (contract 6).
pub(crate) struct Call<'a> {
    line: &'a Line,
    number: u64,
    pub(crate) connection: MultiplexedConnection,
    ended_well: bool,
}

impl Call<'_> {
    /// What the answer says.
    pub(crate) fn end<T>(mut self, answer: RedisResult<T>) -> Result<T, StoreError> {
        self.ended_well = answer.is_ok();
        answer.map_err(outcome)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut open = self.line.open();
        if !self.ended_well && open.as_ref().is_some_and(|open| open.0 == self.number) {
            *open = None;
        }
    }
}
