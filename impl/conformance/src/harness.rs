//! What a store's author writes: how to get at the store, and what may be done to it.

use std::future::{Future, ready};

use lockspace::store::{Store, Version};

/// The place where one case happens: a namespace that is new, empty and used by nothing else, on a server
/// that the harness may kill. It is made for each case anew; what it has begun, its drop should end.
///
/// Cases run at the same time, unless the test's runner is told otherwise.
pub trait Harness: Sized + Send + Sync + 'static {
    /// What the report calls the store.
    const NAME: &str;

    /// How many names are held and waited for in the case that has many. Fewer than the usual thousand only
    /// for a store that cannot do so many writes in seconds.
    const MANY: usize = 1_000;

    /// The store that is judged.
    type Store: Store;

    /// Makes a new place.
    fn start() -> impl Future<Output = Result<Self, NotRun>> + Send;

    /// Opens the store in this place, as a process of its own would: what two of them share, they share
    /// through the server.
    ///
    /// # Panics
    /// If it cannot be opened: the case has failed.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Stops the server in an orderly way and starts it again with its data. Returns when it serves. A
    /// store without a server has nothing to do here: all that had it open have closed it.
    fn restart(&self) -> impl Future<Output = Result<(), NotOffered>> + Send {
        ready(Err(NotOffered("a restart")))
    }

    /// Kills the server as `SIGKILL` does and starts it again with its data. Returns when it serves.
    fn kill(&self) -> impl Future<Output = Result<(), NotOffered>> + Send {
        ready(Err(NotOffered("a kill")))
    }

    /// Has some of the calls that are under way now fail, before or after they had their effect: cuts the
    /// connections, say.
    fn disturb(&self) -> impl Future<Output = Result<(), NotOffered>> + Send {
        ready(Err(NotOffered("a disturbance")))
    }

    /// Has versions go on from `last`, as if so many swaps had been made; or, where the store's versions end
    /// earlier, from as near to their end. Called once, before the store is opened, in a place without rows.
    fn advance(&self, last: Version) -> impl Future<Output = Result<(), NotOffered>> + Send {
        let _ = last;
        ready(Err(NotOffered("to set the version")))
    }

    /// How another process of this machine finds this place: what [`open_at`](Self::open_at) is given there.
    /// With it, cases run this test again as processes of their own, which they also kill. Where neither a
    /// [`kill`](Self::kill) nor a [`disturb`](Self::disturb)ance is offered, as by a store without a server,
    /// the killed process is what those cases need.
    ///
    /// # Errors
    /// If other processes cannot get at this place.
    fn address(&self) -> Result<String, NotOffered> {
        Err(NotOffered("processes of their own"))
    }

    /// Opens the store of the place with this [`address`](Self::address), in another process.
    ///
    /// # Panics
    /// If it cannot be opened; unless it is written for this harness.
    fn open_at(address: &str) -> impl Future<Output = Self::Store> + Send {
        let address = address.to_owned();
        async move { panic!("{} has no places elsewhere: {address}", Self::NAME) }
    }
}

/// Why no case can run: what is missing on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun(pub String);

/// What a case would need and the harness does not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOffered(pub &'static str);
