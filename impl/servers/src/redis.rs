//! Redis, or what calls itself so.

use std::process::Command;

use crate::program::installed;
use crate::server::{Kind, Server, answer, folder};

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
        let program = installed("redis-server")?;
        let settings: Vec<_> = settings.iter().map(ToString::to_string).collect();
        let command = move |folder: &std::path::Path, port: u16| {
            let mut command = Command::new(&program);
            command.args(["--bind", "127.0.0.1", "--save", ""]);
            command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder).args(&settings);
            command
        };
        let answers = |address| {
            // Without the password it may be asked for one, which is an answer too.
            answer(address, b"PING\r\n")
                .is_some_and(|said| said.starts_with("+PONG") || said.starts_with("-NOAUTH"))
        };
        let kind = Kind { command: Box::new(command), answers, url: "redis://ADDRESS" };
        Some(Server::start(folder("redis"), kind))
    }
}
