//! What a store may promise beyond the contract: see [`Capabilities`](lockspace::store::Capabilities).

use lockspace::store::Store;
use tokio::join;

use super::victim::Victim;
use super::{Looked, Stop, again, claimed, soon, swap};
use crate::place::Place;

/// "Usually": a hint that the quiet of this case does not bring is none.
pub(crate) async fn hints_come(place: Place) -> Looked {
    let (here, there) = (place.open().await, place.open().await);
    claimed(&here, |promises| promises.hints)?;
    let mut known = None;
    for new in [Some(&b"made"[..]), Some(b"changed"), None, Some(b"made again")] {
        let hint = soon("a hint", here.watch("k", known));
        let ((), version) = join!(hint, swap(&there, "k", known, new));
        // Whoever asks late, with a version that is gone, must be told as well.
        soon("a late hint", here.watch("k", known)).await;
        known = new.map(|_| version);
    }
    Ok(())
}

pub(crate) async fn what_was_answered_survives_a_kill(place: Place) -> Looked {
    let store = place.open().await;
    claimed(&store, |promises| promises.durable)?;
    let victim = Victim::of(&place).await?;
    for round in 0..3 {
        let store = victim.open(&place).await;
        let key = |row| format!("{round}/{row}");
        for row in 0..50 {
            let version = swap(&store, &key(row), None, Some(b"row")).await;
            if row % 2 == 1 {
                swap(&store, &key(row), Some(version), None).await;
            }
        }
        victim.kill(&place, &store).await;
        let store = place.open().await;
        let prefix = format!("{round}/");
        let rows = again("a scan", || store.scan(&prefix)).await;
        let mut found: Vec<_> = rows.into_iter().map(|row| row.key).collect();
        let mut meant: Vec<_> = (0..50).step_by(2).map(key).collect();
        found.sort_unstable();
        meant.sort_unstable();
        assert_eq!(found, meant, "what stands there after a kill");
    }
    Ok(())
}

/// No case can look: servers fail over in ways of their own.
pub(crate) async fn what_was_answered_survives_a_failover(place: Place) -> Looked {
    claimed(&place.open().await, |promises| promises.survives_failover)?;
    Err(Stop::NotOffered("a failover"))
}
