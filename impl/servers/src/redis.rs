//! Redis, or what calls itself so.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::program::installed;
use crate::server::{Kind, Server, answer, answers_to_no_tls, folder};

/// Starts Redis servers.
pub struct Redis;

impl Redis {
    /// A Redis that writes each command to its disk before it answers.
    ///
    /// None if `redis-server` is not installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed and servers are required.
    #[must_use]
    pub fn start() -> Option<Server> {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A Redis with these settings, which keeps nothing unless they say so.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Option<Server> {
        let settings = settings.iter().map(ToString::to_string).collect();
        run(folder("redis"), "--port", settings)
    }

    /// A Redis that is spoken to by TLS only.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_certificates(certificates: Certificates<'_>) -> Option<Server> {
        let folder = folder("redis");
        let [certificate, key, clients] = certificates.write(folder.path());
        let verify = if certificates.clients.is_some() { "yes" } else { "no" };
        let mut settings = vec!["--port", "0", "--tls-cert-file", &certificate];
        settings.extend(["--tls-key-file", &key, "--tls-auth-clients", verify]);
        if certificates.clients.is_some() {
            settings.extend(["--tls-ca-cert-file", &clients]);
        }
        let settings = settings.into_iter().map(str::to_owned).collect();
        run(folder, "--tls-port", settings)
    }
}

fn run(folder: TempDir, port_is: &'static str, settings: Vec<String>) -> Option<Server> {
    let program = installed("redis-server")?;
    let command = move |folder: &Path, port: u16| {
        let mut command = Command::new(&program);
        command.args(["--bind", "127.0.0.1", "--save", ""]);
        command.arg(port_is).arg(port.to_string()).arg("--dir").arg(folder).args(&settings);
        command
    };
    let (answers, url): (fn(SocketAddr) -> bool, _) = match port_is {
        "--tls-port" => (answers_to_no_tls, "rediss://ADDRESS"),
        _ => (answers, "redis://ADDRESS"),
    };
    Some(Server::start(folder, Kind { command: Box::new(command), answers, url }))
}

/// Without the password it may be asked for one, which is an answer too.
fn answers(address: SocketAddr) -> bool {
    answer(address, b"PING\r\n")
        .is_some_and(|said| said.starts_with("+PONG") || said.starts_with("-NOAUTH"))
}
