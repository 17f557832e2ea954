//! Where the servers are, whom to trust, and how a connection to one of them is made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::ConnectError;
use crate::connection::Connection;
use crate::error::{Failure, Said};
use crate::proto::{AUTHENTICATE, AuthenticateRequest, AuthenticateResponse};

/// How often a connection on which hints are awaited is asked whether it lives. A server tolerates one ping
/// in five seconds (`--grpc-keepalive-min-time`).
const PING_EVERY: Duration = Duration::from_secs(10);

/// Certificates in PEM.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    /// Of authorities to be trusted, besides those that the machine trusts.
    pub(crate) trusted: Vec<Vec<u8>>,
    /// What is shown to the server, and its key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// The servers of a cluster, and the way there.
pub(crate) struct Address {
    endpoints: Vec<Endpoint>,
    login: Option<AuthenticateRequest>,
    /// Which server is tried first when the next connection is made: not the one that just failed.
    next: AtomicUsize,
    limit: Duration,
}

impl Address {
    /// The address that is written so.
    pub(crate) fn parse(
        text: &str,
        certificates: &Certificates,
        limit: Duration,
    ) -> Result<Self, ConnectError> {
        let (tls, rest) = match text.split_once("://") {
            Some(("etcd", rest)) => (false, rest),
            Some(("etcds", rest)) => (true, rest),
            _ => return Err(ConnectError::Address),
        };
        let (login, hosts) = match rest.rsplit_once('@') {
            Some((login, hosts)) => (Some(parse_login(login)?), hosts),
            None => (None, rest),
        };
        let hosts = hosts.strip_suffix('/').unwrap_or(hosts).split(',');
        let endpoints = hosts.map(|host| parse_host(host, tls, certificates, limit));
        let endpoints = endpoints.collect::<Result<_, _>>()?;
        Ok(Self { endpoints, login, next: AtomicUsize::new(0), limit })
    }

    /// A connection to the first server that answers and lets us in.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        self.connect_as(Endpoint::clone).await
    }

    /// A connection that finds by itself that the server is gone, while something is awaited on it.
    pub(crate) async fn connect_to_watch(&self) -> Result<Connection, Failure> {
        let watching = |endpoint: &Endpoint| {
            let pings = endpoint.clone().http2_keep_alive_interval(PING_EVERY);
            pings.keep_alive_timeout(self.limit)
        };
        self.connect_as(watching).await
    }

    async fn connect_as(&self, how: impl Fn(&Endpoint) -> Endpoint) -> Result<Connection, Failure> {
        let servers = self.endpoints.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let share = self.limit / u32::try_from(servers).unwrap_or(u32::MAX);
        let mut failure = Failure::NotConnectedInTime(self.limit);
        for turn in 0..servers {
            let endpoint = how(&self.endpoints[(first.wrapping_add(turn)) % servers]);
            match timeout(share, self.enter(&endpoint)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(why)) => failure = why,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    async fn enter(&self, endpoint: &Endpoint) -> Result<Connection, Failure> {
        let channel = endpoint.connect().await.map_err(Failure::NotConnected)?;
        let Some(login) = &self.login else { return Ok(Connection::new(channel, None)) };
        let token = token(&channel, login.clone()).await?;
        Ok(Connection::new(channel, token))
    }
}

/// The token by which the server knows who we are; none if it does not care.
async fn token(channel: &Channel, login: AuthenticateRequest) -> Result<Option<String>, Failure> {
    let stranger = Connection::new(channel.clone(), None);
    match stranger.call::<_, AuthenticateResponse>(AUTHENTICATE, login).await {
        Ok(answer) => Ok(Some(answer.token)),
        Err(status)
            if status.code() == Code::FailedPrecondition
                && status.message() == "etcdserver: authentication is not enabled" =>
        {
            Ok(None)
        }
        Err(status) => Err(Failure::NotLetIn(Said(status))),
    }
}

/// `USER:PASSWORD`, each with `%` and two digits for what could be misunderstood.
fn parse_login(text: &str) -> Result<AuthenticateRequest, ConnectError> {
    let (name, password) = text.split_once(':').ok_or(ConnectError::Address)?;
    let decoded = |text| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(std::borrow::Cow::into_owned).map_err(|_| ConnectError::Address)
    };
    Ok(AuthenticateRequest { name: decoded(name)?, password: decoded(password)? })
}

/// `HOST[:PORT]`.
fn parse_host(
    host: &str,
    tls: bool,
    certificates: &Certificates,
    limit: Duration,
) -> Result<Endpoint, ConnectError> {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let port = if has_port { "" } else { ":2379" };
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Err(ConnectError::Address);
    }
    let scheme = if tls { "https" } else { "http" };
    let uri = format!("{scheme}://{host}{port}");
    let endpoint = Endpoint::from_shared(uri).map_err(|_| ConnectError::Address)?;
    let endpoint = endpoint.connect_timeout(limit).tcp_nodelay(true);
    if tls { encrypted(endpoint, certificates) } else { Ok(endpoint) }
}

#[cfg(feature = "tls")]
fn encrypted(endpoint: Endpoint, certificates: &Certificates) -> Result<Endpoint, ConnectError> {
    use rustls::RootCertStore;
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use tonic::transport::{ClientTlsConfig, Identity};

    let mut roots = RootCertStore::empty();
    for pem in &certificates.trusted {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| ConnectError::Certificate)?;
            roots.add(certificate).map_err(|_| ConnectError::Certificate)?;
        }
    }
    // Those that cannot be read or understood are not trusted, which is said when it matters.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut tls = ClientTlsConfig::new().trust_anchors(roots.roots);
    if let Some((certificate, key)) = &certificates.identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    endpoint.tls_config(tls).map_err(|_| ConnectError::Certificate)
}

#[cfg(not(feature = "tls"))]
fn encrypted(_: Endpoint, _: &Certificates) -> Result<Endpoint, ConnectError> {
    Err(ConnectError::NoTls)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::{any, proptest};

    use super::{Address, Certificates, Duration};

    fn parse(text: &str) -> Option<Address> {
        Address::parse(text, &Certificates::default(), Duration::from_secs(1)).ok()
    }

    #[test]
    fn an_address_names_servers_and_who_logs_in() {
        let hosts = |text: &str| {
            let address = parse(text).unwrap_or_else(|| panic!("{text} is an address"));
            let hosts = address.endpoints.iter().map(|endpoint| endpoint.uri().to_string());
            hosts.collect::<Vec<_>>()
        };
        assert_eq!(hosts("etcd://a"), ["http://a:2379/"]);
        assert_eq!(hosts("etcd://a:1,b/"), ["http://a:1/", "http://b:2379/"]);
        assert_eq!(hosts("etcd://[::1],[::1]:7"), ["http://[::1]:2379/", "http://[::1]:7/"]);
        let login = parse("etcd://app:p%40%2Fs@w@a").expect("the last @ ends the login").login;
        let login = login.expect("somebody logs in");
        assert_eq!((&login.name[..], &login.password[..]), ("app", "p@/s@w"));
        assert!(parse("etcd://a").expect("it is one").login.is_none());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a",
            "http://a",
            "etcd://",
            "etcd://a,",
            "etcd://a/b",
            "etcd://a?b",
            "etcd://app@a",
            "etcd://:x@",
            "etcd://a:b:c",
            "etcd://a b",
            "etcd://app:%ff@a",
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse(&format!("etcd://{text}"));
        }

        #[test]
        fn what_looks_like_an_address_is_one_or_an_error(
            login in "([a-z%0-9]{0,6}:?[a-z%0-9@]{0,6}@)?",
            hosts in "[a-z0-9.:,%\\[\\]@/-]{0,16}",
        ) {
            let _ = parse(&format!("etcd://{login}{hosts}"));
        }

        #[test]
        fn a_user_and_a_password_may_be_any_text(user in "\\PC{0,8}", password in "\\PC{0,16}") {
            let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let address = format!("etcd://{}:{}@a", encoded(&user), encoded(&password));
            let login = parse(&address).and_then(|address| address.login).expect("somebody logs in");
            assert_eq!((login.name, login.password), (user, password));
        }
    }
}
