//! PostgreSQL: bare round trips that do and do not write, advisory locks, and locked rows.
//!
//! A lock of PostgreSQL's own belongs to a connection, so each user has one.

use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::peer::{Peer, Place};

/// A connection, and how to have another one.
struct Line {
    url: Arc<str>,
    client: Client,
}

/// What the peers here need. Whoever comes first makes it.
const TABLE: &str = "begin; select pg_advisory_xact_lock(1); \
    create table if not exists peers (name text primary key, value bigint not null); commit";

impl Line {
    async fn to(url: &str) -> Self {
        let connected = tokio_postgres::connect(url, NoTls).await;
        let (client, connection) = connected.expect("the server runs");
        tokio::spawn(connection);
        client.batch_execute(TABLE).await.expect("the table can be made");
        Self { url: url.into(), client }
    }

    async fn another(&self) -> Self {
        Self::to(&self.url).await
    }

    /// One round trip, with nothing prepared.
    async fn run(&self, statement: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) {
        let answer = self.client.query_typed(statement, parameters).await;
        answer.expect("the server runs");
    }
}

/// A peer that does one statement to acquire, and another one to release.
macro_rules! statements {
    ($(#[$doc:meta])* $peer:ident, $name:literal, $acquire:literal, $release:literal) => {
        $(#[$doc])*
        pub(crate) struct $peer(Line);

        impl Peer for $peer {
            const NAME: &'static str = $name;
            const PLACE: Place = Place::Postgres;
            type Held<'p> = &'p str;

            async fn connect(url: &str) -> Self {
                Self(Line::to(url).await)
            }

            async fn another(&self) -> Self {
                Self(self.0.another().await)
            }

            async fn acquire<'p>(&'p self, name: &'p str) -> &'p str {
                self.0.run($acquire, &[(&name, Type::TEXT)]).await;
                name
            }

            async fn release<'p>(&'p self, name: &'p str) {
                self.0.run($release, &[(&name, Type::TEXT)]).await;
            }
        }
    };
}

statements!(
    /// Asks for nothing.
    BareRead,
    "*two SELECTs*",
    "select $1",
    "select $1"
);
statements!(
    /// Writes a row, which is on the disk when it is answered.
    BareWrite,
    "*two rows written*",
    "insert into peers values ($1, 1) on conflict (name) do update set value = peers.value + 1",
    "insert into peers values ($1, 1) on conflict (name) do update set value = peers.value + 1"
);
statements!(
    /// Nothing is written: it is gone with the connection or the server.
    Advisory,
    "pg_advisory_lock",
    "select pg_advisory_lock(hashtextextended($1, 0))",
    "select pg_advisory_unlock(hashtextextended($1, 0))"
);
statements!(
    /// What people do who want to see that it is held: a row, made and deleted. Nobody can wait for it.
    Row,
    "INSERT, DELETE",
    "insert into peers values ('held/' || $1, 1)",
    "delete from peers where name = 'held/' || $1"
);

/// A transaction that locks a row, and is ended to release it.
pub(crate) struct ForUpdate(Line);

impl ForUpdate {
    async fn execute(&self, statements: &str) {
        self.0.client.batch_execute(statements).await.expect("the server runs");
    }
}

impl Peer for ForUpdate {
    const NAME: &'static str = "SELECT … FOR UPDATE";
    const PLACE: Place = Place::Postgres;
    type Held<'p> = ();

    async fn connect(url: &str) -> Self {
        let line = Line::to(url).await;
        let row = "insert into peers values ($1, 0) on conflict do nothing";
        line.run(row, &[(&crate::NAME, Type::TEXT)]).await;
        Self(line)
    }

    async fn another(&self) -> Self {
        Self(self.0.another().await)
    }

    async fn acquire<'p>(&'p self, name: &'p str) {
        let row = format!("select from peers where name = '{name}' for update");
        self.execute(&format!("begin; {row}")).await;
    }

    async fn release(&self, (): ()) {
        self.execute("commit").await;
    }
}
