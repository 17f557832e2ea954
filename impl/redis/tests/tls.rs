//! Encrypted connections: whoever cannot be verified is refused, on either side.
#![cfg(feature = "tls")]

use lockspace::store::{Store, Swap};
use lockspace_redis::{Builder, ConnectError, RedisStore};
use lockspace_servers::{Certificates, Redis, Server};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.into()]).unwrap()
}

/// A server that proves itself with this.
fn server(its: &CertifiedKey<KeyPair>, clients: Option<&str>) -> Option<Server> {
    let (certificate, key) = (its.cert.pem(), its.signing_key.serialize_pem());
    Redis::start_with_certificates(Certificates { certificate: &certificate, key: &key, clients })
}

async fn refused(builder: Builder, address: &str) {
    let refused = builder.connect(address).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
}

#[tokio::test]
async fn calls_and_hints_go_over_tls() {
    let its = certificate("127.0.0.1");
    let Some(server) = server(&its, None) else { return };
    assert!(server.url().starts_with("rediss://"));
    let builder = RedisStore::builder().trust_only(its.cert.pem());
    let store = builder.connect(&server.url()).await.unwrap();
    let Ok(Swap::Swapped(version)) = store.swap("lock/a", None, Some(b"a")).await else { panic!() };
    let (_, swapped) = tokio::join!(
        store.watch("lock/a", Some(version)),
        store.swap("lock/a", Some(version), None),
    );
    assert!(matches!(swapped, Ok(Swap::Swapped(_))));
}

#[tokio::test]
async fn whoever_cannot_be_verified_is_refused() {
    let (its, others) = (certificate("127.0.0.1"), certificate("elsewhere.example"));
    let (Some(good), Some(misnamed)) = (server(&its, None), server(&others, None)) else { return };
    refused(RedisStore::builder(), &good.url()).await;
    let trusting = RedisStore::builder().trust_only(others.cert.pem());
    refused(trusting.clone(), &good.url()).await;
    refused(trusting, &misnamed.url()).await;
    // In the clear it is not spoken to either.
    refused(RedisStore::builder(), &good.url().replace("rediss://", "redis://")).await;
}

#[tokio::test]
async fn nobody_can_ask_not_to_verify() {
    let refused = RedisStore::connect("rediss://host.example/#insecure", "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Address(_)), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_ours() {
    let (its, ours) = (certificate("127.0.0.1"), certificate("app"));
    let Some(server) = server(&its, Some(&ours.cert.pem())) else { return };
    let trusting = RedisStore::builder().trust_only(its.cert.pem());
    refused(trusting.clone(), &server.url()).await;
    let builder = trusting.identity(ours.cert.pem(), ours.signing_key.serialize_pem());
    assert!(!format!("{builder:?}").contains("KEY"));
    let store = builder.connect(&server.url()).await.unwrap();
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_certificate_is_not_trusted() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for builder in
        [RedisStore::builder().trust_only(broken), RedisStore::builder().identity(broken, "no key")]
    {
        let refused = builder.connect("rediss://host.example").await.unwrap_err();
        assert!(matches!(refused, ConnectError::Certificate), "{refused:?}");
    }
}
