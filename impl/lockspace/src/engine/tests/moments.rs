//! What is true between two steps of the engine, looked at by one thread: no race, so nothing for loom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use lockspace_spec::Phase;

use crate::Loss;

use crate::engine::common::Stage;
use crate::engine::entries::KEEP;
use crate::engine::{Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, Setup, WaitKey};

fn engine() -> Engine {
    Engine::new(&Setup {
        shards: 1,
        max_names: None,
        max_waiters_per_name: None,
        timing: false,
        inbox: None,
    })
}

fn take(engine: &Engine) -> HoldKey {
    engine.take_free("a").expect("it is free")
}

fn queue(engine: &Engine, waker: &Waker) -> WaitKey {
    let patience = Patience::Queue { waker, wait: None };
    let ask = Ask { name: "a", patience, lease: None, label: None, owner: None };
    match engine.acquire(&ask, &mut Effects::default()) {
        Acquired::Queued(key) => key,
        other => unreachable!("the name is held: {other:?}"),
    }
}

/// A waker that counts how often it was woken, and whose owners can be counted.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn nobody_holds_anything_from_the_moment_when_the_grace_ends() {
    let engine = engine();
    let hold = take(&engine);
    let mut effects = Effects::default();
    engine.enter(Stage::Draining, &mut effects);
    assert!(engine.is_held(hold));
    assert_eq!(engine.holder_of("a"), Some(hold));

    engine.enter(Stage::Revoked, &mut effects);
    // The shard has not heard of it.
    assert!(!engine.is_held(hold));
    assert_eq!(engine.holder_of("a"), None);
    assert_eq!(engine.phase(), Phase::Draining, "not everybody has been told");

    engine.tell_all_shards(&mut effects);
    assert!(!engine.is_held(hold));
    assert!(matches!(engine.release(hold, &mut effects), Released::Lost(_, Loss::Shutdown)));
}

#[test]
fn tickets_count_those_who_queued() {
    let engine = engine();
    let _hold = take(&engine);
    let keys = [0; 3].map(|_| queue(&engine, Waker::noop()));
    assert_eq!(keys.map(|key| engine.ticket_of(key)), [1, 2, 3]);
}

#[test]
fn waker_that_is_replaced_is_dropped_after_the_unlock_and_not_woken() {
    let engine = engine();
    let _hold = take(&engine);
    let first = Arc::new(Count::default());
    let key = queue(&engine, &Waker::from(Arc::clone(&first)));
    let mut effects = Effects::default();
    assert_eq!(engine.poll_wait(key, Waker::noop(), &mut effects), Poll::Pending);
    assert_eq!(Arc::strong_count(&first), 2, "it is kept until the effects are carried out");
    let _ = effects.carry_out();
    assert_eq!(Arc::strong_count(&first), 1);
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
}

#[test]
fn shard_that_is_idle_again_keeps_little_memory_of_its_waiters() {
    let waiters = |count: usize| {
        let engine = engine();
        let hold = take(&engine);
        let keys: Vec<WaitKey> = (0..count).map(|_| queue(&engine, Waker::noop())).collect();
        keys.into_iter().for_each(|key| engine.cancel(key, &mut Effects::default()));
        let _ = engine.release(hold, &mut Effects::default());
        engine.shards[0].lock().waiters.capacity()
    };
    assert_eq!(waiters(KEEP), KEEP);
    assert_eq!(waiters(KEEP + 1), 0);
}
