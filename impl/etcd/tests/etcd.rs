//! The contract of a store, on an etcd that is killed, filled up and cut off, and on clusters that lose
//! servers; and what of etcd it relies upon.
//!
//! What is the same at every store over a server is no matter for here: see `tests/remote`.

use std::future::{Future, IntoFuture};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::record::Record;
use lockspace::store::{Options, Row, Store, StoreError, Swap, Version};
use lockspace_etcd::{ConnectError, EtcdStore};
use lockspace_servers::{Etcd, Proxy, Server};

/// Longer than anything takes that is not waited for in vain.
const LONG: Duration = Duration::from_secs(30);

async fn connect(server: &Server) -> EtcdStore {
    EtcdStore::connect(&server.url(), "test").await.expect("the server runs")
}

async fn swapped(store: &EtcdStore, key: &str, old: Option<Version>, new: &[u8]) -> Version {
    let new = (!new.is_empty()).then_some(new);
    match store.swap(key, old, new).await {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("{key} was to be swapped: {other:?}"),
    }
}

/// What the server answers to this JSON, which goes past our client: by HTTP, and as whoever has the token.
fn post(server: &Server, path: &str, json: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("the server runs");
    let length = json.len();
    let head = format!("POST /v3/{path} HTTP/1.0\r\nContent-Length: {length}\r\n");
    let token =
        if token.is_empty() { String::new() } else { format!("Authorization: {token}\r\n") };
    write!(stream, "{head}{token}\r\n{json}").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    assert!(answer.starts_with("HTTP/1.0 200"), "{path} {json}: {answer}");
    answer
}

/// Writes a key as somebody else would. Keys and values are in base64, as the server wants them.
fn put(server: &Server, key: &str, value: &str) {
    post(server, "kv/put", &format!(r#"{{"key":"{key}","value":"{value}"}}"#), "");
}

/// Its outcome, which comes within a time that says that nobody hung.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it does not hang")
}

#[tokio::test]
async fn a_key_that_is_no_text_hinders_no_scan() {
    let Some(server) = Etcd::start() else { return };
    let store = connect(&server).await;
    let version = swapped(&store, "lock/a", None, b"a").await;
    // `lockspace/test/lock/` and a byte that is no text, in base64.
    put(&server, "bG9ja3NwYWNlL3Rlc3QvbG9jay//", "");
    let row = Row { key: "lock/a".into(), version, bytes: b"a".to_vec() };
    assert_eq!(store.scan("lock/").await.unwrap(), [row]);
}

#[tokio::test]
async fn namespaces_share_nothing() {
    let Some(server) = Etcd::start() else { return };
    let names = ["a", "a/b", "a%2Fb", "", "a/"];
    let mut versions = Vec::new();
    for name in names {
        let store = EtcdStore::connect(&server.url(), name).await.unwrap();
        assert_eq!(store.scan("").await.unwrap(), [], "{name:?}");
        for version in &versions {
            let outcome = store.swap("lock/a", Some(*version), None).await.unwrap();
            assert_eq!(outcome, Swap::Conflict, "{name:?}");
        }
        versions.push(swapped(&store, "lock/a", None, b"row").await);
        let rows = store.scan("").await.unwrap();
        assert_eq!(rows.len(), 1, "{name:?}");
    }
}

#[tokio::test]
async fn a_scan_goes_on_after_a_page() {
    let Some(server) = Etcd::start_with(&["--unsafe-no-fsync"]) else { return };
    let store = connect(&server).await;
    let key = |row| format!("lock/{row:04}");
    for row in 0..1_001 {
        swapped(&store, &key(row), None, b"row").await;
    }
    let rows = store.scan("lock/").await.unwrap();
    let keys: Vec<_> = rows.into_iter().map(|row| row.key).collect();
    assert_eq!(keys, (0..1_001).map(key).collect::<Vec<_>>());
}

#[tokio::test]
async fn versions_increase_over_keys_removals_kills_compaction_and_lost_keys() {
    let Some(server) = Etcd::start() else { return };
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
    let compact = format!(r#"{{"revision":"{}","physical":true}}"#, versions[3]);
    post(&server, "kv/compaction", &compact, "");
    assert_eq!(store.load("lock/a").await.unwrap(), Some((versions[3], b"a".to_vec())));
    // All keys of the server.
    post(&server, "kv/deleterange", r#"{"key":"AA==","range_end":"AA=="}"#, "");
    assert_eq!(store.scan("").await.unwrap(), []);
    let outcome = store.swap("lock/a", Some(versions[3]), Some(b"b")).await.unwrap();
    assert_eq!(outcome, Swap::Conflict);
    versions.push(swapped(&store, "lock/a", None, b"a").await);
    versions.push(swapped(&connect(&server).await, "lock/b", None, b"b").await);
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
}

/// A number that the server tells of itself.
fn metric(server: &Server, name: &str) -> u64 {
    let mut stream = TcpStream::connect(server.address()).expect("the server runs");
    write!(stream, "GET /metrics HTTP/1.0\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// A lockspace that looks at what it waits for when it is told to, and by itself only after hours.
async fn that_looks_when_told(address: &str) -> LockSpace {
    let store = EtcdStore::connect(address, "test").await.expect("the server runs");
    let options = Options::new().ttl(Options::LONGEST_TTL);
    LockSpace::open(store, options).await.expect("the server runs")
}

#[tokio::test]
async fn a_hint_that_is_compacted_away_hinders_no_hand_over() {
    let Some(server) = Etcd::start_with(&["--unsafe-no-fsync"]) else { return };
    let (store, here) = (connect(&server).await, that_looks_when_told(&server.url()).await);
    let held = soon(here.acquire("a").into_future()).await.unwrap();
    let first = held.fencing_token();
    let (stand_still, told_to) = tokio::sync::oneshot::channel::<()>();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let address = server.url();
    // Its runtime is one thread: when that stands still, nobody there takes what the server tells.
    let waiter = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let there = that_looks_when_told(&address).await;
            let stands_still = async {
                told_to.await.unwrap();
                may_go_on.recv().unwrap();
                // The limit for what follows.
                tokio::time::sleep(LONG).await;
            };
            let token = tokio::select! {
                granted = there.acquire("a") => granted.unwrap().fencing_token(),
                () = stands_still => panic!("it was not told that its turn has come"),
            };
            there.shutdown(Duration::ZERO).await;
            token
        })
    });
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    soon(until(&|| metric(&server, "etcd_debugging_mvcc_watcher_total") == 1)).await;
    stand_still.send(()).unwrap();
    // So much is swapped that the server cannot keep it all for whoever takes nothing.
    let (row, mut version) = (vec![b'r'; 8_000], None);
    let swapping = async {
        while metric(&server, "etcd_debugging_mvcc_slow_watcher_total") == 0 {
            for _ in 0..100 {
                version = Some(swapped(&store, "busy", version, &row).await);
            }
        }
    };
    soon(swapping).await;
    held.release().unwrap();
    let handed_over = async {
        loop {
            let (version, bytes) = store.load("lock/a").await.unwrap().expect("it is wanted");
            if Record::read(&bytes).unwrap().queue.is_empty() {
                return version;
            }
        }
    };
    let revision = soon(handed_over).await;
    let compact = format!(r#"{{"revision":"{revision}","physical":true}}"#);
    post(&server, "kv/compaction", &compact, "");
    go_on.send(()).unwrap();
    let token = tokio::task::spawn_blocking(|| waiter.join()).await.unwrap().unwrap();
    assert!(first < token, "{token} after {first}");
    soon(here.shutdown(Duration::ZERO)).await;
    swapped(&store, "busy", version, b"").await;
    assert_eq!(store.scan("").await.unwrap(), []);
}

#[tokio::test]
async fn nothing_expires_by_the_clock_of_the_server() {
    let Some(server) = Etcd::start() else { return };
    let space = LockSpace::open(connect(&server).await, Options::new()).await.unwrap();
    let held = soon(space.acquire("a").lease(LONG).into_future()).await.unwrap();
    let leases = post(&server, "lease/leases", "{}", "");
    assert!(!leases.contains("\"leases\""), "it has given a lease: {leases}");
    held.release().unwrap();
    soon(space.shutdown(Duration::ZERO)).await;
    // A lease would be seen.
    post(&server, "lease/grant", r#"{"TTL":"60"}"#, "");
    let leases = post(&server, "lease/leases", "{}", "");
    assert!(leases.contains("\"leases\""), "{leases}");
}

#[tokio::test]
async fn a_version_that_no_row_has_is_a_conflict() {
    let Some(server) = Etcd::start() else { return };
    let store = connect(&server).await;
    for version in [0, u64::MAX] {
        let outcome = store.swap("lock/a", Some(Version(version)), Some(b"a")).await.unwrap();
        assert_eq!(outcome, Swap::Conflict);
    }
    assert_eq!(store.scan("").await.unwrap(), []);
}

#[tokio::test]
async fn keys_of_something_else_are_refused_and_left_as_they_are() {
    let Some(server) = Etcd::start() else { return };
    let store = connect(&server).await;
    // `lockspace/test/` and `lockspace/test/theirs`, in base64.
    let (marker, theirs) = ("bG9ja3NwYWNlL3Rlc3Qv", "bG9ja3NwYWNlL3Rlc3QvdGhlaXJz");
    let all = r#"{"key":"AA==","range_end":"AA=="}"#;
    // `theirs`, and our marker with format 2 and 0.
    let (text, two, zero) = ("dGhlaXJz", "bG9ja3NwYWNlLWV0Y2QvMg==", "bG9ja3NwYWNlLWV0Y2QvMA==");
    for (key, value, format) in [
        (theirs, text, None),
        (marker, text, None),
        (marker, two, Some(2)),
        (marker, zero, Some(0)),
    ] {
        put(&server, key, value);
        let refused = EtcdStore::connect(&server.url(), "test").await.unwrap_err();
        match format {
            None => assert!(matches!(refused, ConnectError::Foreign), "{refused:?}"),
            Some(format) => assert!(
                matches!(refused, ConnectError::OtherFormat { found, known: 1 } if found == format),
                "{refused:?}"
            ),
        }
        // Whoever is connected already writes nothing either.
        if key == marker {
            let outcome = store.swap("lock/a", None, Some(b"a")).await;
            assert!(matches!(outcome, Err(StoreError::NotDone(_))), "{outcome:?}");
        }
        let left = post(&server, "kv/range", all, "");
        assert!(left.contains(value) && left.contains(r#""count":"1""#), "{left}");
        post(&server, "kv/deleterange", all, "");
    }
    swapped(&store, "lock/a", None, b"a").await;
}

/// Sets up users `root` and `app`, of whom `app` may read and write the prefix `lockspace/test/`.
fn ask_for_passwords(server: &Server) {
    let range = r#""key":"bG9ja3NwYWNlL3Rlc3Qv","range_end":"bG9ja3NwYWNlL3Rlc3Qw""#;
    for (path, json) in [
        ("auth/user/add", r#"{"name":"root","password":"root secret"}"#),
        ("auth/user/grant", r#"{"user":"root","role":"root"}"#),
        ("auth/role/add", r#"{"name":"app"}"#),
        (
            "auth/role/grant",
            &format!(r#"{{"name":"app","perm":{{"permType":"READWRITE",{range}}}}}"#),
        ),
        ("auth/user/add", r#"{"name":"app","password":"right secret"}"#),
        ("auth/user/grant", r#"{"user":"app","role":"app"}"#),
        ("auth/enable", "{}"),
    ] {
        post(server, path, json, "");
    }
}

#[tokio::test]
async fn a_password_is_used_and_never_told() {
    let Some(server) = Etcd::start() else { return };
    let with = |login: &str| server.url().replace("://", &format!("://{login}"));
    // Where nobody asks for it, it does no harm.
    EtcdStore::connect(&with("app:right%20secret@"), "test").await.unwrap();
    ask_for_passwords(&server);
    let store = EtcdStore::connect(&with("app:right%20secret@"), "test").await.unwrap();
    assert!(!format!("{store:?}").contains("secret"));
    // The rights that are told suffice for all that it does, and for nothing else.
    let version = swapped(&store, "lock/a", None, b"a").await;
    soon(store.watch("lock/a", None)).await;
    let version = swapped(&store, "lock/a", Some(version), b"b").await;
    assert_eq!(store.scan("").await.unwrap().len(), 1);
    swapped(&store, "lock/a", Some(version), b"").await;
    let nonsense = "nonsense://app:secret@host".to_owned();
    for (address, namespace) in [
        (with("app:wrong%20secret@"), "test"),
        (with("app:right%20secret@"), "other"),
        (server.url(), "test"),
        (nonsense, "test"),
    ] {
        let error = EtcdStore::connect(&address, namespace).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_that_the_server_has_forgotten_is_renewed() {
    let Some(server) = Etcd::start() else { return };
    ask_for_passwords(&server);
    let address = server.url().replace("://", "://app:right%20secret@");
    let store = EtcdStore::connect(&address, "test").await.unwrap();
    let version = swapped(&store, "lock/a", None, b"a").await;
    // A change of the rights makes all tokens too old, on the connection that there is.
    let said =
        post(&server, "auth/authenticate", r#"{"name":"root","password":"root secret"}"#, "");
    let token = said.split(r#""token":""#).nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("there is a token").to_owned();
    post(&server, "auth/user/changepw", r#"{"name":"app","password":"right secret"}"#, &token);
    let version = swapped(&store, "lock/a", Some(version), b"b").await;
    // Tokens do not survive a restart.
    server.stop();
    server.restart();
    let _ = store.load("lock/a").await; // Finds the connection dead.
    assert_eq!(store.load("lock/a").await.unwrap(), Some((version, b"b".to_vec())));
    soon(store.watch("lock/a", None)).await;
}

#[tokio::test]
async fn a_server_that_is_full_lets_go_of_locks() {
    // What it measures is what it has committed: after each swap, that is.
    let quota = ["--quota-backend-bytes", "2000000", "--backend-batch-limit", "1"];
    let Some(server) = Etcd::start_with(&quota) else { return };
    let store = connect(&server).await;
    let held = swapped(&store, "lock/held", None, b"held").await;
    let row = vec![b'r'; 100_000];
    let mut outcome = Ok(Swap::Conflict);
    for number in 0..100 {
        outcome = store.swap(&format!("lock/{number}"), None, Some(&row)).await;
        if outcome.is_err() {
            break;
        }
    }
    // It says that its space is exceeded also when it has done the swap.
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    let outcome = store.swap("lock/more", None, Some(b"more")).await;
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    assert_eq!(store.load("lock/held").await.unwrap(), Some((held, b"held".to_vec())));
    swapped(&store, "lock/held", Some(held), b"").await;
}

/// The address of all of them, the first one first.
fn all(servers: &[Server]) -> String {
    let hosts: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
    format!("etcd://{}", hosts.join(","))
}

/// What a call answers when it has found a server that does, of those that are tried in turn.
async fn settled<T>(call: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let settled = async {
        loop {
            if let Ok(answer) = call().await {
                return answer;
            }
            // A new leader is chosen in about a second, which only a call can show.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    soon(settled).await
}

#[tokio::test]
async fn what_was_answered_survives_the_loss_of_any_server_of_three() {
    let Some(servers) = Etcd::cluster(3) else { return };
    let limit = Duration::from_secs(3);
    let builder = EtcdStore::builder().namespace("test").answer_limit(limit);
    let store = builder.connect(&all(&servers)).await.unwrap();
    let mut known = Vec::new();
    // One of them is the leader, and one is where the connection leads.
    for (turn, server) in servers.iter().enumerate() {
        for row in 0..20 {
            let key = format!("lock/{turn}/{row}");
            let version = settled(async || match store.swap(&key, None, Some(b"row")).await {
                // An earlier attempt whose outcome was unknown has done it.
                Ok(Swap::Conflict) => Ok(store.load(&key).await?.expect("it is there").0),
                Ok(Swap::Swapped(version)) => Ok(version),
                Err(error) => Err(error),
            });
            known.push((key.clone(), version.await));
        }
        server.kill();
        let mut found = settled(async || store.scan("lock/").await).await;
        found.sort_by_key(|row| row.version);
        let found: Vec<_> = found.into_iter().map(|row| (row.key, row.version)).collect();
        assert_eq!(found, known, "after the loss of server {turn}");
        server.restart();
    }
    assert!(known.windows(2).all(|pair| pair[0].1 < pair[1].1), "{known:?}");
}

#[tokio::test]
async fn a_server_without_a_majority_shows_nothing_and_ends_watching() {
    let Some(servers) = Etcd::cluster(3) else { return };
    let builder = EtcdStore::builder().namespace("test").answer_limit(Duration::from_secs(2));
    let store = Arc::new(builder.connect(&servers[0].url()).await.unwrap());
    let version = swapped(&store, "lock/a", None, b"a").await;
    let its = Arc::clone(&store);
    let watching = tokio::spawn(async move { its.watch("lock/a", Some(version)).await });
    // It listens when it is told of something else.
    swapped(&store, "lock/b", None, b"b").await;
    servers[1].kill();
    servers[2].kill();
    let shown = soon(store.load("lock/a")).await;
    assert!(shown.is_err(), "{shown:?}");
    let outcome = soon(store.swap("lock/a", Some(version), None)).await;
    assert!(outcome.is_err(), "{outcome:?}");
    soon(watching).await.unwrap();
    std::thread::scope(|scope| {
        servers[1..].iter().for_each(|server| {
            scope.spawn(|| server.restart());
        });
    });
    let row = settled(async || store.load("lock/a").await).await;
    // What was asked without a majority may have been done when there was one again.
    assert!(row.is_none_or(|row| row == (version, b"a".to_vec())));
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_passed_over() {
    let Some(server) = Etcd::start() else { return };
    let (dead, line) = (Proxy::before(&server), Proxy::before(&server));
    let address = format!("etcd://{},{}", line.address(), dead.address());
    let builder = EtcdStore::builder().namespace("test").answer_limit(Duration::from_secs(1));
    let store = builder.connect(&address).await.unwrap();
    let version = swapped(&store, "lock/a", None, b"a").await;
    dead.go_dead();
    for _ in 0..3 {
        line.cut();
        let _ = soon(store.load("lock/a")).await; // Finds the connection dead.
        let row = settled(async || store.load("lock/a").await).await;
        assert_eq!(row, Some((version, b"a".to_vec())));
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn who_asks_for_tls_is_refused_where_there_is_none() {
    let refused = EtcdStore::connect("etcds://host.example", "test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::NoTls), "{refused:?}");
}
