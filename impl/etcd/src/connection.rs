//! A connection to one server, and the calls that are made on it.

use futures_util::{StreamExt, stream};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::proto::{WATCH, WatchRequest, WatchResponse};

/// What the server may answer at most: a page of rows, none of which it would have taken if it were greater
/// than 1.5 MiB.
const MOST: usize = 1 << 30;

/// A connection. It is closed when all calls on it have ended and it is dropped.
pub(crate) struct Connection {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

impl Connection {
    /// Whoever calls on it is known by the token.
    pub(crate) fn new(channel: Channel, token: Option<String>) -> Self {
        // A token that is no text of this kind would be refused, as is none.
        let token = token.and_then(|token| {
            let mut token: MetadataValue<Ascii> = token.parse().ok()?;
            token.set_sensitive(true);
            Some(token)
        });
        Self { channel, token }
    }

    /// Calls a method, once.
    pub(crate) async fn call<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = self.client().await?;
        let request = self.signed(Request::new(question));
        let path = PathAndQuery::from_static(method);
        let answer = client.unary(request, path, ProstCodec::<Q, A>::default()).await?;
        Ok(answer.into_inner())
    }

    /// What happens to the keys that are asked for. The server ends it when it has no leader.
    pub(crate) async fn watch(
        &self,
        question: WatchRequest,
    ) -> Result<Streaming<WatchResponse>, Status> {
        let mut client = self.client().await?;
        // The end of the questions would be the end of the answers.
        let questions = stream::once(std::future::ready(question)).chain(stream::pending());
        let mut request = self.signed(Request::new(questions));
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let path = PathAndQuery::from_static(WATCH);
        let answer = client.streaming(request, path, ProstCodec::default()).await?;
        Ok(answer.into_inner())
    }

    async fn client(&self) -> Result<Grpc<Channel>, Status> {
        let mut client = Grpc::new(self.channel.clone()).max_decoding_message_size(MOST);
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }

    fn signed<Q>(&self, mut request: Request<Q>) -> Request<Q> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }
}
