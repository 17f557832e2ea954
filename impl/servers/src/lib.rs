//! Real servers for tests: started on a free port of this machine, with their data in a folder of their
//! own, and killed, paused, restarted and cut off as a test likes.
//!
//! ```
//! use lockspace_servers::{Proxy, Redis};
//!
//! let Some(redis) = Redis::start() else { return };
//! let proxy = Proxy::before(&redis); // A line to it that can be cut.
//! redis.kill(); // As SIGKILL does.
//! redis.restart(); // On the same port, with the data that it had.
//! assert!(redis.url().starts_with("redis://127.0.0.1:"));
//! # drop(proxy);
//! ```
//!
//! A server and its folder are gone when its [`Server`] is dropped, also when the test panics, and when
//! the process of the test is killed: a small process of its own waits for that.
//!
//! Where a server's program is not installed, `start` says `NOT RUN` on standard error and gives none.
//! With `LOCKSPACE_REQUIRE_SERVERS=1` it panics instead, so that what did not run cannot count as passed.
//!
//! What this package must not do: know anything about locks, or about the clients that talk to a server.
//! It runs on Linux.

mod certificates;
mod etcd;
mod pgbouncer;
mod postgres;
mod program;
mod proxy;
mod redis;
mod server;

pub use certificates::Certificates;
pub use etcd::Etcd;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use redis::Redis;
pub use server::Server;
