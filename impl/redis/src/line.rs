//! The connection for calls: made when it is needed, shared by all, given up by whichever does not end well.

use std::time::Duration;

use lockspace::store::StoreError;
use lockspace_remote::{Call, NotConnected, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, ScriptInvocation};
use redis::{Value, cmd, from_redis_value};
use tokio::time::timeout;

use crate::error::{Failure, outcome};

/// A line to the server.
pub(crate) struct Line {
    client: Client,
    limit: Duration,
    shared: Shared<MultiplexedConnection>,
}

impl Line {
    pub(crate) fn new(client: Client, limit: Duration) -> Self {
        Self { client, limit, shared: Shared::default() }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// What the server answers to a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let call = self.take().await?;
        let answer = command.query_async(&mut MultiplexedConnection::clone(&call)).await;
        end(call, answer)
    }

    /// What a script returns. A server that does not know it says so, has then done nothing, and is given it.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let call = self.take().await?;
        let answer = script.invoke_async(&mut MultiplexedConnection::clone(&call)).await;
        end(call, answer)
    }

    async fn take(&self) -> Result<Call<'_, MultiplexedConnection>, Failure> {
        let connect = || async {
            let made = timeout(self.limit, self.connect()).await;
            made.map_err(|_| Failure::NotConnectedInTime(self.limit))?
        };
        let taken = self.shared.take(|_| true, connect).await;
        taken.map_err(|error| match error {
            NotConnected::Failed(failure) => failure,
            NotConnected::OtherFailed => Failure::OtherFailed,
        })
    }

    /// A connection to a primary. Which server an address leads to may change.
    async fn connect(&self) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limit))
            .set_response_timeout(Some(self.limit));
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = made.map_err(Failure::NotConnected)?;
        let role = cmd("ROLE").query_async::<Vec<Value>>(&mut connection).await;
        match role.map_err(Failure::NotConnected)?.into_iter().next().map(from_redis_value) {
            Some(Ok::<String, _>(role)) if role == "master" => Ok(connection),
            _ => Err(Failure::NoPrimary),
        }
    }
}

fn end<T>(call: Call<'_, MultiplexedConnection>, answer: RedisResult<T>) -> Result<T, StoreError> {
    let answer = answer.map_err(outcome)?;
    call.ended_well();
    Ok(answer)
}
