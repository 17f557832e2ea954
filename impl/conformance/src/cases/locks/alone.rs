//! One user, and whatever may happen to its calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockspace::store::Key;
use lockspace::{FencingToken, LockSpace};
use tokio::select;
use tokio::time::timeout;

use super::super::Looked;
use super::{
    LIMIT, NAME, behind_a_line, hold, nothing_is_left, options, process, until_empty, until_queued,
};
use crate::line::{Fault, Line, Lost};
use crate::place::Place;

pub(crate) async fn tokens_grow_over_idle_names(place: Place) -> Looked {
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
pub(crate) async fn a_lost_call_at_any_moment_leaves_nothing(place: Place) -> Looked {
    let mut last = FencingToken(0);
    for lost in [Lost::Request, Lost::Reply] {
        a_lost_first_call_leaves_nothing(&place, lost).await;
        for number in 1.. {
            let (space, line) = behind_a_line(&place, Some(Fault::Loses(number, lost))).await;
            let first = hold(&space).await.fencing_token();
            let second = hold(&space).await.fencing_token();
            assert!(last < first, "{first} was granted after {last}");
            assert!(first < second, "{second} was granted after {first}");
            last = second;
            nothing_is_left(&place, &[&space]).await;
            if !line.is_hit() {
                assert!(number > 4, "to acquire twice took {number} calls");
                break;
            }
        }
    }
    Ok(())
}

/// The first call is the one that begins the session. Without an answer to it there may be no lockspace; then
/// nobody keeps alive what it may have left, and others clear it away.
async fn a_lost_first_call_leaves_nothing(place: &Place, lost: Lost) {
    let (line, knob) = Line::new(place.open().await, Some(Fault::Loses(0, lost)));
    let opened = LockSpace::open(line, options()).await;
    assert!(knob.is_hit(), "a session begins without a call");
    match opened {
        Ok(space) => nothing_is_left(place, &[&space]).await,
        Err(_) => nothing_is_left(place, &[]).await,
    }
}

/// The same for somebody who waits for another, is waited for by him, and gives the name back to him.
pub(crate) async fn a_lost_call_among_others_leaves_nothing(place: Place) -> Looked {
    let (store, other) = (place.open().await, process(&place).await);
    let mut last = FencingToken(0);
    for lost in [Lost::Request, Lost::Reply] {
        for number in 1.. {
            let (space, line) = behind_a_line(&place, Some(Fault::Loses(number, lost))).await;
            let guard = hold(&other).await;
            let first = guard.fencing_token();
            let waiting = Arc::clone(&space);
            let waiting = tokio::spawn(async move { hold(&waiting).await });
            until_queued(&store, 1).await;
            drop(guard);
            let guard = waiting.await.expect("it is granted");
            let second = guard.fencing_token();
            let waiting = Arc::clone(&other);
            let waiting = tokio::spawn(async move { hold(&waiting).await });
            until_queued(&store, 1).await;
            assert!(!guard.is_lost(), "a hold was lost with a call");
            guard.release().expect("it is held");
            let third = waiting.await.expect("it is granted").fencing_token();
            let grow = last < first && first < second && second < third;
            assert!(grow, "{first}, {second}, {third} were granted after {last}");
            last = third;
            let ended = timeout(LIMIT, space.shutdown(Duration::ZERO)).await;
            ended.expect("a shutdown without grace ends");
            if !line.is_hit() {
                assert!(number > 4, "to wait and hold took {number} calls");
                break;
            }
            // Those who look again and again make calls without end.
            if number == 12 {
                break;
            }
        }
    }
    nothing_is_left(&place, &[&other]).await;
    Ok(())
}

/// Whoever acquires is dropped while a call that it has set going is on its way, or its answer is.
pub(crate) async fn an_acquire_that_is_dropped_at_any_moment_leaves_nothing(
    place: Place,
) -> Looked {
    let other = process(&place).await;
    for (held, calls) in [(false, 1), (true, 6)] {
        for when in [Lost::Request, Lost::Reply] {
            for number in 1..=calls {
                // Where the answer does not come in time, nobody waits for it any more, and nothing stands
                // still: on a busy machine that says nothing of the store, so it is done again.
                let limit = Instant::now() + LIMIT;
                while !is_dropped_at(&place, &other, held, Fault::Holds(number, when)).await {
                    let no_call = "there was no call, and nothing was dropped";
                    assert!(Instant::now() < limit, "{no_call}: {number}, {when:?}");
                }
            }
        }
    }
    nothing_is_left(&place, &[&other]).await;
    Ok(())
}

/// An acquire is dropped where this call stands still, and the next ones find nothing of it. Answers whether
/// it did.
async fn is_dropped_at(place: &Place, other: &LockSpace, held: bool, fault: Fault) -> bool {
    let (space, line) = behind_a_line(place, Some(fault)).await;
    let guard = if held { Some(hold(other).await) } else { None };
    let dropped = async {
        select! {
            biased;
            () = line.until_hit() => {}
            held = space.acquire(NAME) => drop(held.expect("it is granted")),
        }
    };
    // Whoever waits for a call that is never made waits in vain, and is dropped as well.
    let _ = timeout(LIMIT / 4, dropped).await;
    let is_hit = line.is_hit();
    line.go_on();
    drop(guard);
    let (first, second) = (token(other).await, token(&space).await);
    assert!(first < second, "{second} was granted after {first}");
    let ended = timeout(LIMIT, space.shutdown(Duration::ZERO)).await;
    ended.expect("a shutdown without grace ends");
    is_hit
}

/// That of a hold, which is then released.
async fn token(space: &LockSpace) -> FencingToken {
    hold(space).await.fencing_token()
}
