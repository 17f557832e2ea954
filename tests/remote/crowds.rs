//! Many who swap the same row at the same time, at each kind of server, and through what only PostgreSQL has
//! before it.

use lockspace::store::{Store, StoreError, Swap};
use lockspace_postgres::PostgresStore;
use lockspace_servers::PgBouncer;
use tokio_postgres::NoTls;

use crate::kinds::{Kind, Postgres};
use crate::{connect, soon};

at_every_kind!(
    [tokio::test(flavor = "multi_thread", worker_threads = 2)]: of_many_who_swap_a_version_one_does,
);

/// Each of these counts up a row so many times, at the same time. Where a swap may be refused, it is tried
/// again.
async fn count_up<S: Store>(stores: Vec<S>, turns: u64, may_be_refused: bool) {
    let meant: Vec<_> = (1..=turns * stores.len() as u64).collect();
    let mut running = Vec::new();
    for store in stores {
        running.push(tokio::spawn(async move {
            let mut done = Vec::new();
            while (done.len() as u64) < turns {
                let row = store.load("lock/count").await.unwrap();
                let (old, count) = match row {
                    Some((old, bytes)) => (Some(old), String::from_utf8(bytes).unwrap()),
                    None => (None, "0".into()),
                };
                let next: u64 = count.parse::<u64>().unwrap() + 1;
                let new = next.to_string();
                match store.swap("lock/count", old, Some(new.as_bytes())).await {
                    Ok(Swap::Swapped(version)) => done.push((next, version)),
                    Ok(Swap::Conflict) => {}
                    Err(StoreError::NotDone(_)) if may_be_refused => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            done
        }));
    }
    let mut all = Vec::new();
    for task in running {
        all.extend(soon(task).await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all.iter().map(|(count, _)| *count).collect::<Vec<_>>(), meant);
    assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].1), "versions follow the swaps");
}

async fn of_many_who_swap_a_version_one_does<K: Kind>() {
    for server in K::start_for_crowds() {
        let mut stores = Vec::new();
        for _ in 0..K::CROWD.members {
            stores.push(connect::<K>(&server).await);
        }
        count_up(stores, K::CROWD.turns, K::CROWD.may_be_refused).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_through_a_pooler_in_transaction_mode() {
    let Some(server) = Postgres::start() else { return };
    let Some(pooler) = PgBouncer::before(&server) else { return };
    let mut stores = Vec::new();
    for _ in 0..6 {
        let builder = PostgresStore::builder().namespace("test").hints(false);
        let store = builder.connect(&pooler.url()).await.unwrap();
        assert!(!store.capabilities().hints);
        stores.push(store);
    }
    count_up(stores, 25, Postgres::CROWD.may_be_refused).await;
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let connections = "select from pg_stat_activity where application_name = 'lockspace'";
    assert!(client.query(connections, &[]).await.unwrap().len() <= PgBouncer::CONNECTIONS);
}
