//! Point 3 of the contract: versions only grow, over everything.

use lockspace::store::Version;

use super::{Looked, agree, crowd, soon, swap, version_again};
use crate::{Harness, judge};

pub(crate) async fn versions_grow_over_all_keys<H: Harness>(place: H) -> Looked {
    agree(judge::versions(&crowd(&place, &["a", "b", "c"], 60).await))
}

/// Rows are made and removed; each swap must draw a version greater than `last`.
async fn rounds<H: Harness>(place: &H, last: &mut Version) {
    let store = place.open().await;
    for key in ["a", "b", "a", "c", "b", "a"] {
        // A kill may have brought back a row that was removed: not what is asked here.
        let known = version_again(&store, key).await;
        let made = swap(&store, key, known, Some(b"row")).await;
        let removed = swap(&store, key, Some(made), None).await;
        assert!(
            *last < made && made < removed,
            "after {last}: {key:?} made {made}, gone {removed}"
        );
        *last = removed;
    }
}

pub(crate) async fn versions_grow_over_deletes<H: Harness>(place: H) -> Looked {
    rounds(&place, &mut Version(0)).await;
    Ok(())
}

pub(crate) async fn versions_grow_over_a_reopening<H: Harness>(place: H) -> Looked {
    let mut last = Version(0);
    for _ in 0..3 {
        rounds(&place, &mut last).await;
    }
    Ok(())
}

pub(crate) async fn versions_grow_over_a_restart<H: Harness>(place: H) -> Looked {
    let mut last = Version(0);
    rounds(&place, &mut last).await;
    soon("a restart", place.restart()).await?;
    rounds(&place, &mut last).await;
    Ok(())
}

/// Whether what was answered survives is another question: no version that was seen may come again.
pub(crate) async fn versions_grow_over_a_kill<H: Harness>(place: H) -> Looked {
    let mut last = Version(0);
    for key in ["k1", "k2", "k3"] {
        rounds(&place, &mut last).await;
        soon("a kill", place.kill()).await?;
        let store = place.open().await;
        let known = version_again(&store, key).await;
        let version = swap(&store, key, known, Some(b"row")).await;
        assert!(last < version, "{version} was drawn after a kill, and {last} before it");
        last = version;
    }
    Ok(())
}
