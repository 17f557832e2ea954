//! Who is measured: lockspace, what is published, what people write themselves, and the floors.
//!
//! Each as its own documentation says to use it, with its default settings.

mod floors;
mod handwritten;
mod ours;
mod published;

pub use floors::{FloorOneLine, FloorPair, OneTokioMutex, Striped};
pub use handwritten::{DashMapCleaned, DashMapLeaky, MokaIdle, ShardedAsyncLock};
pub use ours::LockSpace;
pub use published::{AsyncNamedLocker, KeyMutex, KeyedLock, KeyedLockSync, LockMap, Lockable};
