//! The contract of a store, on a PostgreSQL that is killed, holds swaps up and cancels them; and what of
//! PostgreSQL it relies upon.
//!
//! What is the same at every store over a server is no matter for here: see `tests/remote`.

use std::collections::BTreeSet;
use std::future::{Future, IntoFuture};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::{Options, Row, Store, StoreError, Swap, Version};
use lockspace_postgres::{ConnectError, PostgresStore};
use lockspace_servers::{Postgres, Server};
use tokio_postgres::NoTls;

/// Longer than anything takes that is not waited for in vain.
const LONG: Duration = Duration::from_secs(30);

async fn connect(server: &Server) -> PostgresStore {
    PostgresStore::connect(&server.url(), "test").await.expect("the server runs")
}

async fn swapped(store: &PostgresStore, key: &str, old: Option<Version>, new: &[u8]) -> Version {
    let new = (!new.is_empty()).then_some(new);
    match store.swap(key, old, new).await {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("{key} was to be swapped: {other:?}"),
    }
}

/// A client that knows nothing of lockspaces.
async fn raw(server: &Server) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(&server.url(), NoTls).await;
    let (client, connection) = connected.expect("the server runs");
    tokio::spawn(connection);
    client
}

/// Runs statements.
async fn sql(server: &Server, statements: &str) {
    raw(server).await.batch_execute(statements).await.expect("the statements are good");
}

/// What a statement answers, as one text.
async fn ask(client: &tokio_postgres::Client, statement: &str) -> String {
    let rows = client.simple_query(statement).await.expect("the statement is good");
    format!("{rows:?}")
}

/// Its outcome, which comes within a time that says that nobody hung.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it does not hang")
}

#[tokio::test]
async fn a_key_that_is_no_text_hinders_no_scan() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    // `lock/` and a byte that is no text.
    sql(&server, r"insert into lockspace.rows values ('test', '\x6c6f636b2fff', 1, '')").await;
    let row = Row { key: "lock/a".into(), version, bytes: b"a".to_vec() };
    assert_eq!(store.scan("lock/").await.unwrap(), [row]);
}

#[tokio::test]
async fn a_server_that_says_nothing_hides_none_that_comes_after_it() {
    let Some(server) = Postgres::start() else { return };
    // It accepts, since the system does so, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let both = format!("@{},", silent.local_addr().unwrap());
    let address = server.url().replace('@', &both) + "?target_session_attrs=read-write";
    let limited = PostgresStore::builder().namespace("test").answer_limit(Duration::from_secs(4));
    let store = limited.connect(&address).await.unwrap();
    let version = swapped(&store, "lock/a", None, b"a").await;
    // Nor for hints.
    let other = connect(&server).await;
    soon(async {
        tokio::join!(
            store.watch("lock/a", Some(version)),
            swapped(&other, "lock/a", Some(version), b"b")
        )
    })
    .await;
}

#[tokio::test]
async fn versions_increase_over_keys_removals_kills_and_a_lost_schema() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let mut versions = vec![swapped(&store, "lock/a", None, b"a").await];
    versions.push(swapped(&store, "lock/b", None, b"b").await);
    versions.push(swapped(&store, "lock/a", Some(versions[0]), b"").await);
    versions.push(swapped(&store, "lock/a", None, b"a").await);
    server.kill();
    server.restart();
    // The connection is found dead by one call; nothing is sent again.
    let _ = store.load("lock/a").await;
    assert_eq!(store.load("lock/a").await.unwrap(), Some((versions[3], b"a".to_vec())));
    sql(&server, "drop schema lockspace cascade").await;
    let outcome = store.swap("lock/a", None, Some(b"a")).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    let store = connect(&server).await;
    assert_eq!(store.scan("").await.unwrap(), []);
    versions.push(swapped(&store, "lock/a", None, b"a").await);
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
}

#[tokio::test]
async fn versions_go_on_where_the_clock_is_behind() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let ahead = 4_000_000_000_000_000_u64;
    sql(&server, &format!("insert into lockspace.namespaces values ('test', {ahead})")).await;
    assert_eq!(swapped(&store, "lock/a", None, b"a").await, Version(ahead + 1));
    assert_eq!(swapped(&store, "lock/b", None, b"b").await, Version(ahead + 2));
}

#[tokio::test]
async fn a_key_with_a_zero_character_is_a_key() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a\0b", None, b"a").await;
    assert_eq!(store.load("lock/a\0b").await.unwrap(), Some((version, b"a".to_vec())));
    assert_eq!(store.scan("lock/a\0").await.unwrap().len(), 1);
    soon(store.watch("lock/a\0b", None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_be_the_first_to_open() {
    let Some(server) = Postgres::start() else { return };
    for _ in 0..10 {
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let address = server.url();
                tokio::spawn(async move { PostgresStore::connect(&address, "test").await })
            })
            .collect();
        for opened in opening {
            let store = soon(opened).await.unwrap().unwrap();
            assert_eq!(store.load("lock/a").await.unwrap(), None);
        }
        sql(&server, "drop schema lockspace cascade").await;
    }
}

#[tokio::test]
async fn a_schema_of_something_else_is_refused_and_left_as_it_is() {
    let Some(server) = Postgres::start() else { return };
    let client = raw(&server).await;
    let marked = |marker| {
        format!(
            "create table lockspace.marker (marker text); insert into lockspace.marker values ('{marker}')"
        )
    };
    for (theirs, format) in [
        ("create table lockspace.rows (their int)".into(), None),
        ("create function lockspace.theirs() returns int language sql as 'select 1'".into(), None),
        ("create table lockspace.marker (their int)".into(), None),
        ("create table lockspace.marker (marker text)".into(), None),
        (marked("theirs/1"), None),
        (marked("lockspace-postgres/0"), Some(0)),
        (marked("lockspace-postgres/2"), Some(2)),
    ] {
        client.batch_execute(&format!("create schema lockspace; {theirs}")).await.unwrap();
        let look = "select relname, relnatts from pg_class where relnamespace = \
                    'lockspace'::regnamespace order by relname";
        let before = ask(&client, look).await;
        let refused = PostgresStore::connect(&server.url(), "test").await.unwrap_err();
        match format {
            None => assert!(matches!(refused, ConnectError::Foreign), "{theirs}: {refused:?}"),
            Some(format) => assert!(
                matches!(refused, ConnectError::OtherFormat { found, known: 1 } if found == format),
                "{theirs}: {refused:?}"
            ),
        }
        assert_eq!(ask(&client, look).await, before);
        client.batch_execute("drop schema lockspace cascade").await.unwrap();
    }
}

#[tokio::test]
async fn the_rights_that_are_told_suffice() {
    let Some(server) = Postgres::start() else { return };
    sql(&server, "create role maker login; create role app login").await;
    let as_role = |role: &str| server.url().replace("lockspace@", &format!("{role}@"));
    // Whoever may make nothing makes nothing.
    let refused = PostgresStore::connect(&as_role("maker"), "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
    sql(&server, "create schema lockspace authorization maker").await;
    let maker = PostgresStore::connect(&as_role("maker"), "test").await.unwrap();
    let told = "grant usage on schema lockspace to app;
                grant select, insert, update, delete on lockspace.namespaces, lockspace.rows to app;
                grant select on lockspace.marker to app";
    sql(&server, told).await;
    let store = PostgresStore::connect(&as_role("app"), "test").await.unwrap();
    let version = swapped(&store, "lock/a", None, b"a").await;
    soon(store.watch("lock/a", None)).await;
    assert_eq!(maker.scan("lock/").await.unwrap().len(), 1);
    let version = swapped(&store, "lock/a", Some(version), b"b").await;
    swapped(&store, "lock/a", Some(version), b"").await;
}

#[tokio::test]
async fn a_password_is_used_and_never_told() {
    let Some(server) = Postgres::start() else { return };
    let client = raw(&server).await;
    client.batch_execute("create role app superuser login password 'right secret'").await.unwrap();
    let write = "do $$ begin execute format('copy (select ''host all all all scram-sha-256'') to %L', \
                 current_setting('hba_file')); end $$";
    client.batch_execute(write).await.unwrap();
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    let with = |words: &str| server.url().replace("lockspace@", words);
    // The server has read its new rules when it refuses whom it let in.
    let refuses = async {
        while tokio_postgres::connect(&server.url(), NoTls).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(refuses).await;
    let store = PostgresStore::connect(&with("app:right%20secret@"), "test").await.unwrap();
    assert!(!format!("{store:?}").contains("secret"));
    let unknown = format!("{}?secret=secret", server.url());
    for address in [with("app:wrong%20secret@"), "nonsense://:secret@host".into(), unknown] {
        let error = PostgresStore::connect(&address, "test").await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn durability_is_what_the_server_is_set_to() {
    for (settings, durable) in [
        (&[][..], true),
        (&["synchronous_commit=local"], true),
        (&["synchronous_commit=off"], false),
        (&["fsync=off"], false),
    ] {
        let Some(server) = Postgres::start_with(settings) else { return };
        assert_eq!(connect(&server).await.capabilities().durable, durable, "{settings:?}");
    }
}

#[tokio::test]
async fn a_failover_is_not_promised_whatever_the_server_is_set_to() {
    for settings in [&[][..], &["synchronous_commit=remote_apply"]] {
        let Some(server) = Postgres::start_with(settings) else { return };
        assert!(!connect(&server).await.capabilities().survives_failover, "{settings:?}");
    }
}

#[tokio::test]
async fn what_fails_at_the_commit_is_not_done() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let trap =
        "create function trap() returns trigger language plpgsql as 'begin raise ''no''; end';
                create constraint trigger trap after insert on lockspace.rows
                deferrable initially deferred for each row execute function trap()";
    sql(&server, trap).await;
    let outcome = store.swap("lock/a", None, Some(b"a")).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

/// A client in a transaction that holds up all swaps of the namespace.
async fn blocker(server: &Server, store: &PostgresStore) -> tokio_postgres::Client {
    swapped(store, "lock/first", None, b"a").await;
    let client = raw(server).await;
    client.batch_execute("begin; update lockspace.namespaces set last = last").await.unwrap();
    client
}

#[tokio::test]
async fn a_swap_that_the_server_cancels_is_not_done() {
    let Some(server) = Postgres::start() else { return };
    let address = format!("{}?options=-c%20statement_timeout%3D200", server.url());
    let store = PostgresStore::connect(&address, "test").await.unwrap();
    let blocker = blocker(&server, &store).await;
    let outcome = soon(store.swap("lock/a", None, Some(b"a"))).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    blocker.batch_execute("rollback").await.unwrap();
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

/// How many wait for a lock at the server.
async fn in_line(client: &tokio_postgres::Client) -> usize {
    let waiting = "select from pg_stat_activity where wait_event_type = 'Lock'";
    client.query(waiting, &[]).await.unwrap().len()
}

#[tokio::test]
async fn a_swap_that_stands_in_line_for_too_long_is_not_done_and_waits_no_longer() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let blocker = blocker(&server, &store).await;
    let client = raw(&server).await;
    let outcome = soon(store.swap("lock/a", None, Some(b"a"))).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    assert_eq!(in_line(&client).await, 0);
    // Nor does one that nobody waits for any more.
    let mut swap = Box::pin(store.swap("lock/a", None, Some(b"a")));
    let stands_in_line = async {
        while in_line(&client).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = &mut swap => panic!("{outcome:?}"),
        () = soon(stands_in_line) => {}
    }
    drop(swap);
    let gone = async {
        while in_line(&client).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
    blocker.batch_execute("rollback").await.unwrap();
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

#[tokio::test]
async fn swaps_that_are_held_up_do_not_pile_up_at_the_server() {
    let Some(server) = Postgres::start() else { return };
    let options = Options::new().ttl(Duration::from_secs(3));
    let space = LockSpace::open(connect(&server).await, options).await.unwrap();
    let blocker = blocker(&server, &connect(&server).await).await;
    let client = raw(&server).await;
    let look = "select pid::text || ' ' || query_start from pg_stat_activity \
                where wait_event_type = 'Lock'";
    let six_swaps = async {
        let (mut most, mut seen) = (0, BTreeSet::new());
        while seen.len() < 6 {
            let rows = client.query(look, &[]).await.unwrap();
            most = most.max(rows.len());
            seen.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
        most
    };
    let most = tokio::select! {
        granted = space.acquire("a").into_future() => panic!("{granted:?}"),
        most = soon(six_swaps) => most,
    };
    assert!(most < 6, "the first stood in line when the sixth came");
    blocker.batch_execute("rollback").await.unwrap();
    soon(space.shutdown(Duration::ZERO)).await;
}

#[tokio::test]
async fn a_swap_whose_connection_is_terminated_is_unknown() {
    let Some(server) = Postgres::start() else { return };
    let store = Arc::new(connect(&server).await);
    let blocker = blocker(&server, &store).await;
    let its = Arc::clone(&store);
    let swap = tokio::spawn(async move { its.swap("lock/a", None, Some(b"a")).await });
    let terminate = "select pg_terminate_backend(pid) from pg_stat_activity \
                     where application_name = 'lockspace' and wait_event_type = 'Lock'";
    let client = raw(&server).await;
    let terminated = async {
        while client.query(terminate, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(terminated).await;
    let outcome = soon(swap).await.unwrap();
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    blocker.batch_execute("rollback").await.unwrap();
    assert_eq!(store.load("lock/a").await.unwrap(), None);
}

#[tokio::test]
async fn a_replica_is_refused() {
    let Some(server) = Postgres::start() else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    // From its next start on the server is a replica: of nobody, but that makes no difference here.
    let write = "do $$ begin execute format('copy (select 1) to %L', \
                 current_setting('data_directory') || '/standby.signal'); end $$";
    sql(&server, write).await;
    server.stop();
    server.restart();
    let _ = store.load("lock/a").await; // Finds the connection dead.
    for outcome in [store.load("lock/a").await.err(), store.scan("lock/").await.err()] {
        let outcome = outcome.expect("a replica shows nothing");
        let cause = std::error::Error::source(&outcome).unwrap().to_string();
        assert!(cause.contains("replica"), "{outcome:?}");
    }
    let outcome = store.swap("lock/a", Some(version), Some(b"b")).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn who_asks_for_tls_is_refused_where_there_is_none() {
    let Some(server) = Postgres::start() else { return };
    let address = format!("{}?sslmode=require", server.url());
    let refused = PostgresStore::connect(&address, "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Server(_)), "{refused:?}");
}
