//! The contract of a store, on a Redis that is killed and flushed; and what of Redis it relies upon.
//!
//! What is the same at every store over a server is no matter for here: see `tests/remote`.

use std::error::Error;
use std::future::{Future, IntoFuture};
use std::time::Duration;

use lockspace::store::record::{Record, RecordError};
use lockspace::store::{self, Options, Store, StoreError, Swap, Version};
use lockspace::{AcquireError, LockSpace, Loss, SessionEnd};
use lockspace_redis::{ConnectError, RedisStore};
use lockspace_servers::{Redis, Server};

/// Longer than anything takes that is not waited for in vain.
const LONG: Duration = Duration::from_secs(30);

async fn connect(server: &Server) -> RedisStore {
    RedisStore::connect(&server.url(), "test").await.expect("the server runs")
}

async fn swapped(store: &RedisStore, key: &str, old: Option<Version>, new: &[u8]) -> Version {
    let new = (!new.is_empty()).then_some(new);
    match store.swap(key, old, new).await {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("{key} was to be swapped: {other:?}"),
    }
}

/// What a client that knows nothing of lockspaces says to the server.
async fn raw(server: &Server, words: &[&str]) -> redis::RedisResult<redis::Value> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(&mut connection).await
}

/// Its outcome, which comes within a time that says that nobody hung.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it does not hang")
}

#[tokio::test]
async fn versions_increase_over_keys_removals_kills_and_a_flush() {
    let Some(server) = Redis::start() else { return };
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
    versions.push(swapped(&store, "lock/a", Some(versions[3]), b"").await);
    raw(&server, &["FLUSHALL"]).await.unwrap();
    assert_eq!(store.scan("").await.unwrap(), []);
    versions.push(swapped(&store, "lock/a", None, b"a").await);
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
}

#[tokio::test]
async fn versions_go_on_where_the_clock_is_behind() {
    let Some(server) = Redis::start() else { return };
    let ahead = 4_000_000_000_000_000_u64;
    let marker = format!("lockspace-redis/1 {ahead}");
    raw(&server, &["HSET", "lockspace:{test}", "", &marker]).await.unwrap();
    let store = connect(&server).await;
    assert_eq!(swapped(&store, "lock/a", None, b"a").await, Version(ahead + 1));
    assert_eq!(swapped(&store, "lock/b", None, b"b").await, Version(ahead + 2));
}

#[tokio::test]
async fn versions_that_are_used_up_are_said_and_none_is_given_twice() {
    let Some(server) = Redis::start() else { return };
    let last = (1_u64 << 53) - 1;
    let set = async |count: u64| {
        let marker = format!("lockspace-redis/1 {count}");
        raw(&server, &["HSET", "lockspace:{test}", "", &marker]).await.unwrap();
    };
    set(last - 1).await;
    let store = connect(&server).await;
    assert_eq!(swapped(&store, "lock/a", None, b"a").await, Version(last));
    for count in [last, last + 1, last + 2, u64::MAX] {
        set(count).await;
        for (key, old, new) in
            [("lock/b", None, Some(&b"b"[..])), ("lock/a", Some(Version(last)), None)]
        {
            match store.swap(key, old, new).await {
                Err(StoreError::NotDone(why)) => {
                    assert!(why.to_string().contains("the versions are used up"), "{why}");
                }
                other => panic!("{count}: {other:?}"),
            }
        }
        let rows = store.scan("").await.unwrap();
        assert_eq!(rows.len(), 1, "nothing was done: {rows:?}");
        assert_eq!((&*rows[0].key, rows[0].version), ("lock/a", Version(last)));
    }
}

#[tokio::test]
async fn all_rows_of_a_namespace_are_one_key_and_are_lost_together() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    swapped(&store, "lock/a", None, b"a").await;
    swapped(&store, "session/a", None, b"a").await;
    assert_eq!(raw(&server, &["DBSIZE"]).await.unwrap(), redis::Value::Int(1));
    // As an eviction does.
    raw(&server, &["UNLINK", "lockspace:{test}"]).await.unwrap();
    assert_eq!(store.load("session/a").await.unwrap(), None);
}

/// A lockspace whose session ends soon. A call may take half of that, since a busy machine takes its time.
async fn opened(server: &Server) -> LockSpace {
    let options =
        Options::new().ttl(Duration::from_secs(2)).call_timeout(Duration::from_millis(900));
    LockSpace::open(connect(server).await, options).await.expect("the server runs")
}

/// Puts fields into the namespace that no lockspace writes: some that are no text, and some whose version the
/// server would not draw, one of them with a row that could be read.
async fn plant(server: &Server) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let row = "lockspace-lock/1 holder=00000000000000000000000000000001.7 token=3 queue=";
    let mut plant = redis::cmd("HSET");
    plant.arg("lockspace:{test}").arg("lock/w").arg("0 junk");
    plant.arg("lock/x").arg("junk").arg("lock/y").arg(row);
    plant.arg("lock/z").arg(format!("{} {row}", u64::MAX)).arg("session/x").arg(&b"\xff"[..]);
    plant.arg(&b"lock/\xff"[..]).arg("1 their own");
    plant.query_async::<()>(&mut connection).await.unwrap();
}

#[tokio::test]
async fn what_something_else_has_written_is_a_row_that_cannot_be_read_and_is_left_as_it_is() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    plant(&server).await;
    let mut rows = store.scan("lock/").await.unwrap();
    rows.sort_unstable_by_key(|row| row.key.clone());
    let versions: Vec<_> = rows.iter().map(|row| (&*row.key, row.version.0)).collect();
    let planted = ["lock/w", "lock/x", "lock/y", "lock/z"];
    assert_eq!(versions[0], ("lock/a", version.0));
    assert_eq!(versions[1..], planted.map(|key| (key, 0)));
    let before = dump(&server).await;
    for key in planted {
        let (version, bytes) = store.load(key).await.unwrap().unwrap();
        assert_eq!(Record::read(&bytes), Err(RecordError::Foreign), "{key}");
        for expected in [None, Some(version)] {
            assert_eq!(store.swap(key, expected, Some(b"a")).await.unwrap(), Swap::Conflict);
        }
    }
    assert_eq!(dump(&server).await, before);
}

#[tokio::test]
async fn what_something_else_has_written_hinders_nobody_else() {
    let Some(server) = Redis::start() else { return };
    let options = Options::new().sweep_every(Duration::from_millis(100));
    let space = LockSpace::open(connect(&server).await, options).await.unwrap();
    plant(&server).await;
    let held = soon(space.acquire("a").into_future()).await.unwrap();
    for name in ["w", "x", "y", "z"] {
        let outcome = soon(space.acquire(name).into_future()).await;
        assert!(matches!(outcome, Err(AcquireError::Unreadable { .. })), "{name}: {outcome:?}");
    }
    let other = connect(&server).await;
    let survey = store::survey(&other, LONG).await.unwrap();
    assert_eq!(survey.names.len(), 1);
    assert_eq!(survey.unreadable.len(), 5, "{survey:?}");
    // The holder finds it in its next sweep.
    let forced = store::force_release(&other, "a", LONG).await.unwrap();
    assert_eq!(forced, Some(held.fencing_token()));
    assert_eq!(soon(held.lost()).await.reason, Loss::Forced);
    soon(space.shutdown(Duration::ZERO)).await;
}

#[tokio::test]
async fn a_replica_is_refused() {
    let (Some(primary), Some(server)) = (Redis::start(), Redis::start()) else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    let port = primary.address().port().to_string();
    raw(&server, &["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
    let says = |error: &(dyn Error + 'static)| {
        let cause = error.source().expect("there is a cause").to_string();
        assert!(cause.contains("no primary"), "{cause}");
    };
    match RedisStore::connect(&server.url(), "test").await.unwrap_err() {
        ConnectError::Server(error) => says(&error),
        other => panic!("{other:?}"),
    }
    // Nor does one go on there whose server has become a replica: the first swap gives the connection up.
    let outcome = store.swap("lock/a", Some(version), None).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    for outcome in [store.load("lock/a").await.err(), store.scan("lock/").await.err()] {
        says(&outcome.expect("a replica shows nothing"));
    }
}

/// A name is held while `lose` makes the server forget everything: its holder is told, and others get on.
async fn a_holder_is_told_of_the_loss_after(lose: impl AsyncFnOnce(&Server)) {
    let Some(server) = Redis::start() else { return };
    let (here, there) = (opened(&server).await, opened(&server).await);
    let held = soon(here.acquire("a").into_future()).await.unwrap();
    lose(&server).await;
    let lost = soon(held.lost()).await;
    assert_eq!(lost.reason, Loss::Session(SessionEnd::Removed));
    let mut last = lost.token;
    for space in [&there, &here] {
        let later = soon(space.acquire("a").into_future()).await.unwrap();
        assert!(later.fencing_token() > last, "{last} was granted before {later:?}");
        last = later.fencing_token();
    }
    soon(async { tokio::join!(here.shutdown(Duration::ZERO), there.shutdown(Duration::ZERO)) })
        .await;
    assert_eq!(connect(&server).await.scan("").await.unwrap(), []);
}

#[tokio::test]
async fn a_holder_is_told_that_all_was_flushed() {
    a_holder_is_told_of_the_loss_after(async |server| {
        raw(server, &["FLUSHALL"]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_holder_is_told_that_its_namespace_was_evicted() {
    a_holder_is_told_of_the_loss_after(async |server| {
        let set = async |setting, value| raw(server, &["CONFIG", "SET", setting, value]).await;
        set("maxmemory-policy", "allkeys-lru").await.unwrap();
        set("maxmemory", "1").await.unwrap();
        let evicted = async {
            while raw(server, &["DBSIZE"]).await.unwrap() != redis::Value::Int(0) {
                tokio::task::yield_now().await;
            }
        };
        soon(evicted).await;
        set("maxmemory", "0").await.unwrap();
    })
    .await;
}

/// The whole namespace as the server would hand it to another one.
async fn dump(server: &Server) -> Vec<u8> {
    match raw(server, &["DUMP", "lockspace:{test}"]).await.unwrap() {
        redis::Value::BulkString(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// What a failover to a replica does that has not heard of the latest swaps: they are gone, with the count.
async fn put_back(server: &Server, dump: &[u8]) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut restore = redis::cmd("RESTORE");
    restore.arg("lockspace:{test}").arg(0).arg(dump).arg("REPLACE");
    restore.query_async::<()>(&mut connection).await.unwrap();
}

/// S1 is what a failover of Redis can cost, and is not promised; S2 stays, and the first holder is told.
#[tokio::test]
async fn a_grant_that_a_failover_loses_is_overtaken_by_a_greater_token_and_its_holder_is_told() {
    let Some(server) = Redis::start() else { return };
    assert!(!connect(&server).await.capabilities().survives_failover, "nothing else is promised");
    let (here, there) = (opened(&server).await, opened(&server).await);
    let behind = dump(&server).await;
    let held = soon(here.acquire("a").into_future()).await.unwrap();
    put_back(&server, &behind).await;
    let heir = soon(there.acquire("a").into_future()).await.unwrap();
    assert!(heir.fencing_token() > held.fencing_token());
    let lost = soon(held.lost()).await;
    assert_eq!(lost.token, held.fencing_token());
    drop((held, heir));
    soon(async { tokio::join!(here.shutdown(Duration::ZERO), there.shutdown(Duration::ZERO)) })
        .await;
    let left = connect(&server).await.scan("").await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn nothing_expires_by_the_clock_of_the_server() {
    let Some(server) = Redis::start() else { return };
    let space = LockSpace::open(connect(&server).await, Options::new()).await.unwrap();
    let held = soon(space.acquire("a").lease(LONG).into_future()).await.unwrap();
    let expires = raw(&server, &["PTTL", "lockspace:{test}"]).await.unwrap();
    assert_eq!(expires, redis::Value::Int(-1), "it has no time to live");
    held.release().unwrap();
    soon(space.shutdown(Duration::ZERO)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_namespace_that_is_just_being_made_is_no_key_of_something_else() {
    let Some(server) = Redis::start() else { return };
    let address = server.url();
    for round in 0..100 {
        let namespace = format!("round {round}");
        let maker = RedisStore::connect(&address, &namespace).await.unwrap();
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let (address, namespace) = (address.clone(), namespace.clone());
                tokio::spawn(
                    async move { RedisStore::connect(&address, &namespace).await.map(drop) },
                )
            })
            .collect();
        swapped(&maker, "lock/a", None, b"one").await;
        for opened in opening {
            soon(opened).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_key_of_something_else_is_refused_and_left_as_it_is() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    let key = "lockspace:{test}";
    for (words, format) in [
        (vec!["SET", key, "theirs"], None),
        (vec!["HSET", key, "their", "own"], None),
        (vec!["HSET", key, "", "lockspace-redis/theirs 17"], None),
        (vec!["HSET", key, "", "lockspace-redis/0 17"], Some(0)),
        (vec!["HSET", key, "", "lockspace-redis/2 17"], Some(2)),
    ] {
        raw(&server, &["FLUSHALL"]).await.unwrap();
        raw(&server, &words).await.unwrap();
        let before = raw(&server, &["DUMP", key]).await.unwrap();
        let refused = RedisStore::connect(&server.url(), "test").await.unwrap_err();
        match format {
            None => assert!(matches!(refused, ConnectError::Foreign), "{refused:?}"),
            Some(format) => assert!(
                matches!(refused, ConnectError::OtherFormat { found, known: 1 } if found == format),
                "{refused:?}"
            ),
        }
        let outcome = store.swap("lock/a", None, Some(b"a")).await;
        assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
        assert_eq!(raw(&server, &["DUMP", key]).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_server_that_is_full_did_nothing() {
    let Some(server) = Redis::start_with(&["--maxmemory", "1"]) else { return };
    let store = connect(&server).await;
    let outcome = store.swap("lock/a", None, Some(b"a")).await;
    assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
    assert_eq!(store.scan("").await.unwrap(), []);
}

#[tokio::test]
async fn the_commands_that_are_told_suffice() {
    let Some(server) = Redis::start() else { return };
    let told = "~lockspace:* &lockspace:* -@all +evalsha +script|load +hget +hset +hdel +hgetall \
                +exists +role +time +publish +subscribe";
    let words = ["ACL", "SETUSER", "app", "on", ">secret"];
    let words: Vec<_> = words.into_iter().chain(told.split_whitespace()).collect();
    raw(&server, &words).await.unwrap();
    let address = server.url().replace("redis://", "redis://app:secret@");
    let store = RedisStore::connect(&address, "test").await.unwrap();
    let version = swapped(&store, "lock/a", None, b"a").await;
    soon(store.watch("lock/a", None)).await;
    assert_eq!(store.scan("lock/").await.unwrap().len(), 1);
    swapped(&store, "lock/a", Some(version), b"").await;
    assert!(!store.capabilities().durable, "the server was not to be asked");
    assert!(!format!("{store:?}").contains("secret"));
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_address_are_said_without_telling_them() {
    let Some(server) = Redis::start_with(&["--requirepass", "right"]) else { return };
    let wrong = server.url().replace("redis://", "redis://:secret@");
    for address in [wrong, "nonsense://:secret@host".into()] {
        let error = RedisStore::connect(&address, "test").await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn durability_is_what_the_server_is_set_to() {
    let (Some(always), Some(never)) = (Redis::start(), Redis::start_with(&[])) else { return };
    assert!(connect(&always).await.capabilities().durable);
    assert!(!connect(&never).await.capabilities().durable);
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn who_asks_for_tls_is_refused_where_there_is_none() {
    let refused = RedisStore::connect("rediss://host.example", "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Address(_)), "{refused:?}");
}
