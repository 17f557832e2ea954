//! Encrypted connections: whoever cannot be verified is refused, on either side.
#![cfg(feature = "tls")]

use lockspace::store::{Store, Swap};
use lockspace_etcd::{Builder, ConnectError, EtcdStore};
use lockspace_servers::{Certificates, Etcd, Server};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.into()]).unwrap()
}

/// A server that proves itself with this.
fn server(its: &CertifiedKey<KeyPair>, clients: Option<&str>) -> Option<Server> {
    let (certificate, key) = (its.cert.pem(), its.signing_key.serialize_pem());
    Etcd::start_with_certificates(Certificates { certificate: &certificate, key: &key, clients })
}

async fn connect(builder: Builder, server: &Server) -> Result<EtcdStore, ConnectError> {
    builder.connect(&server.url()).await
}

#[tokio::test]
async fn calls_and_hints_go_over_tls() {
    let its = certificate("127.0.0.1");
    let Some(server) = server(&its, None) else { return };
    assert!(server.url().starts_with("etcds://"));
    let store = connect(EtcdStore::builder().trust(its.cert.pem()), &server).await.unwrap();
    let swapped = store.swap("lock/a", None, Some(b"a")).await.unwrap();
    assert!(matches!(swapped, Swap::Swapped(_)));
    store.watch("lock/a", None).await;
}

#[tokio::test]
async fn whoever_cannot_be_verified_is_refused() {
    let (its, others) = (certificate("127.0.0.1"), certificate("elsewhere.example"));
    let (Some(good), Some(misnamed)) = (server(&its, None), server(&others, None)) else { return };
    for (server, trusted) in [(&good, None), (&good, Some(&others)), (&misnamed, Some(&others))] {
        let builder = EtcdStore::builder();
        let builder = match trusted {
            Some(trusted) => builder.trust(trusted.cert.pem()),
            None => builder,
        };
        let refused = connect(builder, server).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
    }
    // In the clear it is not spoken to either.
    let clear = good.url().replace("etcds://", "etcd://");
    let refused = EtcdStore::connect(&clear, "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_ours() {
    let (its, ours) = (certificate("127.0.0.1"), certificate("app"));
    let Some(server) = server(&its, Some(&ours.cert.pem())) else { return };
    let trusting = EtcdStore::builder().trust(its.cert.pem());
    let refused = connect(trusting.clone(), &server).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
    let builder = trusting.identity(ours.cert.pem(), ours.signing_key.serialize_pem());
    assert!(!format!("{builder:?}").contains("KEY"));
    assert_eq!(connect(builder, &server).await.unwrap().load("lock/a").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_certificate_is_not_trusted() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for builder in
        [EtcdStore::builder().trust(broken), EtcdStore::builder().identity(broken, "no key")]
    {
        let refused = builder.connect("etcds://host.example").await.unwrap_err();
        assert!(matches!(refused, ConnectError::Certificate), "{refused:?}");
    }
}
