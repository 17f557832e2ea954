//! The hot paths: what is done, so many times over.

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use lockspace::{Acquire, AcquireFuture, Builder, Guard, LockSpace};
use lockspace_peers::peers::{
    AsyncNamedLocker, DashMapCleaned, DashMapLeaky, FloorOneLine, FloorPair, KeyMutex, KeyedLock,
    Lockable, MokaIdle, OneTokioMutex, ShardedAsyncLock, Striped,
};
use lockspace_peers::{Peer, poll_once, runtime};

/// Something that is done again and again.
pub(crate) struct Path {
    /// What it is called in `instructions.toml`.
    pub(crate) name: &'static str,
    /// Does it so often, in a lockspace of its own.
    go: fn(u64),
}

impl Path {
    /// Each lockspace hashes with a seed of its own, and what a table does depends a little on where a name
    /// comes to lie. So many of them come out alike on the average.
    pub(crate) const LOCKSPACES: u64 = 16;

    /// Does it so often in each of so many lockspaces.
    pub(crate) fn repeat(&self, times: u64) {
        (0..Self::LOCKSPACES).for_each(|_| (self.go)(times));
    }
}

const fn path(name: &'static str, go: fn(u64)) -> Path {
    Path { name, go }
}

/// Those of lockspace, which are pinned.
pub(crate) const PATHS: [Path; 11] = [
    path("awaited", awaited),
    path("blocking", blocking),
    path("try", try_now),
    path("awaited-with-wait-timeout", awaited_in_time),
    path("awaited-with-lease", leased),
    path("awaited-with-deadlock-detection", owned),
    path("handed-over", |times| handed_over(times, None)),
    path("handed-over-with-wait-timeout", |times| handed_over(times, Some(MINUTE))),
    path("cancelled", |times| cancelled(times, None)),
    path("cancelled-with-wait-timeout", |times| cancelled(times, Some(MINUTE))),
    path("beside-another-in-its-shard", beside_another),
];

/// The first of them, twice.
pub(crate) const TWICE: Path = path("awaited-twice", |times| awaited(2 * times));

/// What joins, leaves or moves up in a queue, at three lengths of the queue.
pub(crate) const GROWTH: [Path; 6] = [
    path("handed-over, 10 wait behind", |times| handed_over_of(times, 10)),
    path("handed-over, 1,000 wait behind", |times| handed_over_of(times, 1_000)),
    path("handed-over, 100,000 wait behind", |times| handed_over_of(times, 100_000)),
    path("cancelled, 10 wait around", |times| cancelled_among(times, 10)),
    path("cancelled, 1,000 wait around", |times| cancelled_among(times, 1_000)),
    path("cancelled, 100,000 wait around", |times| cancelled_among(times, 100_000)),
];

/// One awaited pair of every peer.
pub(crate) fn peers() -> Vec<Path> {
    vec![
        of_peer::<FloorOneLine>(),
        of_peer::<FloorPair>(),
        of_peer::<Striped>(),
        of_peer::<OneTokioMutex>(),
        of_peer::<lockspace_peers::peers::LockSpace>(),
        of_peer::<Lockable>(),
        of_peer::<KeyedLock>(),
        of_peer::<KeyMutex>(),
        of_peer::<AsyncNamedLocker>(),
        of_peer::<DashMapLeaky>(),
        of_peer::<DashMapCleaned>(),
        of_peer::<ShardedAsyncLock>(),
        of_peer::<MokaIdle>(),
    ]
}

fn of_peer<P: Peer>() -> Path {
    path(P::NAME, |times| {
        let (peer, name) = (P::new(), name());
        at_once(async {
            for _ in 0..times {
                drop(peer.acquire(name).await);
            }
        });
    })
}

const MINUTE: Duration = Duration::from_secs(60);

/// As long as every name that peers are measured with.
fn name() -> &'static str {
    black_box("invoice/00000000")
}

/// The same number on every machine.
const SHARDS: usize = 64;

pub(crate) fn space() -> Builder {
    LockSpace::builder().shards(SHARDS)
}

/// A name that shares a shard with `name`, or one that does not, as was asked. The seed of the hash is
/// another one in each lockspace, and a shard's tokens tell which it is: they go up in steps of the number
/// of shards.
pub(crate) fn other_name(space: &LockSpace, name: &str, same_shard: bool) -> String {
    let shard = |name: &str| {
        let guard = space.try_acquire(name).expect("it is free");
        guard.fencing_token().0 % SHARDS as u64
    };
    let mut others = (1..).map(|number| format!("invoice/{number:08}"));
    let other = others.find(|other| (shard(other) == shard(name)) == same_shard);
    other.expect("among all names there is one")
}

/// Polls once what must be ready.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match poll_once(pin!(future)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the name is free"),
    }
}

/// Acquires and releases so often, as the body of a task would.
fn pairs<'s>(times: u64, request: impl Fn() -> Acquire<'s, 'static>) {
    at_once(async {
        for _ in 0..times {
            drop(request().await.expect("nothing refuses"));
        }
    });
}

fn awaited(times: u64) {
    let (space, name) = (space().build(), name());
    pairs(times, || space.acquire(name));
}

fn blocking(times: u64) {
    let (space, name) = (space().build(), name());
    (0..times).for_each(|_| drop(space.blocking_acquire(name).expect("nothing refuses")));
}

fn try_now(times: u64) {
    let (space, name) = (space().build(), name());
    (0..times).for_each(|_| drop(space.try_acquire(name).expect("nothing refuses")));
}

fn awaited_in_time(times: u64) {
    let (space, name) = (space().build(), name());
    pairs(times, || space.acquire(name).wait_timeout(MINUTE));
}

/// A lease of another shard's name, so that the reaper neither comes nor goes. Nobody drives it.
fn another_lease<'s>(space: &'s LockSpace, name: &str) -> Guard<'s> {
    let other = other_name(space, name, false);
    space.acquire(&other).lease(MINUTE / 2).try_now().expect("it is free")
}

fn leased(times: u64) {
    let runtime = runtime(0);
    let _entered = runtime.enter();
    let (space, name) = (space().build(), name());
    let _other = another_lease(&space, name);
    pairs(times, || space.acquire(name).lease(MINUTE));
}

/// Deadlocks are looked for, and an owner is named: so nobody asks which task it is.
fn owned(times: u64) {
    let (space, name) = (space().detect_deadlocks(true).build(), name());
    pairs(times, || space.acquire(name).owner(1));
}

/// One waits, the other releases, the first sees that it holds the name.
fn handed_over(times: u64, limit: Option<Duration>) {
    let runtime = runtime(0);
    let _entered = runtime.enter();
    let (space, name) = (space().build(), name());
    let _other = another_lease(&space, name);
    let mut guard: Option<Guard<'_>> = space.try_acquire(name).ok();
    for _ in 0..times {
        let mut waiter = pin!(request(&space, name, limit).into_future());
        assert!(poll_once(waiter.as_mut()).is_pending());
        drop(guard.take());
        guard = Some(at_once(waiter).expect("nothing refuses"));
    }
}

/// A waiter comes, waits and goes.
fn cancelled(times: u64, limit: Option<Duration>) {
    let runtime = runtime(0);
    let _entered = runtime.enter();
    let (space, name) = (space().build(), name());
    let _other = another_lease(&space, name);
    let _guard = space.try_acquire(name);
    for _ in 0..times {
        let waiter = pin!(request(&space, name, limit).into_future());
        assert!(poll_once(waiter).is_pending());
    }
}

/// So many requests, all of which wait.
fn queue<'s>(space: &'s LockSpace, name: &'static str, length: usize) -> VecDeque<Waiter<'s>> {
    let waiter = |_| {
        let mut waiter = Box::pin(space.acquire(name).into_future());
        assert!(poll_once(waiter.as_mut()).is_pending());
        waiter
    };
    (0..length).map(waiter).collect()
}

type Waiter<'s> = Pin<Box<AcquireFuture<'s, 'static>>>;

/// The first of so many is handed the name, and stands in line again at the end.
fn handed_over_of(times: u64, length: usize) {
    let (space, name) = (space().build(), name());
    let mut guard: Option<Guard<'_>> = space.try_acquire(name).ok();
    let mut queue = queue(&space, name, length);
    for _ in 0..times {
        let mut first = queue.pop_front().expect("it is long");
        drop(guard.take());
        guard = Some(at_once(first.as_mut()).expect("nothing refuses"));
        first.set(space.acquire(name).into_future());
        assert!(poll_once(first.as_mut()).is_pending());
        queue.push_back(first);
    }
    drop((guard, queue));
}

/// One in the middle of so many leaves the queue, and stands in line again at the end.
fn cancelled_among(times: u64, length: usize) {
    let (space, name) = (space().build(), name());
    let _guard = space.try_acquire(name);
    let mut queue = queue(&space, name, length);
    for turn in 0..times {
        // Steps that share no divisor with the lengths.
        let one = &mut queue[(turn as usize * 3 + 1) % length];
        one.set(space.acquire(name).into_future());
        assert!(poll_once(one.as_mut()).is_pending());
    }
}

fn request<'s>(
    space: &'s LockSpace,
    name: &'static str,
    limit: Option<Duration>,
) -> Acquire<'s, 'static> {
    match limit {
        Some(limit) => space.acquire(name).wait_timeout(limit),
        None => space.acquire(name),
    }
}

/// A pair while another name of the same shard is held.
fn beside_another(times: u64) {
    let (space, name) = (LockSpace::builder().shards(1).build(), name());
    let _other = space.try_acquire("invoice/00000001");
    pairs(times, || space.acquire(name));
}
