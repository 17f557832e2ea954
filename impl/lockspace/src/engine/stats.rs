//! What a lockspace counts. Each shard counts for itself, under its lock; nothing is shared until
//! somebody asks for the sum.

use std::time::Duration;

macro_rules! counters {
    (
        grants: { $($(#[$often_doc:meta])* $often:ident,)* }
        counters: { $($(#[$doc:meta])* $field:ident,)* }
    ) => {
        /// What every acquire and release of a shard counts.
        #[derive(Debug, Default)]
        pub(super) struct Grants {
            $(pub(super) $often: u64,)*
        }

        /// What else a shard counts.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $field: u64,)*
            // Large, and there only once something has been timed.
            pub(super) wait: Option<Box<Latency>>,
            pub(super) hold: Option<Box<Latency>>,
        }

        /// What has happened in a lockspace since it was made. See
        /// [`LockSpace::stats`](crate::LockSpace::stats).
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$often_doc])* pub $often: u64,)*
            $($(#[$doc])* pub $field: u64,)*
            /// How long requests that had to wait waited for their answer, whatever it was. Measured only
            /// where [timing](crate::Builder::timing) is switched on.
            pub wait: Latency,
            /// How long holds lasted. Measured only where [timing](crate::Builder::timing) is switched on.
            pub hold: Latency,
        }

        impl Stats {
            pub(super) fn add(&mut self, grants: &Grants, shard: &Counters) {
                $(self.$often += grants.$often;)*
                $(self.$field += shard.$field;)*
                shard.wait.iter().for_each(|wait| self.wait.add(wait));
                shard.hold.iter().for_each(|hold| self.hold.add(hold));
            }
        }
    };
}

counters! {
    grants: {
        /// Grants, at once or by hand-over.
        granted,
        /// Holds that their holders released.
        released,
    }
    counters: {
        /// Requests that had to wait.
        queued,
        /// Requests refused because the name was held and they would not wait.
        refused_busy,
        /// Requests refused because their wait timeout ended.
        refused_timed_out,
        /// Requests refused because of a shutdown, newcomers and waiters.
        refused_shutting_down,
        /// Requests refused at a limit on names or waiters.
        refused_at_capacity,
        /// Requests refused because their own owner holds the name.
        refused_self_wait,
        /// Requests refused because they would have closed a cycle of waits.
        refused_deadlock,
        /// Acquires dropped before they had seen an answer, while waiting or already granted.
        cancelled,
        /// Leases that were started again.
        renewed,
        /// Holds lost because their lease ended.
        lost_lease_elapsed,
        /// Holds lost to a forced release.
        lost_forced,
        /// Holds revoked at the end of a shutdown's grace.
        lost_shutdown,
        /// Over a store: holds lost because the session ended.
        lost_session,
    }
}

impl Counters {
    /// Holds that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost_lease_elapsed + self.lost_forced + self.lost_shutdown + self.lost_session
    }
}

/// How long something took: count, sum, maximum, and a histogram in powers of two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
    /// `buckets[i]` counts those of at least 2^i and less than 2^(i+1) microseconds; the first also
    /// those below one, the last also all above.
    pub buckets: [u64; Self::BUCKETS],
}

impl Default for Latency {
    fn default() -> Self {
        Self { count: 0, total: Duration::ZERO, max: Duration::ZERO, buckets: [0; Self::BUCKETS] }
    }
}

impl Latency {
    /// How many buckets the histogram has: the last begins at about 35 minutes.
    pub const BUCKETS: usize = 32;

    /// The mean, if anything was measured.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0)
            .then(|| Duration::from_nanos((self.total.as_nanos() / u128::from(self.count)) as u64))
    }

    pub(super) fn record(&mut self, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = microseconds.checked_ilog2().unwrap_or(0) as usize;
        self.count += 1;
        self.total = self.total.saturating_add(took);
        self.max = self.max.max(took);
        self.buckets[bucket.min(Self::BUCKETS - 1)] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Duration, Latency};

    #[test]
    fn a_hold_is_lost_in_one_of_four_ways() {
        let counters = Counters {
            lost_lease_elapsed: 1,
            lost_forced: 2,
            lost_shutdown: 4,
            lost_session: 8,
            ..Counters::default()
        };
        assert_eq!(counters.lost(), 15);
    }

    #[test]
    fn a_latency_falls_into_the_bucket_of_its_power_of_two() {
        let mut latency = Latency::default();
        for microseconds in [0, 1, 2, 3, 4, u64::MAX] {
            latency.record(Duration::from_micros(microseconds));
        }
        assert_eq!(latency.buckets[..3], [2, 2, 1]);
        assert_eq!(latency.buckets[Latency::BUCKETS - 1], 1);
        assert_eq!(latency.count, 6);
        assert_eq!(latency.max, Duration::from_micros(u64::MAX));
    }
    #[test]
    fn the_mean_is_of_as_many_as_were_measured() {
        let mut latency = Latency::default();
        assert_eq!(latency.mean(), None);
        latency.record(Duration::from_micros(2));
        latency.record(Duration::from_micros(5));
        assert_eq!(latency.mean(), Some(Duration::from_nanos(3500)));
    }

    #[test]
    fn the_latency_of_all_shards_is_the_sum_of_theirs() {
        let (mut one, mut all) = (Latency::default(), Latency::default());
        one.record(Duration::from_micros(2));
        all.add(&one);
        one.record(Duration::from_micros(5));
        all.add(&one);
        assert_eq!((all.count, all.total), (3, Duration::from_micros(9)));
        assert_eq!((all.buckets[1], all.buckets[2]), (2, 1));
        assert_eq!(all.max, Duration::from_micros(5));
    }
}
