//! The connection for calls: made when it is needed, shared by all, given up by whichever does not end well.

use std::time::Duration;

use lockspace::store::StoreError;
use lockspace_remote::{Call, NotConnected, Shared};
use tokio::time::timeout;
use tonic::Status;

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Failure, NoAnswer, is_stale, outcome};

/// A line to the servers.
pub(crate) struct Line {
    address: Address,
    limit: Duration,
    shared: Shared<Connection>,
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

    /// Calls a method. Nothing is sent again, but what was refused for the age of a token: once, with a new
    /// one.
    pub(crate) async fn call<Q, A>(
        &self,
        method: &'static str,
        question: Q,
    ) -> Result<A, StoreError>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let call = self.take().await?;
        let answer = timeout(self.limit, call.call(method, question.clone())).await;
        let call = match answer {
            // The token goes with the connection.
            Ok(Err(status)) if is_stale(&status) => {
                drop(call);
                self.take().await?
            }
            answer => return self.end(call, answer),
        };
        let answer = timeout(self.limit, call.call(method, question)).await;
        self.end(call, answer)
    }

    fn end<A, Late>(
        &self,
        call: Call<'_, Connection>,
        answer: Result<Result<A, Status>, Late>,
    ) -> Result<A, StoreError> {
        let late = |_| StoreError::Unknown(Box::new(NoAnswer(self.limit)));
        let answer = answer.map_err(late)?.map_err(outcome)?;
        call.ended_well();
        Ok(answer)
    }

    async fn take(&self) -> Result<Call<'_, Connection>, Failure> {
        let taken = self.shared.take(|_| true, || self.address.connect()).await;
        taken.map_err(|error| match error {
            NotConnected::Failed(failure) => failure,
            NotConnected::OtherFailed => Failure::OtherFailed,
        })
    }
}
