//! Cancelling critical sections: while they wait, while the body runs, as the body ends or panics.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use lockspace::{LockSpace, SectionOptions};
use lockspace_tests::Hand;
use tokio::sync::oneshot;

use crate::{LONG, assert_free, drop_after};

/// How a body ends, if it is polled often enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Never,
    Ready,
    Panic,
}

/// A body that ends at its third poll, and sees at its own end whether the name is still held.
struct Body {
    space: LockSpace,
    polls: usize,
    ending: Ending,
    was_held: Arc<AtomicBool>,
}

impl Future for Body {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        match self.ending {
            Ending::Ready if self.polls == 3 => Poll::Ready(()),
            Ending::Panic if self.polls == 3 => panic!("on purpose"),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let held = self.space.try_acquire("a").is_err();
        self.was_held.store(held, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn section_dropped_after_any_poll_stops_its_body_and_then_releases() {
    for ending in [Ending::Never, Ending::Ready, Ending::Panic] {
        for polls in 0..6 {
            let space = LockSpace::new();
            let was_held = Arc::new(AtomicBool::new(false));
            let body = |_| Body {
                space: space.clone(),
                polls: 0,
                ending,
                was_held: Arc::clone(&was_held),
            };
            let section = space.critical_section("a", SectionOptions::new(), body);
            let mut next = Hand::new(async {
                tokio::task::yield_now().await; // Asks at its second poll.
                space.acquire("a").await
            })
            .waits();
            let ended = poll_and_drop(polls, section, || drop(next.poll()));
            assert_eq!(
                ended.is_err(),
                ending == Ending::Panic && polls >= 3,
                "{ending:?}, {polls}"
            );
            assert_eq!(was_held.load(Ordering::SeqCst), polls > 0, "the body goes before the lock");
            drop(next.answer().unwrap());
            assert!(space.audit().is_quiescent(), "{ending:?}, {polls} polls");
        }
    }
}

/// Polls a section so often, with something else after the first poll, and drops it. `Err` if it
/// panicked.
fn poll_and_drop(
    polls: usize,
    section: impl Future,
    mut meanwhile: impl FnMut(),
) -> std::thread::Result<()> {
    let mut section = Hand::new(section);
    for poll in 0..polls {
        let polled = catch_unwind(AssertUnwindSafe(|| section.poll().is_ready()))?;
        if poll == 0 {
            meanwhile();
        }
        if polled {
            break;
        }
    }
    Ok(())
}

/// What else may happen to a section.
const OTHERS: [fn(&LockSpace); 4] = [
    |_| {},
    |space| assert!(space.force_release("a").is_ok()),
    |space| space.begin_shutdown(LONG),
    |space| space.begin_shutdown(std::time::Duration::ZERO),
];

#[tokio::test(start_paused = true)]
async fn section_dropped_while_it_waits_leaves_the_queue() {
    for polls in 0..4 {
        for (before, after) in OTHERS.into_iter().flat_map(|a| OTHERS.map(|b| (a, b))) {
            let space = LockSpace::new();
            let guard = space.acquire("a").await.unwrap();
            let options = SectionOptions::new().wait_timeout(LONG).time_limit(LONG);
            let section = space.critical_section("a", options, |_| std::future::pending::<()>());
            let mut section = Hand::new(section);
            for poll in 0..polls {
                if poll == 1 {
                    before(&space);
                }
                if section.poll().is_ready() {
                    break;
                }
            }
            drop(section);
            after(&space);
            drop(guard);
            lockspace_tests::let_tasks_run().await;
            assert!(space.audit().is_quiescent(), "{}", space.audit());
        }
    }
}

#[tokio::test]
async fn section_granted_but_not_polled_since_passes_the_lock_on() {
    let space = LockSpace::new();
    let guard = space.acquire("a").await.unwrap();
    let body = |_| async { unreachable!("it was never polled with the lock") };
    let section =
        Hand::new(space.critical_section::<(), _>("a", SectionOptions::new(), body)).waits();
    let next = Hand::new(space.acquire("a").into_future()).waits();
    drop(guard);
    drop(section);
    drop(next.answer().unwrap());
    assert_free(&space, "a");
}

#[tokio::test]
async fn blocking_section_dropped_while_it_waits_never_runs_its_body() {
    for polls in 0..4 {
        let space = LockSpace::new();
        let guard = space.acquire("a").await.unwrap();
        let body = |_| unreachable!("it was never granted");
        let section = space.critical_section_blocking::<()>("a", SectionOptions::new(), body);
        drop_after(polls, section);
        drop(guard);
        assert!(space.audit().is_quiescent());
    }
}

#[test]
fn blocking_section_dropped_before_a_thread_has_its_body_never_runs_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let space = LockSpace::new();
        let (end, ended) = oneshot::channel::<()>();
        let busy = tokio::task::spawn_blocking(|| ended.blocking_recv().unwrap());
        let body = |_| unreachable!("nobody waits for it any more");
        let section = space.critical_section_blocking::<()>("a", SectionOptions::new(), body);
        let section = Hand::new(section).waits();
        assert!(space.try_acquire("a").is_err(), "its body is the next to run");
        drop(section);
        assert!(space.audit().is_quiescent());
        end.send(()).unwrap();
        busy.await.unwrap();
    });
}

#[tokio::test]
async fn blocking_section_dropped_while_its_body_runs_holds_on_until_the_body_has_ended() {
    for polls in 0..3 {
        let space = LockSpace::new();
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let section = space.critical_section_blocking("a", SectionOptions::new(), move |_| {
            begin.send(()).unwrap();
            ended.blocking_recv().unwrap();
        });
        let mut section = Hand::new(section).waits();
        begun.await.unwrap();
        (0..polls).for_each(|_| assert!(section.poll().is_pending()));
        drop(section);
        assert!(space.try_acquire("a").is_err());
        end.send(()).unwrap();
        drop(space.acquire("a").await.unwrap());
        assert!(space.audit().is_quiescent());
    }
}
