//! Whom to trust, and whom to be, when a connection is encrypted.

use std::fmt;

use redis::Client;

use crate::ConnectError;

/// All in PEM.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    /// Of authorities to be trusted instead of those that the machine trusts.
    pub(crate) trusted: Option<Vec<u8>>,
    /// Ours, and its key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    /// The server at this address, for whoever has these certificates.
    #[cfg(feature = "tls")]
    pub(crate) fn client(self, address: &str) -> Result<Client, ConnectError> {
        use redis::{ClientTlsConfig, ConnectionAddr, ErrorKind, TlsCertificates};
        use rustls::crypto::{CryptoProvider, ring};

        let client = Client::open(address).map_err(ConnectError::Address)?;
        let to = client.get_connection_info();
        match to.addr() {
            ConnectionAddr::TcpTls { insecure: false, .. } => {}
            ConnectionAddr::TcpTls { .. } => {
                let refused = (ErrorKind::InvalidClientConfig, "the server must be verified");
                return Err(ConnectError::Address(refused.into()));
            }
            _ => return Ok(client),
        }
        if CryptoProvider::get_default().is_none() {
            // An error says that somebody has just chosen another one.
            let _ = ring::default_provider().install_default();
        }
        let client_tls = self
            .identity
            .map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        let certificates = TlsCertificates { client_tls, root_cert: self.trusted };
        // That it is an address for TLS is known.
        Client::build_with_tls(to.clone(), certificates).map_err(|_| ConnectError::Certificate)
    }

    /// The server at this address. One for TLS is refused.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn client(self, address: &str) -> Result<Client, ConnectError> {
        if self.trusted.is_some() || self.identity.is_some() {
            return Err(ConnectError::Certificate);
        }
        Client::open(address).map_err(ConnectError::Address)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is secret.
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
