//! The file: what is refused, what is left as it is, and what happens when it goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockspace::store::{Store, StoreError, Swap, Version};
use lockspace_sqlite::{OpenError, SqliteStore, Synchronous};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::timeout;

/// No call here takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks.sqlite");
    (folder, path)
}

async fn put(store: &SqliteStore, key: &str) -> Version {
    let before = store.load(key).await.unwrap().map(|(version, _)| version);
    match store.swap(key, before, Some(b"row")).await.unwrap() {
        Swap::Swapped(version) => version,
        Swap::Conflict => panic!("nobody else writes {key}"),
    }
}

async fn remove(store: &SqliteStore, key: &str, known: Version) -> Version {
    match store.swap(key, Some(known), None).await.unwrap() {
        Swap::Swapped(version) => version,
        Swap::Conflict => panic!("nobody else writes {key}"),
    }
}

/// A file of ours, closed, in which `sql` was run.
async fn altered(path: &Path, sql: &str) {
    drop(SqliteStore::open(path).await.unwrap());
    closed(path);
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// Waits until the thread of a store that was dropped has closed the file. The last one who does takes the
/// log with it; until then somebody else's changes may stand in the log alone.
fn closed(path: &Path) {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let begun = Instant::now();
    while log.exists() {
        assert!(begun.elapsed() < PATIENCE, "{path:?} is still open");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn versions_go_on_after_rows_were_removed_and_the_file_was_closed() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let first = put(&store, "a").await;
    let second = remove(&store, "a", first).await;
    drop(store);
    let store = SqliteStore::open(&path).await.unwrap();
    assert!(store.scan("").await.unwrap().is_empty());
    let third = put(&store, "b").await;
    assert!(first < second && second < third);
}

#[tokio::test]
async fn versions_go_on_although_the_clock_has_gone_back() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    put(&store, "a").await;
    let ahead = i64::MAX / 2;
    let sql = format!("UPDATE counter SET last = {ahead}");
    Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    assert_eq!(put(&store, "a").await, Version(ahead.unsigned_abs() + 1));
}

#[tokio::test]
async fn versions_go_on_in_a_file_that_was_begun_anew() {
    let (_folder, path) = place();
    let old = put(&SqliteStore::open(&path).await.unwrap(), "a").await;
    let (_other_folder, other) = place();
    assert!(old < put(&SqliteStore::open(&other).await.unwrap(), "a").await);
}

#[tokio::test]
async fn namespaces_share_nothing() {
    let (_folder, path) = place();
    let open = |namespace: &str| SqliteStore::builder().namespace(namespace).open(&path);
    let (one, other) = (open("one").await.unwrap(), open("other").await.unwrap());
    put(&one, "a").await;
    assert_eq!(other.load("a").await.unwrap(), None);
    assert!(other.scan("").await.unwrap().is_empty());
    put(&other, "a").await;
    assert_eq!(one.scan("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_prefix_is_text_and_no_pattern() {
    let (_folder, path) = place();
    let store = SqliteStore::builder().synchronous(Synchronous::Normal).open(&path).await.unwrap();
    for key in ["a%/1", "a%/2", "ab/1", "a", "b", "a%0", "ü/1", "ü"] {
        put(&store, key).await;
    }
    let keys = async |prefix| {
        let rows = store.scan(prefix).await.unwrap();
        rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("a%/").await, ["a%/1", "a%/2"]);
    assert_eq!(keys("ü").await, ["ü", "ü/1"]);
    assert_eq!(keys("").await.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_is_just_being_made_is_no_foreign_one() {
    for _ in 0..50 {
        let (_folder, path) = place();
        let opening: Vec<_> =
            (0..4).map(|_| tokio::spawn(SqliteStore::open(path.clone()))).collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    put(&store, "a").await;
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "the file, its log, and the log's index: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    for content in ["name = \"a\"\n".repeat(100), "short".into()] {
        fs::write(&path, &content).unwrap();
        let refused = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(refused, OpenError::Foreign), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_database_of_something_else_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_an_older_or_newer_format_is_refused_and_left_as_it_is() {
    for found in [0, 2] {
        let (_folder, path) = place();
        altered(&path, &format!("PRAGMA user_version = {found}")).await;
        let before = fs::read(&path).unwrap();
        match SqliteStore::open(&path).await.unwrap_err() {
            OpenError::OtherFormat { found: says } => assert_eq!(says, found),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    let rows = "INSERT INTO row WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
                SELECT '', 'key ' || n, n, x'00' FROM n";
    altered(&path, rows).await;
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(_)), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said_to_be_missing() {
    let (folder, _) = place();
    let refused = SqliteStore::open(folder.path().join("none/locks.sqlite")).await.unwrap_err();
    assert!(matches!(refused, OpenError::Io(_)), "{refused:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_goes_on_in_a_file_that_others_no_longer_see() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let known = put(&store, "a").await;
    fs::remove_file(&path).unwrap();
    let failed = store.swap("a", Some(known), None).await.unwrap_err();
    assert!(matches!(failed, StoreError::NotDone(_)), "{failed:?}");
    // Another one in its place does not change that.
    drop(SqliteStore::open(&path).await.unwrap());
    assert!(store.load("a").await.is_err());
}

#[tokio::test]
async fn a_file_that_stays_locked_is_waited_for_up_to_the_limit() {
    let (_folder, path) = place();
    let limit = Duration::from_millis(50);
    let store = SqliteStore::builder().busy_limit(limit).open(&path).await.unwrap();
    let known = put(&store, "a").await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = timeout(PATIENCE, store.swap("a", Some(known), None)).await.unwrap().unwrap_err();
    assert!(matches!(failed, StoreError::NotDone(_)), "{failed:?}");
    // Whoever reads waits for nobody.
    assert!(store.load("a").await.unwrap().is_some());
    other.execute_batch("COMMIT").unwrap();
    remove(&store, "a", known).await;
}

#[tokio::test]
async fn a_dropped_call_leaves_the_store_usable() {
    let (_folder, path) = place();
    let store = SqliteStore::builder().synchronous(Synchronous::Normal).open(&path).await.unwrap();
    for _ in 0..100 {
        let before = store.load("a").await.unwrap().map(|(version, _)| version);
        // Polled once: the call is on its way to the thread, and nobody will hear the answer.
        let call = store.swap("a", before, Some(b"late"));
        tokio::select! { biased; _ = call => {}, () = async {} => {} }
        put(&store, "b").await;
    }
    put(&store, "a").await;
}

#[tokio::test]
async fn a_watcher_hears_of_its_own_stores_change_and_of_anothers() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let other = SqliteStore::open(&path).await.unwrap();
    for writer in [&store, &other] {
        let known = put(&store, "a").await;
        let (hint, ()) = tokio::join!(timeout(PATIENCE, store.watch("a", Some(known))), async {
            put(writer, "a").await;
        });
        hint.expect("the hint comes");
    }
}

#[tokio::test]
async fn a_watcher_that_is_late_hears_at_once() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    put(&store, "a").await;
    timeout(PATIENCE, store.watch("a", None)).await.expect("the hint comes");
}
