//! Where the server is, whom to trust, and how a connection to it is made and ended.

use std::future::poll_fn;

use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error};

use crate::ConnectError;

#[cfg(feature = "tls")]
type Tls = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
type Tls = tokio_postgres::NoTls;

/// A server, and the way there.
pub(crate) struct Address {
    config: Config,
    tls: Tls,
}

impl Address {
    /// The address that is written so. `trusted` are certificates of authorities besides the machine's own.
    pub(crate) fn parse(text: &str, trusted: &[Vec<u8>]) -> Result<Self, ConnectError> {
        let config = read(text)?;
        Ok(Self { tls: tls(&config, trusted)?, config })
    }

    /// A connection. What the server says unasked is told to `heard`, and its end to `ended`.
    pub(crate) async fn connect(
        &self,
        heard: impl Fn(AsyncMessage) + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(Client, Task), Error> {
        let (client, mut connection) = self.config.connect(Tls::clone(&self.tls)).await?;
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                heard(message);
            }
            ended();
        });
        Ok((client, Task(task.abort_handle())))
    }
}

/// What an address says.
fn read(text: &str) -> Result<Config, ConnectError> {
    // Whoever requires TLS here has the certificate and its name verified, which others call so.
    let text = text.replace("sslmode=verify-full", "sslmode=require");
    let mut config: Config = text.parse().map_err(|_| ConnectError::Address)?;
    if config.get_application_name().is_none() {
        config.application_name("lockspace");
    }
    Ok(config)
}

/// The task of a connection, which ends when this is dropped, however the server is.
pub(crate) struct Task(AbortHandle);

impl Task {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(feature = "tls")]
fn tls(config: &Config, trusted: &[Vec<u8>]) -> Result<Tls, ConnectError> {
    use std::sync::Arc;

    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use rustls::{ClientConfig, RootCertStore, crypto::ring};

    let mut roots = RootCertStore::empty();
    for pem in trusted {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| ConnectError::Certificate)?;
            roots.add(certificate).map_err(|_| ConnectError::Certificate)?;
        }
    }
    if config.get_ssl_mode() != tokio_postgres::config::SslMode::Disable {
        // Those that cannot be read or understood are not trusted, which is said when it matters.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has what the protocol's versions need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Tls::new(tls))
}

#[cfg(not(feature = "tls"))]
fn tls(_: &Config, trusted: &[Vec<u8>]) -> Result<Tls, ConnectError> {
    if trusted.is_empty() { Ok(tokio_postgres::NoTls) } else { Err(ConnectError::Certificate) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::{any, proptest};
    use tokio_postgres::config::SslMode;

    use super::read;

    /// As it is written in an address.
    fn encoded(text: &str) -> String {
        text.bytes().fold(String::new(), |mut encoded, byte| {
            let _ = write!(encoded, "%{byte:02x}");
            encoded
        })
    }

    #[test]
    fn verify_full_is_what_require_means() {
        let mode = |mode| {
            let config = read(&format!("postgres://app@a/b?sslmode={mode}"));
            config.ok().map(|config| config.get_ssl_mode())
        };
        assert_eq!(mode("verify-full"), Some(SslMode::Require));
        assert_eq!(mode("require"), Some(SslMode::Require));
        assert_eq!(mode("nonsense"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in any::<String>()) {
            let _ = read(&text);
            let _ = read(&format!("postgres://{text}"));
        }

        #[test]
        fn what_looks_like_an_address_is_one_or_an_error(
            url in "(postgres|postgresql)://([a-z%:0-9]{0,8}@)?[a-z0-9.:,%\\[\\]-]{0,12}(/[a-z%]{0,4})?",
            parameters in "([?&][a-z_]{0,16}=[a-z0-9%'\\\\ -]{0,8}){0,3}",
            pairs in "([a-z_]{1,16} ?= ?'?[a-z0-9\\\\ -]{0,8}'? ){0,3}",
        ) {
            let _ = read(&(url + &parameters));
            let _ = read(&pairs);
        }

        #[test]
        fn a_user_and_a_password_may_be_any_text(user in "\\PC{1,8}", password in "\\PC{1,16}") {
            let address = format!("postgres://{}:{}@a/b", encoded(&user), encoded(&password));
            let config = read(&address).expect("it is an address");
            assert_eq!(config.get_user(), Some(&user[..]));
            assert_eq!(config.get_password(), Some(password.as_bytes()));
        }
    }
}
