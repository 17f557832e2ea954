//! Encrypted connections: what `sslmode` asks for is what happens, and whoever cannot be verified is refused.
#![cfg(feature = "tls")]

use lockspace_postgres::{ConnectError, PostgresStore};
use lockspace_servers::{Postgres, Server};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_postgres::NoTls;

/// A server with a certificate for this name, and that certificate.
fn server_named(name: &str) -> Option<(Server, String)> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.into()]).unwrap();
    let server = Postgres::start_with_certificate(&cert.pem(), &signing_key.serialize_pem())?;
    Some((server, cert.pem()))
}

async fn connect(
    server: &Server,
    mode: &str,
    trusted: &str,
) -> Result<PostgresStore, ConnectError> {
    let address = format!("{}?sslmode={mode}", server.url());
    PostgresStore::builder().trust(trusted).connect(&address).await
}

/// How many connections of ours are encrypted, and how many are not.
async fn encrypted(server: &Server) -> (i64, i64) {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let count = "select count(*) filter (where ssl), count(*) filter (where not ssl) \
                 from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'lockspace'";
    let row = client.query_one(count, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn connections_are_encrypted_where_the_server_can() {
    let Some((server, certificate)) = server_named("127.0.0.1") else { return };
    let mut open = Vec::new();
    for (mode, meant) in
        [("prefer", (1, 0)), ("require", (2, 0)), ("verify-full", (3, 0)), ("disable", (3, 1))]
    {
        open.push(connect(&server, mode, &certificate).await.unwrap());
        assert_eq!(encrypted(&server).await, meant, "{mode}");
    }
}

#[tokio::test]
async fn whoever_cannot_be_verified_is_refused() {
    let (Some((server, _)), Some((other, its))) =
        (server_named("127.0.0.1"), server_named("elsewhere.example"))
    else {
        return;
    };
    for mode in ["prefer", "require"] {
        let unknown = connect(&server, mode, &its).await.unwrap_err();
        assert!(matches!(unknown, ConnectError::Server(_)), "{mode}: {unknown:?}");
        let misnamed = connect(&other, mode, &its).await.unwrap_err();
        assert!(matches!(misnamed, ConnectError::Server(_)), "{mode}: {misnamed:?}");
    }
}

#[tokio::test]
async fn only_who_prefers_speaks_in_the_clear_to_a_server_that_cannot() {
    let Some(server) = Postgres::start() else { return };
    let _open = connect(&server, "prefer", "").await.unwrap();
    assert_eq!(encrypted(&server).await, (0, 1));
    let refused = connect(&server, "require", "").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
}

#[tokio::test]
async fn what_is_no_certificate_is_not_trusted() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let builder = PostgresStore::builder().trust(broken);
    let refused = builder.connect("postgres://host.example/app").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Certificate), "{refused:?}");
}
