//! The boards: where grants to waiters are posted, so that they need not lock the shard to see them.
//!
//! There is one beside each shard's lock. It has few places; a grant that finds none free is told in the
//! waiter's slot. Only whoever has locked the shard posts, and only the waiter whose ticket it is takes the
//! post down. So each place has one writer at a time, and nothing here needs to read and write in one step.
//!
//! What this file must not do: lock, or know what a queue is.

use std::num::NonZeroU64;

use lockspace_spec::FencingToken;

use super::HoldKey;
use crate::sync::{AtomicU32, AtomicU64, CachePadded, Ordering};

/// How many grants of a shard may be posted at once.
pub(super) const PLACES: usize = 2;

/// See the [module](self).
pub(super) struct Boards(Box<[CachePadded<Board>]>);

#[derive(Default)]
struct Board([Place; PLACES]);

/// A place for a post.
#[derive(Default)]
pub(super) struct Place {
    /// Whom the post is for; zero while there is none.
    ///
    /// Both sides write it with Release and read it with Acquire. So whoever finds its own ticket sees the
    /// hold that was posted, and all that the holder before it did; and whoever finds a zero posts after
    /// the post before was read. (Without the latter a processor may let the reader see the next post. Loom
    /// reads nothing before it is written, so it cannot show that; the former it does.)
    ticket: AtomicU64,
    token: AtomicU64,
    entry: AtomicU32,
}

impl Place {
    /// Tells a waiter that it holds the name. Only where the place is free, and under the lock of the shard.
    #[inline(always)]
    pub(super) fn post(&self, ticket: u64, hold: HoldKey) {
        debug_assert_ne!(ticket, 0, "nobody's ticket is zero");
        debug_assert_eq!(self.ticket.load(Ordering::Relaxed), 0, "a post is written over");
        self.token.store(hold.token.0, Ordering::Relaxed);
        self.entry.store(hold.entry, Ordering::Relaxed);
        self.ticket.store(ticket, Ordering::Release);
    }
}

impl Boards {
    pub(super) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| CachePadded::default()).collect())
    }

    /// A place to tell a waiter that it holds the name, if one is free. Only under the lock of its shard.
    #[inline(always)]
    pub(super) fn place(&self, ticket: u64) -> Option<&Place> {
        let is_free = |place: &&Place| place.ticket.load(Ordering::Acquire) == 0;
        self.of(ticket).0.iter().find(is_free)
    }

    /// The hold that is posted for a waiter, which takes the post down. Only by the waiter itself.
    #[inline(always)]
    pub(super) fn take(&self, ticket: NonZeroU64) -> Option<HoldKey> {
        let ticket = ticket.get();
        let is_its = |place: &&Place| place.ticket.load(Ordering::Acquire) == ticket;
        let place = self.of(ticket).0.iter().find(is_its)?;
        let token = FencingToken(place.token.load(Ordering::Relaxed));
        let entry = place.entry.load(Ordering::Relaxed);
        place.ticket.store(0, Ordering::Release);
        Some(HoldKey { token, entry })
    }

    /// How many grants of a shard are posted.
    pub(super) fn posted(&self, shard: usize) -> usize {
        let is_there = |place: &&Place| place.ticket.load(Ordering::Acquire) != 0;
        self.0[shard].0.iter().filter(is_there).count()
    }

    /// A ticket says which shard it is of, as a token does.
    #[inline(always)]
    fn of(&self, ticket: u64) -> &Board {
        &self.0[ticket as usize & (self.0.len() - 1)]
    }
}

#[cfg(test)]
#[cfg(not(any(lockspace_loom, lockspace_shuttle)))]
mod tests {
    use super::{Boards, FencingToken, HoldKey, NonZeroU64, PLACES};

    fn hold(ticket: u64) -> HoldKey {
        HoldKey { token: FencingToken(100 + ticket), entry: 10 + ticket as u32 }
    }

    fn post(boards: &Boards, ticket: u64) -> bool {
        boards.place(ticket).inspect(|place| place.post(ticket, hold(ticket))).is_some()
    }

    fn take(boards: &Boards, ticket: u64) -> Option<HoldKey> {
        boards.take(NonZeroU64::new(ticket).expect("nobody's ticket is zero"))
    }

    #[test]
    fn post_is_taken_once_and_by_whom_it_is_for() {
        let boards = Boards::new(1);
        assert_eq!(take(&boards, 1), None);
        assert!(post(&boards, 2) && post(&boards, 1));
        assert_eq!(take(&boards, 3), None);
        for ticket in [1, 2] {
            assert_eq!(take(&boards, ticket), Some(hold(ticket)));
            assert_eq!(take(&boards, ticket), None);
        }
    }

    #[test]
    fn board_that_is_full_takes_no_post_and_loses_none() {
        let boards = Boards::new(1);
        let all = 1..=PLACES as u64;
        assert!(all.clone().all(|ticket| post(&boards, ticket)));
        assert!(!post(&boards, 9));
        assert_eq!((take(&boards, 9), boards.posted(0)), (None, PLACES));
        assert!(all.clone().all(|ticket| take(&boards, ticket) == Some(hold(ticket))));
        assert_eq!(boards.posted(0), 0);
        assert!(post(&boards, 9), "a place is free again");
    }

    #[test]
    fn each_shard_has_a_board_of_its_own() {
        let boards = Boards::new(4);
        // Of the second shard, as its tokens are.
        assert!([1, 5].into_iter().all(|ticket| post(&boards, ticket)));
        assert!(!post(&boards, 9) && post(&boards, 10));
        assert_eq!([0, 1, 2, 3].map(|shard| boards.posted(shard)), [0, 2, 1, 0]);
    }
}
