//! Points 2 and 4 of the contract: loads and scans. And that a place is one's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockspace::store::Store;
use tokio::task::JoinSet;

use super::{Looked, conflict, load, soon, swap};
use crate::place::Place;

/// Rows that stay while others come and go: more than servers hand out at once.
const ROWS: usize = 1_200;

pub(crate) async fn a_load_sees_the_latest_swap(place: Place) -> Looked {
    let stores = [place.open().await, place.open().await, place.open().await];
    let mut known = None;
    for round in 0..100 {
        let version = swap(&stores[round % 3], "k", known, Some(b"row")).await;
        for reader in &stores {
            let seen = load(reader, "k").await.map(|row| row.0);
            assert_eq!(seen, Some(version), "after {version} was written, in place of {known:?}");
        }
        known = Some(version);
    }
    swap(&stores[0], "k", known, None).await;
    for reader in &stores {
        assert_eq!(load(reader, "k").await, None, "after the row was removed");
    }
    Ok(())
}

pub(crate) async fn a_scan_shows_every_row_that_stays(place: Place) -> Looked {
    let store = Arc::new(place.open().await);
    let mut writers = JoinSet::new();
    for first in 0..16 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for row in (first..ROWS).step_by(16) {
                swap(&*store, &format!("stay/{row:04}"), None, Some(&row.to_le_bytes())).await;
            }
        });
    }
    writers.join_all().await;
    let (churner, churned) = (place.open().await, place.open().await);
    let churn = async {
        for round in 0_u32.. {
            let key = format!("stay/{:04}/{round}", round * 7 % 1_200);
            let version = swap(&churner, &key, None, Some(b"passing")).await;
            swap(&churner, &key, Some(version), None).await;
        }
    };
    let scans = async {
        for _ in 0..5 {
            let rows = soon("a scan", churned.scan("stay/")).await.expect("a scan");
            let keys: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
            assert_eq!(keys.len(), rows.len(), "a row is there twice");
            let stayed = rows.iter().filter(|row| row.key.len() == "stay/0000".len());
            assert_eq!(stayed.count(), ROWS, "rows that were there are missing");
            for row in rows.iter().filter(|row| row.key.len() == "stay/0000".len()) {
                let number: usize = row.key["stay/".len()..].parse().expect("a number");
                assert_eq!(row.bytes, number.to_le_bytes(), "of {}", row.key);
            }
        }
    };
    tokio::select! { () = churn => unreachable!("it goes on"), () = scans => Ok(()) }
}

pub(crate) async fn a_prefix_is_no_pattern(place: Place) -> Looked {
    let store = place.open().await;
    let keys =
        ["a%b/1", "a_b/1", "a*b/1", "a?b/1", "a[b]/1", "a\\b/1", "axb/1", "A%B/1", "a%b", "ü/1"];
    for key in keys {
        swap(&store, key, None, Some(b"row")).await;
    }
    for prefix in keys.map(|key| key.trim_end_matches('1')).into_iter().chain(["", "a", "b"]) {
        let rows = soon("a scan", store.scan(prefix)).await.expect("a scan");
        let found: BTreeSet<_> = rows.iter().map(|row| row.key.as_str()).collect();
        let meant = keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(found, meant, "what begins with {prefix:?}");
    }
    Ok(())
}

pub(crate) async fn namespaces_share_nothing(place: Place) -> Looked {
    // Whether a second place can be had is no question: the first one could.
    let Ok(other) = place.another().await else { panic!("no second place at the same time") };
    let (here, there) = (place.open().await, other.open().await);
    let version = swap(&here, "k", None, Some(b"here")).await;
    assert_eq!(load(&there, "k").await, None, "a row of another place");
    conflict(&there, "k", Some(version), None).await;
    assert!(soon("a scan", there.scan("")).await.expect("a scan").is_empty());
    let version = swap(&there, "k", None, Some(b"there")).await;
    swap(&there, "k", Some(version), None).await;
    assert_eq!(load(&here, "k").await.map(|row| row.1), Some(b"here".to_vec()));
    Ok(())
}
