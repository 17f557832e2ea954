//! PgBouncer, a pooler for PostgreSQL.

use std::fs;
use std::path::Path;

use crate::postgres::{answers, give_away, in_folder};
use crate::program::installed;
use crate::server::{Kind, Server, folder};

/// Starts PgBouncers.
pub struct PgBouncer;

impl PgBouncer {
    /// How many connections it has to the server.
    pub const CONNECTIONS: usize = 3;

    /// A PgBouncer before this PostgreSQL, in transaction mode: each transaction of a client may get
    /// another connection.
    ///
    /// None if `pgbouncer` is not installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed and servers are required.
    #[must_use]
    pub fn before(server: &Server) -> Option<Server> {
        let program = installed("pgbouncer")?;
        let folder = folder("pgbouncer");
        give_away(folder.path());
        let to = server.address();
        let command = move |folder: &Path, port: u16| {
            let settings = format!(
                "[databases]\n* = host={} port={} user=lockspace\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = transaction\ndefault_pool_size = {}\n",
                to.ip(),
                to.port(),
                Self::CONNECTIONS,
            );
            fs::write(folder.join("pgbouncer.ini"), settings).expect("a file can be made");
            let mut command = in_folder(&program, folder);
            command.arg(folder.join("pgbouncer.ini"));
            command
        };
        let url = "postgres://lockspace@ADDRESS/postgres";
        Some(Server::start(folder, Kind { command: Box::new(command), answers, url }))
    }
}
