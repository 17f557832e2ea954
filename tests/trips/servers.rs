//! A server of each kind, and what it says that it was asked.
//!
//! Every number is the server's own: Redis is monitored, PostgreSQL logs each statement, etcd counts the
//! calls that it began, and SQLite marks the end of each transaction in its write-ahead log.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use lockspace::store::Store;
use lockspace_etcd::EtcdStore;
use lockspace_postgres::PostgresStore;
use lockspace_redis::RedisStore;
use lockspace_servers::Server;
use lockspace_sqlite::{SqliteStore, Synchronous};

/// A server that runs, or a file, and its own count.
pub(crate) trait Site: Sized {
    type Store: Store;
    /// Whether a swap that conflicts is counted as well.
    const SEES_CONFLICTS: bool = true;

    /// None if it is not installed.
    fn start() -> Option<Self>;
    /// A store of its own, over the same namespace as all others.
    async fn store(&self) -> Self::Store;
    /// What it was asked so far, by anybody.
    fn asked(&self) -> Asked;
}

/// What a server was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// To swap a row.
    pub(crate) swaps: usize,
    /// Anything else, each thing that takes a round trip.
    pub(crate) others: usize,
}

impl Asked {
    fn count(&mut self, is_swap: bool) {
        *(if is_swap { &mut self.swaps } else { &mut self.others }) += 1;
    }
}

/// What comes back for these bytes until the server has no more to say.
fn ask(address: SocketAddr, question: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server runs");
    stream.write_all(question.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    answer
}

/// It tells whoever monitors it every command before it answers that.
pub(crate) struct Redis {
    server: Server,
    monitor: RefCell<Monitor>,
}

struct Monitor {
    lines: BufReader<TcpStream>,
    asked: Asked,
    looks: usize,
}

impl Site for Redis {
    type Store = RedisStore;

    fn start() -> Option<Self> {
        let server = lockspace_servers::Redis::start_with(&[])?;
        let mut stream = TcpStream::connect(server.address()).expect("the server runs");
        stream.write_all(b"MONITOR\r\n").expect("it listens");
        let mut lines = BufReader::new(stream);
        let mut first = String::new();
        lines.read_line(&mut first).expect("it answers in lines");
        assert_eq!(first, "+OK\r\n");
        let monitor = RefCell::new(Monitor { lines, asked: Asked::default(), looks: 0 });
        Some(Self { server, monitor })
    }

    async fn store(&self) -> RedisStore {
        RedisStore::connect(&self.server.url(), "test").await.expect("the server runs")
    }

    fn asked(&self) -> Asked {
        let mut monitor = self.monitor.borrow_mut();
        monitor.looks += 1;
        // What the monitor says after this came later.
        let mark = format!("look-{}", monitor.looks);
        ask(self.server.address(), &format!("ECHO {mark}\r\nQUIT\r\n"));
        loop {
            let mut line = String::new();
            monitor.lines.read_line(&mut line).expect("it answers in lines");
            if line.contains(&mark) {
                return monitor.asked;
            }
            // Not what a script does, nor our own looking.
            if !line.contains(" lua] ") && !line.to_uppercase().contains("\"QUIT\"") {
                monitor.asked.count(line.contains("\"EVALSHA\""));
            }
        }
    }
}

/// It logs each statement before it runs it.
pub(crate) struct Postgres(Server);

impl Site for Postgres {
    type Store = PostgresStore;

    fn start() -> Option<Self> {
        // What a crash would leave does not matter here.
        let settings = ["log_statement=all", "fsync=off"];
        lockspace_servers::Postgres::start_with(&settings).map(Self)
    }

    async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.0.url(), "test").await.expect("the server runs")
    }

    fn asked(&self) -> Asked {
        let mut asked = Asked::default();
        for line in self.0.log().lines() {
            if line.contains("LOG:  execute ") || line.contains("LOG:  statement: ") {
                asked.count(line.contains("select lockspace.swap_1("));
            }
        }
        asked
    }
}

/// It counts the calls of each method when they begin.
pub(crate) struct Etcd(Server);

impl Site for Etcd {
    type Store = EtcdStore;

    fn start() -> Option<Self> {
        // What a crash would leave does not matter here.
        lockspace_servers::Etcd::start_with(&["--unsafe-no-fsync"]).map(Self)
    }

    async fn store(&self) -> EtcdStore {
        EtcdStore::connect(&self.0.url(), "test").await.expect("the server runs")
    }

    fn asked(&self) -> Asked {
        let metrics = ask(self.0.address(), "GET /metrics HTTP/1.0\r\n\r\n");
        let mut asked = Asked::default();
        for line in metrics.lines().filter(|line| line.starts_with("grpc_server_started_total{")) {
            let (method, count) = line.rsplit_once(' ').expect("each line ends with its value");
            let count: usize = count.parse().expect("it is a whole number");
            let swap = method.contains("grpc_method=\"Txn\"");
            *(if swap { &mut asked.swaps } else { &mut asked.others }) += count;
        }
        asked
    }
}

/// Each transaction that has written ends with a mark in the write-ahead log.
pub(crate) struct Sqlite {
    folder: tempfile::TempDir,
    /// Reads what the file was at the beginning: so the log is never begun anew.
    reader: RefCell<Option<rusqlite::Connection>>,
}

impl Sqlite {
    fn path(&self) -> PathBuf {
        self.folder.path().join("locks.sqlite")
    }
}

impl Site for Sqlite {
    type Store = SqliteStore;
    const SEES_CONFLICTS: bool = false;

    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("there is room");
        Some(Self { folder, reader: RefCell::new(None) })
    }

    async fn store(&self) -> SqliteStore {
        let builder = SqliteStore::builder().synchronous(Synchronous::Normal);
        let store = builder.open(self.path()).await.expect("there is room");
        if self.reader.borrow().is_none() {
            let reader = rusqlite::Connection::open(self.path()).expect("the file is there");
            let keep = "BEGIN; SELECT count(*) FROM sqlite_schema;";
            reader.execute_batch(keep).expect("it can be read");
            *self.reader.borrow_mut() = Some(reader);
        }
        store
    }

    // The format of the log: https://sqlite.org/fileformat2.html#the_write_ahead_log
    fn asked(&self) -> Asked {
        let log = fs::read(self.path().with_extension("sqlite-wal")).expect("there is a log");
        let number = |at: &[u8]| u32::from_be_bytes(at.try_into().expect("it has four bytes"));
        let page = number(&log[8..12]) as usize;
        let frames = log[32..].chunks_exact(24 + page);
        // The last frame of a transaction says how large the file is then.
        let swaps = frames.filter(|frame| number(&frame[4..8]) != 0).count();
        Asked { swaps, others: 0 }
    }
}
