//! One user at a time, and whatever may happen to its calls.

use std::time::Duration;

use lockspace::FencingToken;
use lockspace::store::Key;
use tokio::time::timeout;

use super::super::Looked;
use super::{NAME, behind_a_line, hold, nothing_is_left, process, until_empty};
use crate::Harness;
use crate::line::Lost;

pub(crate) async fn tokens_grow_over_idle_names<H: Harness>(place: H) -> Looked {
    let store = place.open().await;
    let mut last = FencingToken(0);
    for _ in 0..2 {
        let spaces = [process(&place).await, process(&place).await];
        for turn in 0..6 {
            let guard = hold(&spaces[turn % 2]).await;
            let token = guard.fencing_token();
            assert!(last < token, "{token} was granted after {last}");
            last = token;
            drop(guard);
            until_empty(&store, Key::LOCKS).await;
        }
        nothing_is_left(&place, &[&spaces[0], &spaces[1]]).await;
    }
    Ok(())
}

/// Each call in turn gets lost, or its answer does, until there is none of that number.
pub(crate) async fn a_lost_call_at_any_moment_leaves_nothing<H: Harness>(place: H) -> Looked {
    for lost in [Lost::Request, Lost::Reply] {
        // The first call is the one that begins the session: without it there is no lockspace.
        for number in 1..5 {
            let (space, line) = behind_a_line(&place, Some((number, lost))).await;
            let first = hold(&space).await.fencing_token();
            let second = hold(&space).await.fencing_token();
            assert!(first < second, "{second} was granted after {first}");
            nothing_is_left(&place, &[&space]).await;
            assert!(line.has_failed(), "there was no call {number}, and nothing was lost");
        }
    }
    Ok(())
}

pub(crate) async fn an_acquire_that_is_dropped_at_any_moment_leaves_nothing<H: Harness>(
    place: H,
) -> Looked {
    let (space, other) = (process(&place).await, process(&place).await);
    for held in [false, true] {
        let guard = if held { Some(hold(&other).await) } else { None };
        for microseconds in [0, 50, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000] {
            let limit = Duration::from_micros(microseconds);
            let _ = timeout(limit, async { drop(space.acquire(NAME).await) }).await;
        }
        drop(guard);
        drop(hold(&other).await);
        drop(hold(&space).await);
    }
    nothing_is_left(&place, &[&space, &other]).await;
    Ok(())
}
