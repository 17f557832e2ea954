//! Workers that share jobs by name, over PostgreSQL, and a table that refuses whoever has lost his job
//! and does not know it yet.
//!
//! Each worker has what it would have in a process and on a machine of its own: its connections, and its
//! lockspace.
//!
//! ```sh
//! cargo run -p lockspace-postgres --example worker_fleet -- postgres://me@localhost/postgres
//! ```

use std::error::Error;
use std::time::Duration;

use lockspace::store::Options;
use lockspace::{FencingToken, LockSpace};
use lockspace_postgres::PostgresStore;
use tokio_postgres::{Client, NoTls};

const WORKERS: usize = 4;
const ROUNDS: usize = 5;
const JOBS: [&str; 3] = ["import", "invoices", "report"];

/// The fence of a row is the greatest token that has written to it.
const TABLE: &str = "
    create table if not exists jobs (name text primary key, done bigint not null, fence bigint not null);
    truncate jobs;
    insert into jobs select unnest(array['import', 'invoices', 'report']), 0, 0";
const READ: &str = "select done from jobs where name = $1";
/// Changes nothing if somebody has written who was granted the name later.
const WRITE: &str = "update jobs set done = $3, fence = $2 where name = $1 and fence <= $2";

struct Worker {
    space: LockSpace,
    table: Client,
}

impl Worker {
    async fn new(number: usize, url: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let store = PostgresStore::connect(url, "jobs").await?;
        let options = Options::new().label(format!("worker {number}"));
        let space = LockSpace::open(store, options).await?;
        let (table, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { space, table })
    }

    async fn read(&self, job: &str) -> Result<i64, tokio_postgres::Error> {
        Ok(self.table.query_one(READ, &[&job]).await?.get(0))
    }

    /// Whether it was let in.
    async fn write(
        &self,
        job: &str,
        token: FencingToken,
        done: i64,
    ) -> Result<bool, tokio_postgres::Error> {
        let token = i64::try_from(token).expect("tokens over a store fit into a bigint");
        Ok(self.table.execute(WRITE, &[&job, &token, &done]).await? == 1)
    }

    /// Does each job some times, each time from what was done before.
    async fn run(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        for job in JOBS.iter().cycle().take(ROUNDS * JOBS.len()) {
            let guard = self.space.acquire(job).wait_timeout(Duration::from_secs(30)).await?;
            let done = self.read(job).await?;
            if !self.write(job, guard.fencing_token(), done + 1).await? {
                println!("{job}: lost it, and wrote nothing");
            }
        }
        self.space.shutdown(Duration::from_secs(5)).await;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = std::env::args().nth(1).ok_or("which database? postgres://USER@HOST/DATABASE")?;
    let slow = Worker::new(WORKERS, &url).await?;
    slow.table.batch_execute(TABLE).await?;

    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(tokio::spawn(Worker::new(number, &url).await?.run()));
    }
    for worker in workers {
        worker.await??;
    }
    for job in JOBS {
        println!("{job}: done {} times by {WORKERS} workers", slow.read(job).await?);
    }

    // A worker that stands still is given up by an operator, and another one goes on.
    let guard = slow.space.acquire("import").await?;
    let stale = guard.fencing_token();
    let quick = Worker::new(WORKERS + 1, &url).await?;
    quick.space.force_release_everywhere("import").await?;
    let taken = quick.space.acquire("import").await?;
    println!("the next one writes: {}", quick.write("import", taken.fencing_token(), 21).await?);
    println!("the late one writes: {}", slow.write("import", stale, 0).await?);
    println!("import: {}", slow.read("import").await?);
    drop((guard, taken));
    for worker in [&slow, &quick] {
        worker.space.shutdown(Duration::from_secs(5)).await;
    }
    Ok(())
}
