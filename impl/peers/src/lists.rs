//! Who takes part: a list of peers becomes a list of contenders, one for each, all running the same workload.

/// `contenders!(workload: A, B)`: `workload::<A>` and `workload::<B>`, by name.
macro_rules! contenders {
    ($run:ident: $($peer:ident),* $(,)?) => {
        vec![$($crate::measure::Contender {
            peer: <$crate::peers::$peer as $crate::peer::Peer>::NAME,
            run: $run::<$crate::peers::$peer>,
        }),*]
    };
}

/// All that keep a name's holder alone and let others wait.
macro_rules! every_lock {
    ($run:ident) => {
        contenders!($run: LockSpace, Lockable, KeyedLock, KeyMutex, AsyncNamedLocker, DashMapLeaky,
            DashMapCleaned, ShardedAsyncLock, MokaIdle)
    };
}

/// The floors of what nobody contends for.
macro_rules! floors {
    ($run:ident) => { contenders!($run: FloorOneLine, FloorPair, Striped, OneTokioMutex) };
}
