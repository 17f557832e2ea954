//! Accounts: what was asked, what was answered, and in which order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lockspace::{FencingToken, Refusal, Stats};

/// What the clients have seen, all together.
#[derive(Default)]
pub(crate) struct Accounts {
    granted: AtomicU64,
    busy: AtomicU64,
    timed_out: AtomicU64,
    /// Acquires dropped after a poll that was pending, so that their answer was never seen.
    dropped: AtomicU64,
    released: AtomicU64,
    lost: AtomicU64,
    tickets: Mutex<Vec<Ticket>>,
    clock: AtomicU64,
}

/// When a request that was granted has queued: between two readings of a clock that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) name: usize,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) token: FencingToken,
}

impl Accounts {
    /// A reading of the clock, greater than all before.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn granted(&self, ticket: Ticket) {
        self.granted.fetch_add(1, Ordering::Relaxed);
        self.tickets.lock().unwrap().push(ticket);
    }

    pub(crate) fn refused(&self, why: Refusal) {
        let count = match why {
            Refusal::Busy => &self.busy,
            Refusal::TimedOut => &self.timed_out,
            Refusal::ShuttingDown | Refusal::AtCapacity => {
                panic!("{why:?}, and there are no limits and no shutdown yet")
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, still_held: bool) {
        let count = if still_held { &self.released } else { &self.lost };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Every acquire had one end, and the lockspace counts the same.
    pub(crate) fn judge(&self, asked: u64, stats: &Stats) {
        let get = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let seen = get(&self.granted) + get(&self.busy) + get(&self.timed_out);
        assert_eq!(asked, seen + get(&self.dropped), "asked = answered + dropped");
        assert_eq!(get(&self.granted), get(&self.released) + get(&self.lost), "grants end once");

        // Of those that were dropped, some were granted or timed out before, and nobody saw it.
        let unseen_grants = stats.granted - get(&self.granted);
        let unseen_timeouts = stats.refused_timed_out - get(&self.timed_out);
        assert_eq!(stats.refused_busy, get(&self.busy));
        assert_eq!(get(&self.dropped), stats.cancelled + unseen_timeouts, "{stats:?}");
        assert!(unseen_grants <= stats.cancelled, "{stats:?}");
        let refused = stats.refused_busy + stats.refused_timed_out;
        let left_the_queue = stats.cancelled - unseen_grants;
        assert_eq!(asked, stats.granted + refused + left_the_queue, "{stats:?}");
        let lost = stats.lost_lease_elapsed + stats.lost_forced;
        assert_eq!(stats.granted, stats.released + lost, "{stats:?}");
        self.judge_order();
    }

    /// Who had queued before another one asked was granted before it.
    fn judge_order(&self) {
        let mut tickets = self.tickets.lock().unwrap();
        tickets.sort_unstable_by_key(|ticket| (ticket.name, ticket.before));
        for queue in tickets.chunk_by(|a, b| a.name == b.name) {
            let mut queued: Vec<_> = queue.to_vec();
            queued.sort_unstable_by_key(|ticket| ticket.after);
            let mut queued = queued.into_iter().peekable();
            let mut greatest = FencingToken(0);
            for ticket in queue {
                while let Some(earlier) = queued.next_if(|earlier| earlier.after < ticket.before) {
                    greatest = greatest.max(earlier.token);
                }
                assert!(greatest < ticket.token, "{ticket:?} overtook token {greatest}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "overtook token 9")]
fn overtaking_is_noticed() {
    let accounts = Accounts::default();
    let ticket =
        |before, after, token| Ticket { name: 0, before, after, token: FencingToken(token) };
    accounts.granted(ticket(0, 3, 2));
    accounts.granted(ticket(1, 2, 1)); // They asked at the same time: either may be first.
    accounts.judge_order();
    accounts.granted(ticket(4, 5, 9));
    accounts.granted(ticket(6, 7, 8));
    accounts.judge_order();
}
