//! Somebody who acquires again and again, each time in another way.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use lockspace::{Acquire, AcquireError, Guard};
use tokio::task::coop::unconstrained;

use crate::World;
use crate::accounts::Ticket;

pub(crate) struct Client {
    world: Arc<World>,
    rng: Rng,
    acquires: usize,
}

/// How to hold a name.
#[derive(Clone, Copy)]
enum Hold {
    /// As long as it takes.
    Unbounded,
    /// With a lease that may well end.
    Leased,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, seed: u64, acquires: usize) -> Self {
        let rng = Rng::with_seed(seed);
        Self { world, rng, acquires }
    }

    pub(crate) async fn run_as_a_task(mut self) {
        for _ in 0..self.acquires {
            let (name, hold) = self.choose();
            let text = name.to_string();
            let world = Arc::clone(&self.world);
            let request = with_lease(world.space.acquire(&text), hold);
            let patience = Duration::from_micros(self.rng.u64(..2_000));
            let before = world.accounts.now();
            match self.rng.u8(..8) {
                0 => {
                    let tried = request.try_now();
                    self.seen_by_a_task(name, hold, before, None, tried).await;
                }
                1 | 2 => self.wait(name, hold, before, request.wait_timeout(patience)).await,
                3 | 4 => self.wait_and_leave(name, hold, before, request).await,
                _ => self.wait(name, hold, before, request).await,
            }
        }
    }

    pub(crate) fn run_as_a_thread(mut self) {
        for _ in 0..self.acquires {
            let (name, hold) = self.choose();
            let text = name.to_string();
            let world = Arc::clone(&self.world);
            let request = with_lease(world.space.acquire(&text), hold);
            let before = world.accounts.now();
            let answer = match self.rng.u8(..3) {
                0 => request.try_now(),
                1 => request.wait_timeout(Duration::from_micros(self.rng.u64(..2_000))).blocking(),
                _ => request.blocking(),
            };
            // When it queued is not to be seen from here: at the latest when it was answered.
            let Some(guard) = self.seen(name, before, world.accounts.now(), answer) else {
                continue;
            };
            let resource = &world.resources[name];
            let entered = resource.enter(guard.fencing_token());
            std::thread::yield_now();
            self.leave(name, hold, guard, entered);
        }
    }

    fn choose(&mut self) -> (usize, Hold) {
        let hold = if self.rng.u8(..4) == 0 { Hold::Leased } else { Hold::Unbounded };
        (self.rng.usize(..self.world.resources.len()), hold)
    }

    /// Waits for the answer, noting when the request had queued: with its first poll, since it is free of
    /// the task's budget, without which it might yield first.
    async fn wait(&mut self, name: usize, hold: Hold, before: u64, request: Acquire<'_, '_>) {
        let mut acquire = std::pin::pin!(unconstrained(request.into_future()));
        let mut queued = None;
        let answer = std::future::poll_fn(|cx| {
            let polled = acquire.as_mut().poll(cx);
            queued.get_or_insert_with(|| self.world.accounts.now());
            polled
        })
        .await;
        self.seen_by_a_task(name, hold, before, queued, answer).await;
    }

    /// Waits for a few turns of the scheduler and leaves, answered or not.
    async fn wait_and_leave(
        &mut self,
        name: usize,
        hold: Hold,
        before: u64,
        request: Acquire<'_, '_>,
    ) {
        let turns = self.rng.u8(1..20);
        let mut acquire = Box::pin(unconstrained(request.into_future()));
        let mut queued = None;
        for _ in 0..turns {
            let polled = std::future::poll_fn(|cx| Poll::Ready(acquire.as_mut().poll(cx))).await;
            queued.get_or_insert_with(|| self.world.accounts.now());
            if let Poll::Ready(answer) = polled {
                return self.seen_by_a_task(name, hold, before, queued, answer).await;
            }
            tokio::task::yield_now().await;
        }
        drop(acquire);
        self.world.accounts.dropped();
    }

    async fn seen_by_a_task(
        &mut self,
        name: usize,
        hold: Hold,
        before: u64,
        queued: Option<u64>,
        answer: Result<Guard<'_>, AcquireError>,
    ) {
        let world = Arc::clone(&self.world);
        let after = queued.unwrap_or_else(|| world.accounts.now());
        let Some(guard) = self.seen(name, before, after, answer) else {
            return;
        };
        let resource = &world.resources[name];
        let entered = resource.enter(guard.fencing_token());
        match hold {
            Hold::Unbounded => resource.add_one(tokio::task::yield_now()).await,
            Hold::Leased => tokio::time::sleep(Duration::from_micros(self.rng.u64(..1_500))).await,
        }
        self.leave(name, hold, guard, entered);
    }

    fn seen<'s>(
        &self,
        name: usize,
        before: u64,
        after: u64,
        answer: Result<Guard<'s>, AcquireError>,
    ) -> Option<Guard<'s>> {
        match answer {
            Ok(guard) => {
                let token = guard.fencing_token();
                self.world.accounts.granted(Ticket { name, before, after, token });
                Some(guard)
            }
            Err(error) => {
                let why = error.refusal().expect("the names and leases are good");
                self.world.accounts.refused(why);
                None
            }
        }
    }

    /// Whoever still holds the name at its end held it all the time, and nobody else can have come in.
    fn leave(&self, name: usize, hold: Hold, guard: Guard<'_>, entered: bool) {
        let alone = entered && self.world.resources[name].leave(guard.fencing_token());
        let still_held = guard.release().is_ok();
        assert!(alone || !still_held, "another one came in during a hold that was never lost");
        assert!(still_held || matches!(hold, Hold::Leased), "lost without a lease");
        self.world.accounts.ended(still_held);
    }
}

fn with_lease<'s, 'n>(request: Acquire<'s, 'n>, hold: Hold) -> Acquire<'s, 'n> {
    match hold {
        Hold::Unbounded => request,
        Hold::Leased => request.lease(Duration::from_millis(1)),
    }
}
