//! The connection for calls: made when it is needed, shared by all, given up by whichever does not end well.

use std::time::Duration;

use lockspace::store::StoreError;
use lockspace_remote::{Call, NotConnected, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, ScriptInvocation};

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
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(self.limit))
                .set_response_timeout(Some(self.limit));
            self.client.get_multiplexed_async_connection_with_config(&config).await
        };
        let taken = self.shared.take(|_| true, connect).await;
        taken.map_err(|error| match error {
            NotConnected::Failed(error) => Failure::NotConnected(error),
            NotConnected::OtherFailed => Failure::OtherFailed,
        })
    }
}

fn end<T>(call: Call<'_, MultiplexedConnection>, answer: RedisResult<T>) -> Result<T, StoreError> {
    let answer = answer.map_err(outcome)?;
    call.ended_well();
    Ok(answer)
}
