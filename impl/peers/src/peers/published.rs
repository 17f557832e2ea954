//! The published keyed locks.

use std::future::Future;

use crate::peer::{BlockingPeer, Peer};

/// lockable's `LockPool`: one map behind one mutex, entries counted and removed.
pub struct Lockable(lockable::LockPool<String>);

type LockableGuard<'p> = <lockable::LockPool<String> as lockable::Lockable<String, ()>>::Guard<'p>;

impl Peer for Lockable {
    const NAME: &'static str = "lockable";
    type Guard<'p> = LockableGuard<'p>;

    fn new() -> Self {
        Self(lockable::LockPool::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.0.async_lock(name.to_owned())
    }
}

impl BlockingPeer for Lockable {
    const NAME: &'static str = "lockable";
    type Guard<'p> = LockableGuard<'p>;

    fn new() -> Self {
        Self(lockable::LockPool::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
        self.0.blocking_lock(name.to_owned())
    }
}

/// keyed-lock for tasks: the same plan.
pub struct KeyedLock(keyed_lock::r#async::KeyedLock<String>);

impl Peer for KeyedLock {
    const NAME: &'static str = "keyed-lock";
    type Guard<'p> = keyed_lock::r#async::Guard<'p, String>;

    fn new() -> Self {
        Self(keyed_lock::r#async::KeyedLock::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.0.lock(name.to_owned())
    }
}

/// keyed-lock for threads.
pub struct KeyedLockSync(keyed_lock::sync::KeyedLock<String>);

impl BlockingPeer for KeyedLockSync {
    const NAME: &'static str = "keyed-lock";
    type Guard<'p> = keyed_lock::sync::Guard<'p, String>;

    fn new() -> Self {
        Self(keyed_lock::sync::KeyedLock::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
        self.0.lock(name.to_owned())
    }
}

/// key-mutex: DashMap, and an entry that goes with its last guard.
pub struct KeyMutex(key_mutex::tokio::KeyMutex<String, ()>);

impl Peer for KeyMutex {
    const NAME: &'static str = "key-mutex";
    type Guard<'p> = key_mutex::tokio::OwnedMutexGuard<String, ()>;

    fn new() -> Self {
        Self(key_mutex::tokio::KeyMutex::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        self.0.lock(name.to_owned())
    }
}

/// async-named-locker: one map for the whole process, whose table never shrinks. So what it costs depends
/// on what was measured before.
pub struct AsyncNamedLocker;

impl Peer for AsyncNamedLocker {
    const NAME: &'static str = "async-named-locker";
    type Guard<'p> = async_named_locker::Locker;

    fn new() -> Self {
        Self
    }

    fn acquire<'p>(&'p self, name: &'p str) -> impl Future<Output = Self::Guard<'p>> + Send + 'p {
        async_named_locker::Locker::get_locker(name)
    }
}

/// lockmap: the fastest published, for threads only.
pub struct LockMap(lockmap::LockMap<String, ()>);

impl BlockingPeer for LockMap {
    const NAME: &'static str = "lockmap";
    type Guard<'p> = lockmap::Entry<'p, String, ()>;

    fn new() -> Self {
        Self(lockmap::LockMap::new())
    }

    fn acquire<'p>(&'p self, name: &'p str) -> Self::Guard<'p> {
        self.0.entry_by_ref(name)
    }
}
