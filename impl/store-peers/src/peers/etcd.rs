//! etcd: bare round trips, and its own lock service.
//!
//! The messages stand in `rpc.proto` and `v3lock.proto` of etcd 3.4 to 3.6.

use http::uri::PathAndQuery;
use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::peer::{Peer, Place};

#[derive(Clone, PartialEq, Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct LeaseGrant {
    #[prost(int64, tag = "1")]
    ttl: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Lease {
    #[prost(int64, tag = "2")]
    id: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Lock {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(int64, tag = "2")]
    lease: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Locked {
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Unlock {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// What nobody reads.
#[derive(Clone, PartialEq, Message)]
struct Ignored {}

async fn connect(url: &str) -> Channel {
    let endpoint =
        Endpoint::from_shared(url.replacen("etcd", "http", 1)).expect("it is an address");
    endpoint.tcp_nodelay(true).connect().await.expect("the server runs")
}

async fn call<Q, A>(channel: &Channel, method: &'static str, question: Q) -> A
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("the server runs");
    let (path, codec) = (PathAndQuery::from_static(method), ProstCodec::<Q, A>::default());
    let answer = client.unary(Request::new(question), path, codec).await;
    answer.expect("the server runs").into_inner()
}

/// Puts a key, and puts it again.
pub(crate) struct Bare(Channel);

impl Bare {
    async fn put(&self, name: &str) {
        let put = Put { key: format!("bare/{name}").into_bytes(), value: b"value".to_vec() };
        let Ignored {} = call(&self.0, "/etcdserverpb.KV/Put", put).await;
    }
}

impl Peer for Bare {
    const NAME: &'static str = "*two Puts*";
    const PLACE: Place = Place::Etcd;
    type Held<'p> = &'p str;

    async fn connect(url: &str) -> Self {
        Self(connect(url).await)
    }

    async fn another(&self) -> Self {
        Self(self.0.clone())
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> &'p str {
        self.put(name).await;
        name
    }

    async fn release<'p>(&'p self, name: &'p str) {
        self.put(name).await;
    }
}

/// Its own lock service. Whoever has the same lease has the same lock, so each user has one.
pub(crate) struct LockService {
    channel: Channel,
    lease: i64,
}

impl LockService {
    async fn over(channel: Channel) -> Self {
        let method = "/etcdserverpb.Lease/LeaseGrant";
        // Long enough not to be kept alive.
        let lease: Lease = call(&channel, method, LeaseGrant { ttl: 600 }).await;
        Self { channel, lease: lease.id }
    }
}

impl Peer for LockService {
    const NAME: &'static str = "etcd's lock service";
    const PLACE: Place = Place::Etcd;
    type Held<'p> = Vec<u8>;

    async fn connect(url: &str) -> Self {
        Self::over(connect(url).await).await
    }

    async fn another(&self) -> Self {
        Self::over(self.channel.clone()).await
    }

    async fn acquire<'p>(&'p self, name: &'p str) -> Vec<u8> {
        let lock = Lock { name: name.into(), lease: self.lease };
        let locked: Locked = call(&self.channel, "/v3lockpb.Lock/Lock", lock).await;
        locked.key
    }

    async fn release(&self, key: Vec<u8>) {
        let Ignored {} = call(&self.channel, "/v3lockpb.Lock/Unlock", Unlock { key }).await;
    }
}
