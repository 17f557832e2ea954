//! Point 3 of the contract: versions only grow, over everything.

use lockspace::store::{Store, Swap, Version};

use super::victim::Victim;
use super::{Looked, agree, crowd, load, soon, swap, version_again};
use crate::judge;
use crate::place::Place;

pub(crate) async fn versions_grow_over_all_keys(place: Place) -> Looked {
    agree(judge::versions(&crowd(&place, &["a", "b", "c"], 60).await))
}

/// Rows are made and removed; each swap must draw a version greater than `last`.
async fn rounds(place: &Place, last: &mut Version) {
    rounds_on(&place.open().await, last).await;
}

async fn rounds_on(store: &impl Store, last: &mut Version) {
    for key in ["a", "b", "a", "c", "b", "a"] {
        // A kill may have brought back a row that was removed: not what is asked here.
        let known = version_again(store, key).await;
        let made = swap(store, key, known, Some(b"row")).await;
        let removed = swap(store, key, Some(made), None).await;
        assert!(
            *last < made && made < removed,
            "after {last}: {key:?} made {made}, gone {removed}"
        );
        *last = removed;
    }
}

pub(crate) async fn versions_grow_over_deletes(place: Place) -> Looked {
    rounds(&place, &mut Version(0)).await;
    Ok(())
}

pub(crate) async fn versions_grow_over_a_reopening(place: Place) -> Looked {
    let mut last = Version(0);
    for _ in 0..3 {
        rounds(&place, &mut last).await;
    }
    Ok(())
}

pub(crate) async fn versions_grow_over_a_restart(place: Place) -> Looked {
    let mut last = Version(0);
    rounds(&place, &mut last).await;
    soon("a restart", place.restart()).await?;
    rounds(&place, &mut last).await;
    Ok(())
}

/// Whether what was answered survives is another question: no version that was seen may come again.
pub(crate) async fn versions_grow_over_a_kill(place: Place) -> Looked {
    let victim = Victim::of(&place).await?;
    let mut last = Version(0);
    for key in ["k1", "k2", "k3"] {
        let store = victim.open(&place).await;
        rounds_on(&store, &mut last).await;
        victim.kill(&place, &store).await;
        let store = place.open().await;
        let known = version_again(&store, key).await;
        let version = swap(&store, key, known, Some(b"row")).await;
        assert!(last < version, "{version} was drawn after a kill, and {last} before it");
        last = version;
    }
    Ok(())
}

/// Whoever has used up all versions must refuse, whatever that costs: a version that comes again, or one that
/// cannot be kept by what is protected, is worse.
pub(crate) async fn versions_end_with_the_greatest(place: Place) -> Looked {
    place.advance(Version(Version::MAX.0 - 6)).await?;
    let store = place.open().await;
    let (mut last, mut row, mut ended) = (Version(0), None, false);
    for round in 0..12 {
        let bytes = format!("round {round}").into_bytes();
        let known = row.as_ref().map(|(version, _)| *version);
        match soon("a swap", store.swap("k", known, Some(&bytes))).await {
            Ok(Swap::Swapped(version)) => {
                assert!(last < version, "after {last} came {version}");
                assert!(version <= Version::MAX, "{version} is greater than any may be");
                last = version;
                row = Some((version, bytes));
                ended = false;
            }
            Ok(Swap::Conflict) => panic!("a conflict with {known:?}, which stood there"),
            Err(_) => ended = true,
        }
        assert_eq!(load(&store, "k").await, row, "after round {round}");
    }
    assert!(ended, "versions go on after {last}");
    Ok(())
}
