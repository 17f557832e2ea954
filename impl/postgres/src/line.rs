//! The connection: made when it is needed, shared by all calls, given up by whichever does not end well.

use std::time::Duration;

use lockspace::store::StoreError;
use lockspace_remote::{Call, NotConnected, Shared, Task};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::address::Address;
use crate::error::{Failure, NoAnswer, is_contention, outcome};

/// What a statement is given.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A line to the server.
pub(crate) struct Line {
    address: Address,
    limit: Duration,
    shared: Shared<Open>,
}

/// A connection, closed when the last call on it has ended and it was given up.
struct Open {
    client: Client,
    _task: Task,
}

impl Line {
    pub(crate) fn new(address: Address, limit: Duration) -> Self {
        Self { address, limit, shared: Shared::default() }
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
        let answer = timeout(self.limit, call.client.query_typed(statement, parameters)).await;
        end(call, answer.map_err(|_| NoAnswer(self.limit)))
    }

    /// Runs statements that say themselves where their transaction begins and ends.
    pub(crate) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        let call = self.take().await?;
        let answer = timeout(self.limit, call.client.batch_execute(statements)).await;
        end(call, answer.map_err(|_| NoAnswer(self.limit)))
    }

    /// The connection, for one call, unless it is known to be closed.
    async fn take(&self) -> Result<Call<'_, Open>, Failure> {
        let taken = self.shared.take(|open| !open.client.is_closed(), || self.connect()).await;
        taken.map_err(|error| match error {
            NotConnected::Failed(failure) => failure,
            NotConnected::OtherFailed => Failure::OtherFailed,
        })
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let (client, task) = self.address.connect(self.limit, |_| {}, || {}).await?;
        Ok(Open { client, _task: task })
    }
}

/// What the answer says, if there is one.
fn end<T>(
    call: Call<'_, Open>,
    answer: Result<Result<T, Error>, NoAnswer>,
) -> Result<T, StoreError> {
    let answer = answer.map_err(|late| StoreError::Unknown(Box::new(late)))?;
    if answer.as_ref().err().is_none_or(is_contention) {
        call.ended_well();
    }
    answer.map_err(outcome)
}
