//! etcd, a cluster of one.

use std::path::Path;
use std::process::Command;

use crate::program::installed;
use crate::server::{Kind, Server, answer, folder};

/// Starts etcd servers.
pub struct Etcd;

impl Etcd {
    /// An etcd as it is by itself.
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
        let program = installed("etcd")?;
        let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let command = move |folder: &Path, port: u16| {
            let mut command = Command::new(&program);
            let clients = format!("http://127.0.0.1:{port}");
            // It has no peers, so they need no port: a socket in its folder does.
            let peers = "unix://localhost:2380";
            command.current_dir(folder).arg("--data-dir").arg(folder.join("data"));
            command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
            command.args(["--listen-peer-urls", peers, "--logger", "zap"]).args(&flags);
            command
        };
        let answers = |address| {
            let question = b"GET /health HTTP/1.0\r\n\r\n";
            answer(address, question).is_some_and(|said| said.contains("\"health\":\"true\""))
        };
        let kind = Kind { command: Box::new(command), answers, url: "http://ADDRESS" };
        Some(Server::start(folder("etcd"), kind))
    }
}
