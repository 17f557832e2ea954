//! PostgreSQL.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::program::installed;
use crate::server::{Kind, Server, answer, folder};

/// Starts PostgreSQL servers.
pub struct Postgres;

impl Postgres {
    /// A PostgreSQL with a database `postgres` of a user `lockspace`, who needs no password.
    ///
    /// None if `postgres` or `initdb` is not installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed and servers are required.
    #[must_use]
    pub fn start() -> Option<Server> {
        Self::start_with(&[])
    }

    /// A PostgreSQL with these settings more, each as `name=value`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Option<Server> {
        let settings = settings.iter().map(ToString::to_string).collect();
        Self::start_in(folder("postgres"), settings)
    }

    /// A PostgreSQL that offers TLS with this certificate and its key, both in PEM.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_certificate(certificate: &str, key: &str) -> Option<Server> {
        let folder = folder("postgres");
        let mut settings = vec!["ssl=on".to_owned()];
        for (setting, pem) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
            let path = folder.path().join(setting);
            fs::write(&path, pem).expect("a file can be made");
            // The server insists that nobody else can read its key.
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is our file");
            give_away(&path);
            settings.push(format!("{setting}={}", path.display()));
        }
        Self::start_in(folder, settings)
    }

    fn start_in(folder: TempDir, settings: Vec<String>) -> Option<Server> {
        let (program, initdb) = (installed("postgres")?, installed("initdb")?);
        give_away(folder.path());
        initialise(&initdb, folder.path());
        let command = move |folder: &Path, port: u16| {
            let mut command = in_folder(&program, folder);
            command.arg("-D").arg(folder.join("data")).arg("-p").arg(port.to_string());
            command.args(["-h", "127.0.0.1", "-k", ""]);
            for setting in &settings {
                command.args(["-c", setting]);
            }
            command
        };
        let url = "postgres://lockspace@ADDRESS/postgres";
        Some(Server::start(folder, Kind { command: Box::new(command), answers, url }))
    }
}

fn initialise(initdb: &Path, folder: &Path) {
    let mut command = in_folder(initdb, folder);
    command.arg("-D").arg(folder.join("data")).args(["--username", "lockspace"]);
    command.args(["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
    let done = command.output().expect("initdb starts");
    assert!(done.status.success(), "initdb failed: {}", String::from_utf8_lossy(&done.stderr));
}

/// Gives a path to whom the server runs as.
pub(crate) fn give_away(path: &Path) {
    if let Some((user, group)) = not_root() {
        chown(path, Some(user), Some(group)).expect("root may give away what it made");
    }
}

/// The program, run in the folder, and by nobody if we are root: PostgreSQL does not run as root.
pub(crate) fn in_folder(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if let Some((user, group)) = not_root() {
        command.uid(user).gid(group);
    }
    command
}

/// The user and group `nobody`, if we are root.
fn not_root() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the system knows its users");
    let nobody = users.lines().find(|line| line.starts_with("nobody:")).expect("nobody is known");
    let mut ids = nobody.split(':').skip(2).map(|id| id.parse().expect("an id is a number"));
    ids.next().zip(ids.next())
}

/// Whether it takes clients. While it recovers from a crash it answers as well, but with an error.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let mut hello = Vec::from(196_608_u32.to_be_bytes());
    hello.extend(b"user\0lockspace\0database\0postgres\0\0");
    let length = u32::try_from(hello.len() + 4).expect("it is short");
    let hello = [&length.to_be_bytes()[..], &hello].concat();
    // An `R` is about who we are; an `E` an error.
    answer(address, &hello).is_some_and(|said| said.starts_with('R'))
}
