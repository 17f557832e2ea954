//! The connection: made when it is needed, shared by all calls, given up by whichever does not end well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockspace::store::StoreError;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::address::{Address, Task};
use crate::error::{Failure, NoAnswer, is_contention, outcome};

/// What a statement is given.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A line to the server.
pub(crate) struct Line {
    address: Address,
    limit: Duration,
    open: Mutex<Option<Arc<Open>>>,
    /// Held by whoever connects, for all who want to.
    connecting: tokio::sync::Mutex<()>,
    /// How many attempts have failed. Only compared with itself, so any order will do.
    failed: AtomicU64,
}

/// A connection, closed when the last call on it has ended and it was given up.
struct Open {
    client: Client,
    _task: Task,
}

impl Line {
    pub(crate) fn new(address: Address, limit: Duration) -> Self {
        let (open, connecting) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Self { address, limit, open, connecting, failed: AtomicU64::new(0) }
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// What the server answers to this statement, which is a transaction of its own: unnamed, and sent in one
    /// piece, so that a pooler may give each call another of its connections.
    pub(crate) async fn rows(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let call = self.take().await?;
        // The rows are whole when the server is ready for the next call, which is after the commit.
        let answer = timeout(self.limit, call.open.client.query_typed(statement, parameters)).await;
        call.end(answer.map_err(|_| NoAnswer(self.limit)))
    }

    /// Runs statements that say themselves where their transaction begins and ends.
    pub(crate) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        let call = self.take().await?;
        let answer = timeout(self.limit, call.open.client.batch_execute(statements)).await;
        call.end(answer.map_err(|_| NoAnswer(self.limit)))
    }

    /// The connection, for one call.
    async fn take(&self) -> Result<Call<'_>, StoreError> {
        let failed = self.failed.load(Ordering::Relaxed);
        if let Some(call) = self.on_open() {
            return Ok(call);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(call) = self.on_open() {
            return Ok(call);
        }
        if self.failed.load(Ordering::Relaxed) != failed {
            // Those who waited meanwhile do not each wait for an attempt of their own.
            return Err(Failure::OtherFailed.into());
        }
        let made = self.connect().await.inspect_err(|_| {
            self.failed.fetch_add(1, Ordering::Relaxed);
        });
        let open = Arc::new(made?);
        *self.open() = Some(Arc::clone(&open));
        Ok(Call { line: self, open, ended_well: false })
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let made = timeout(self.limit, self.address.connect(|_| {}, || {})).await;
        let made = made.map_err(|_| Failure::NotConnectedInTime(self.limit))?;
        let (client, task) = made.map_err(Failure::NotConnected)?;
        Ok(Open { client, _task: task })
    }

    /// A call on the connection that is there, unless that is known to be closed.
    fn on_open(&self) -> Option<Call<'_>> {
        let open = self.open().clone().filter(|open| !open.client.is_closed())?;
        Some(Call { line: self, open, ended_well: false })
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way. If it is dropped before its answer, or the answer is an error, the next call has a new
/// connection: this one may be dead, or lead to a server that is no primary any more (contract 6).
struct Call<'a> {
    line: &'a Line,
    open: Arc<Open>,
    ended_well: bool,
}

impl Call<'_> {
    /// What the answer says, if there is one.
    fn end<T>(mut self, answer: Result<Result<T, Error>, NoAnswer>) -> Result<T, StoreError> {
        let answer = answer.map_err(|late| StoreError::Unknown(Box::new(late)))?;
        self.ended_well = answer.as_ref().err().is_none_or(is_contention);
        answer.map_err(outcome)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut open = self.line.open();
        if !self.ended_well && open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &self.open)) {
            *open = None;
        }
    }
}
