//! Point 1 of the contract: what a swap does, alone and among many.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockspace::store::Store;

use super::{Looked, agree, conflict, crowd, crowd_of, load, soon, swap};
use crate::judge;
use crate::place::Place;
use crate::process::{Processes, Remote};

pub(crate) async fn a_swap_does_what_it_says(place: Place) -> Looked {
    let (here, there) = (place.open().await, place.open().await);
    assert_eq!(load(&there, "k").await, None, "the place is not empty");
    let first = swap(&here, "k", None, Some(b"one")).await;
    conflict(&there, "k", None, Some(b"no")).await;
    let second = swap(&there, "k", Some(first), Some(b"two")).await;
    conflict(&here, "k", Some(first), Some(b"no")).await;
    conflict(&here, "k", Some(first), None).await;
    conflict(&here, "k", None, Some(b"no")).await;
    conflict(&here, "other", Some(second), Some(b"no")).await;
    assert_eq!(
        load(&here, "k").await,
        Some((second, b"two".to_vec())),
        "a conflict changes nothing"
    );
    let third = swap(&here, "k", Some(second), None).await;
    assert_eq!(load(&there, "k").await, None, "it was removed");
    conflict(&there, "k", Some(second), Some(b"no")).await;
    conflict(&there, "k", Some(third), Some(b"no")).await;
    swap(&there, "k", None, Some(b"three")).await;
    Ok(())
}

/// What a swap said to have done is there: this version, these bytes, and nothing came after it.
pub(crate) async fn a_swap_is_done_once(place: Place) -> Looked {
    let store = place.open().await;
    let mut known = None;
    for round in 0..50 {
        let bytes = format!("round {round}").into_bytes();
        let version = swap(&store, "k", known, Some(&bytes)).await;
        assert_eq!(load(&store, "k").await, Some((version, bytes)), "after the swap {version}");
        known = Some(version);
    }
    Ok(())
}

pub(crate) async fn any_bytes_under_any_key_come_back(place: Place) -> Looked {
    let store = place.open().await;
    let long = format!("lock/{}", "n".repeat(295));
    let keys =
        ["lock/a", "lock/A", "lock/a ", "lock/ä", "lock/a%", "lock/a'\"\\", "lock/a/b", &long];
    let all: Vec<u8> = (0..=255).collect();
    let contents = [&b""[..], &b"\0"[..], &all, &all.repeat(256)];
    for (at, key) in keys.iter().enumerate() {
        let mut known = None;
        for (turn, bytes) in contents.iter().enumerate() {
            known = Some(swap(&store, key, known, Some(bytes)).await);
            let row = load(&store, key).await;
            let same = row.is_some_and(|row| Some(row.0) == known && row.1 == *bytes);
            assert!(same, "the {turn}th content of {key:?} does not come back");
        }
        let others = keys[..at].iter();
        for other in others {
            let (_, bytes) = load(&store, other).await.expect("it was written");
            assert!(bytes == contents[3], "{other:?} was changed with {key:?}");
        }
    }
    Ok(())
}

/// Keys that servers and file systems have taken for one another: by their case, by what stands around them,
/// by where they think that a text ends, or by how Unicode can be written. Longer ones: [`long`].
const ALIKE: [&str; 17] = [
    "lock/a",
    "lock/A",
    "lock/a ",
    "lock/ a",
    "lock/a.",
    "lock/a\t",
    "lock/a\0",
    "lock/a\0b",
    "lock/a\u{200b}",
    "lock/ａ",
    "lock/ä",
    "lock/Ä",
    "lock/a\u{308}",
    "lock/ß",
    "lock/ss",
    "lock/i",
    "lock/ı",
];

/// Keys as long as a store must take, that differ in one letter: near the beginning, in the 256th byte, where
/// short texts and their indices end, and in the last.
fn long() -> impl Iterator<Item = String> {
    let key = |at| format!("lock/{}", "n".repeat(at)) + "m" + &"n".repeat(294 - at);
    [0, 250, 294].into_iter().map(key)
}

pub(crate) async fn keys_that_look_alike_are_different_rows(place: Place) -> Looked {
    let (here, there) = (place.open().await, place.open().await);
    let keys: Vec<String> = ALIKE.iter().map(|key| (*key).to_owned()).chain(long()).collect();
    let mut versions = Vec::new();
    for key in &keys {
        versions.push(swap(&here, key, None, Some(key.as_bytes())).await);
    }
    for (gone, (key, version)) in keys.iter().zip(versions).enumerate() {
        let left = &keys[gone..];
        for other in left {
            let row = load(&there, other).await.map(|(_, bytes)| bytes);
            assert_eq!(row.as_deref(), Some(other.as_bytes()), "the row of {other:?}");
        }
        let rows = soon("a scan", there.scan(key)).await.expect("a scan");
        let found: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
        let meant = left.iter().filter(|other| other.starts_with(key)).collect();
        assert_eq!(found, meant, "what begins with {key:?}");
        swap(&here, key, Some(version), None).await;
    }
    Ok(())
}

pub(crate) async fn swaps_of_many_are_linearizable(place: Place) -> Looked {
    agree(judge::swaps(&crowd(&place, &["a", "b"], 60).await))
}

/// Processes share nothing but the store, not even a lock of its author's.
pub(crate) async fn swaps_of_many_processes_are_linearizable(place: Place) -> Looked {
    let processes = Processes::at(&place)?;
    let stores = (0..4).map(|_| Remote(Arc::new(processes.start()))).collect();
    let seen = crowd_of(stores, &["a", "b"], 60).await;
    agree(judge::swaps(&seen).and_then(|()| judge::versions(&seen)))
}
