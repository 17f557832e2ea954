//! One who waits, and how he is woken.

use std::sync::atomic::AtomicU32;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use lockspace_spec::Refusal;

use super::world::{Hold, Name, World};
use crate::engine::{Acquired, WaitKey};
use crate::sync::{Arc, Ordering, with_parker};

/// A place in a queue.
#[must_use = "a waiter that is thrown away stays in the queue for ever"]
pub(super) struct Waiter {
    world: World,
    name: Name,
    key: WaitKey,
    /// Who may be woken: the newest one, and those that it replaced.
    bells: Vec<Arc<Bell>>,
}

impl Waiter {
    pub(super) fn new(world: &World, name: Name, key: WaitKey, bell: Arc<Bell>) -> Self {
        Self { world: world.clone(), name, key, bells: vec![bell] }
    }

    /// The bell that it was queued with.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bells[0])
    }

    /// Looks for an answer, with the newest bell, as a future does. It must not look again once it has one.
    pub(super) fn poll(&self) -> Poll<Result<Hold, Refusal>> {
        let world = &self.world;
        if let Some(posted) = world.engine.take_post(self.key) {
            self.done(true);
            return Poll::Ready(Ok(world.hold(self.name, posted)));
        }
        let waker = Waker::from(Arc::clone(self.bells.last().expect("never empty")));
        let answer = match world.act(|effects| world.engine.poll_wait(self.key, &waker, effects)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Acquired::Granted(key)) => Ok(world.hold(self.name, key)),
            Poll::Ready(Acquired::Refused(refusal)) => Err(refusal),
            Poll::Ready(Acquired::TimedOut(_)) => Err(Refusal::TimedOut),
            Poll::Ready(other) => unreachable!("this is no answer: {other:?}"),
        };
        self.done(true);
        Poll::Ready(answer)
    }

    /// Blocks this thread until it is answered. The thread brings its own bell, as a task does that
    /// has moved.
    pub(super) fn wait(mut self) -> Result<Hold, Refusal> {
        block_until(|waker| {
            if self.bells.len() == 1 {
                self.bells.push(Bell::before(waker));
            }
            self.poll()
        })
    }

    /// The answer that it must have by now.
    pub(super) fn answer(self) -> Result<Hold, Refusal> {
        match self.poll() {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("S7: still waiting"),
        }
    }

    /// A blocked thread's own timeout ends; what it then finds is its answer.
    pub(super) fn give_up(self) -> Result<Hold, Refusal> {
        let world = &self.world;
        world.act(|effects| world.engine.give_up(self.key, effects));
        self.answer()
    }

    /// Its future is dropped.
    pub(super) fn cancel(self) {
        let world = &self.world;
        world.act(|effects| world.engine.cancel(self.key, effects));
        self.done(false);
    }

    /// The wake-ups are counted at the end: the one who answers wakes after he has answered.
    fn done(&self, answered: bool) {
        let bells = self.bells.clone();
        self.world.remember(Waited { bells, answered });
    }
}

/// A waker that counts how often it wakes, and wakes another.
pub(super) struct Bell {
    rings: AtomicU32,
    next: Waker,
}

impl Bell {
    pub(super) fn before(next: &Waker) -> Arc<Self> {
        Arc::new(Self { rings: AtomicU32::new(0), next: next.clone() })
    }

    /// How often it has been rung. What is only counted needs no order.
    pub(super) fn rings(&self) -> u32 {
        self.rings.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.next.wake_by_ref();
    }
}
/// One who has waited.
pub(super) struct Waited {
    bells: Vec<Arc<Bell>>,
    /// Whether it has seen an answer; otherwise it was cancelled, answered or not.
    answered: bool,
}
impl Waited {
    /// Whoever was answered was woken, once, by the bell that was there at that moment. Whoever was
    /// cancelled may have been answered before.
    pub(super) fn check(&self) {
        let rings: u32 = self.bells.iter().map(|bell| bell.rings()).sum();
        assert!(rings <= 1, "S4: answered {rings} times");
        assert!(rings == 1 || !self.answered, "S7: answered, and not woken");
    }
}

/// Blocks this thread until `poll` is ready. Loom says when nobody can go on; where the system runs the
/// threads, they give up after a minute.
pub(super) fn block_until<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    with_parker(|parker, waker| {
        loop {
            if let Poll::Ready(ready) = poll(waker) {
                return ready;
            }
            assert!(cfg!(lockspace_loom) || Instant::now() < end, "deadlock: it waits in vain");
            parker.park_deadline(end);
        }
    })
}
