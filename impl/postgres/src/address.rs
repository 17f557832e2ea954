//! Where the server is, whom to trust, and how a connection to it is made and ended.

use std::future::poll_fn;
use std::time::Duration;

use lockspace_remote::Task;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Socket};

use crate::ConnectError;
use crate::error::Failure;

#[cfg(feature = "tls")]
type Tls = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
type Tls = tokio_postgres::NoTls;

type Connection = tokio_postgres::Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>;

/// A server, or several of which one will do, and the way there.
pub(crate) struct Address {
    servers: Vec<Config>,
    tls: Tls,
}

impl Address {
    /// The address that is written so. `trusted` are certificates of authorities besides the machine's own.
    pub(crate) fn parse(text: &str, trusted: &[Vec<u8>]) -> Result<Self, ConnectError> {
        let config = read(text)?;
        Ok(Self { tls: tls(&config, trusted)?, servers: apart(config) })
    }

    /// A connection to the first server that lets us in, within this limit. What the server says unasked is
    /// told to `heard`, and its end to `ended`.
    pub(crate) async fn connect(
        &self,
        limit: Duration,
        heard: impl Fn(AsyncMessage) + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(Client, Task), Failure> {
        let (client, mut connection) = self.enter(limit).await?;
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                heard(message);
            }
            ended();
        });
        Ok((client, task.into()))
    }

    /// Each server has its share of the limit: one that accepts and says nothing hides none that comes after
    /// it. The driver has a limit for the first packet only.
    async fn enter(&self, limit: Duration) -> Result<(Client, Connection), Failure> {
        let share = limit / u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        let mut failure = Failure::NotConnectedInTime(limit);
        for server in &self.servers {
            match timeout(share, server.connect(Tls::clone(&self.tls))).await {
                Ok(Ok(entered)) => return Ok(entered),
                Ok(Err(why)) => failure = Failure::NotConnected(why),
                Err(_) => {}
            }
        }
        Err(failure)
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

/// The servers of an address, one by one, in their order. What makes no sense is left to the driver to say.
fn apart(config: Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let servers = hosts.max(addresses);
    let paired = hosts == 0 || addresses == 0 || hosts == addresses;
    if servers < 2 || !paired || ![0, 1, servers].contains(&config.get_ports().len()) {
        return vec![config];
    }
    (0..servers).map(|n| alone(&config, n)).collect()
}

/// One server of several, with all that is said of all of them.
fn alone(of: &Config, n: usize) -> Config {
    let mut one = Config::new();
    match of.get_hosts().get(n) {
        Some(Host::Tcp(host)) => one.host(host),
        #[cfg(unix)]
        Some(Host::Unix(path)) => one.host_path(path),
        None => &mut one,
    };
    of.get_hostaddrs().get(n).map(|address| one.hostaddr(*address));
    of.get_ports().get(n).or(of.get_ports().first()).map(|port| one.port(*port));
    of.get_user().map(|user| one.user(user));
    of.get_password().map(|password| one.password(password));
    of.get_dbname().map(|name| one.dbname(name));
    of.get_options().map(|options| one.options(options));
    of.get_application_name().map(|name| one.application_name(name));
    of.get_connect_timeout().map(|limit| one.connect_timeout(*limit));
    of.get_tcp_user_timeout().map(|limit| one.tcp_user_timeout(*limit));
    of.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    of.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    one.keepalives(of.get_keepalives())
        .keepalives_idle(of.get_keepalives_idle())
        .ssl_mode(of.get_ssl_mode())
        .ssl_negotiation(of.get_ssl_negotiation())
        .channel_binding(of.get_channel_binding())
        .target_session_attrs(of.get_target_session_attrs())
        .load_balance_hosts(of.get_load_balance_hosts());
    one
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

    use super::{apart, read};

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

    #[test]
    fn each_server_of_an_address_is_as_the_address_of_it_alone_would_be() {
        let with = |hosts: &str, addresses: &str| {
            let parameters = "options=-c%20geqo%3Doff&application_name=app&sslmode=require\
                &sslnegotiation=direct&connect_timeout=3&tcp_user_timeout=4&keepalives=0\
                &keepalives_idle=5&keepalives_interval=6&keepalives_retries=7\
                &target_session_attrs=read-write&channel_binding=require&load_balance_hosts=random";
            let address =
                format!("postgres://me:secret@{hosts}/db?{parameters}&hostaddr={addresses}");
            read(&address).unwrap()
        };
        let alone = [with("a:1", "127.0.0.1"), with("%2Fb:2", "127.0.0.2")];
        assert_eq!(apart(with("a:1,%2Fb:2", "127.0.0.1,127.0.0.2")), alone);
        assert_eq!(apart(alone[0].clone()), alone[..1]);
    }

    #[test]
    fn what_does_not_fit_together_is_left_to_the_driver() {
        for address in ["host=a,b hostaddr=127.0.0.1", "host=a,b,c port=1,2"] {
            assert_eq!(apart(read(address).unwrap()), [read(address).unwrap()]);
        }
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
