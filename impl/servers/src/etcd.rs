//! etcd, alone or as a cluster.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::certificates::Certificates;
use crate::program::installed;
use crate::server::{Kind, Server, answer, answers_to_no_tls, folder, free_address};

/// Starts etcd servers.
pub struct Etcd;

impl Etcd {
    /// An etcd as it is by itself: a cluster of one.
    ///
    /// None if `etcd` is not installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed and servers are required.
    #[must_use]
    pub fn start() -> Option<Server> {
        Self::start_with(&[])
    }

    /// An etcd with these flags more.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(flags: &[&str]) -> Option<Server> {
        // It has no peers, so they need no port: a socket in its folder does.
        let alone = ["--listen-peer-urls".to_owned(), "unix://localhost:2380".to_owned()];
        let flags = flags.iter().map(ToString::to_string).chain(alone).collect();
        run(folder("etcd"), "http", flags)
    }

    /// An etcd that is spoken to by TLS only.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_certificates(certificates: Certificates<'_>) -> Option<Server> {
        let folder = folder("etcd");
        let mut flags = vec!["--listen-peer-urls".to_owned(), "unix://localhost:2380".to_owned()];
        let [certificate, key, clients] = certificates.write(folder.path());
        flags.extend(["--cert-file".to_owned(), certificate, "--key-file".to_owned(), key]);
        if certificates.clients.is_some() {
            flags.extend(["--client-cert-auth", "--trusted-ca-file"].map(str::to_owned));
            flags.push(clients);
        }
        run(folder, "https", flags)
    }

    /// The servers of a cluster of so many.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn cluster(servers: usize) -> Option<Vec<Server>> {
        let peers: Vec<_> = (0..servers).map(|_| format!("http://{}", free_address())).collect();
        let names = peers.iter().enumerate().map(|(number, peer)| format!("m{number}={peer}"));
        let all = names.collect::<Vec<_>>().join(",");
        let member = |number: usize, peer: &str| {
            let flags = [
                ["--name", &format!("m{number}")],
                ["--listen-peer-urls", peer],
                ["--initial-advertise-peer-urls", peer],
                ["--initial-cluster", &all],
            ];
            run(
                folder("etcd"),
                "http",
                flags.as_flattened().iter().map(ToString::to_string).collect(),
            )
        };
        // Each answers only when most of them run.
        thread::scope(|scope| {
            let starting = peers.iter().enumerate();
            let starting = starting.map(|(number, peer)| scope.spawn(move || member(number, peer)));
            let starting: Vec<_> = starting.collect();
            starting.into_iter().map(|member| member.join().expect("it starts")).collect()
        })
    }
}

fn run(folder: tempfile::TempDir, scheme: &'static str, flags: Vec<String>) -> Option<Server> {
    let program = installed("etcd")?;
    let command = move |folder: &Path, port: u16| {
        let mut command = Command::new(&program);
        let clients = format!("{scheme}://127.0.0.1:{port}");
        command.current_dir(folder).arg("--data-dir").arg(folder.join("data"));
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--logger", "zap"]).args(&flags);
        command
    };
    let answers = if scheme == "https" { answers_to_no_tls } else { answers };
    let url = if scheme == "https" { "etcds://ADDRESS" } else { "etcd://ADDRESS" };
    Some(Server::start(folder, Kind { command: Box::new(command), answers, url }))
}

fn answers(address: SocketAddr) -> bool {
    let question = b"GET /health HTTP/1.0\r\n\r\n";
    answer(address, question).is_some_and(|said| said.contains("\"health\":\"true\""))
}
