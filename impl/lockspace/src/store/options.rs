//! How a lockspace over a store is to be: its times and its label.

use std::time::Duration;

use super::session::{Timing, TimingError};

/// The settings of a lockspace over a store, besides those that every lockspace has
/// ([`Builder`](crate::Builder)).
///
/// ```
/// use std::time::Duration;
/// use lockspace::store::Options;
///
/// let options = Options::new().ttl(Duration::from_secs(30)).label("worker 7 on host-a");
/// ```
///
/// All of them, and what does not fit together:
///
/// ```
/// use std::time::Duration;
/// use lockspace::LockSpace;
/// use lockspace::store::{Memory, OpenError, Options, OptionsError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), OpenError> {
/// let options = Options::new()
///     .ttl(Duration::from_secs(30))
///     .drift_margin(Duration::from_secs(3))
///     .call_timeout(Duration::from_secs(4))
///     .look_every(Duration::from_secs(5))
///     .sweep_every(Duration::from_secs(30))
///     .label("worker 7 on host-a");
/// let space = LockSpace::open(Memory::new(), options.clone()).await?;
/// assert!(space.acquire("invoice/42").await.is_ok());
///
/// let refused = LockSpace::open(Memory::new(), options.call_timeout(Duration::from_secs(20))).await;
/// assert!(matches!(refused, Err(OpenError::Options(OptionsError::CallTimeout))));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    ttl: Duration,
    margin: Option<Duration>,
    call_timeout: Option<Duration>,
    look_every: Option<Duration>,
    sweep_every: Option<Duration>,
    label: String,
}

/// Why settings cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The ttl is so short that calls and timers alone would use it up.
    #[error("the ttl is shorter than {:?}", Options::SHORTEST_TTL)]
    TtlTooShort,
    /// The ttl is so long that a process that died would never be missed.
    #[error("the ttl is longer than {:?}", Options::LONGEST_TTL)]
    TtlTooLong,
    /// The times do not fit together.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// A call that may take so long leaves no time to keep the session alive by another one.
    #[error("the call timeout is zero, or longer than half of the ttl less the drift margin")]
    CallTimeout,
    /// Looking or sweeping all the time is not meant.
    #[error("an interval is shorter than a millisecond")]
    Interval,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15),
            margin: None,
            call_timeout: None,
            look_every: None,
            sweep_every: None,
            label: String::new(),
        }
    }
}

impl Options {
    /// The shortest ttl that is accepted.
    pub const SHORTEST_TTL: Duration = Duration::from_millis(100);
    /// The longest ttl that is accepted: a day.
    pub const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);
    /// How often a waiting process looks at a name, at least, in a store that gives no hints.
    const LOOK_WITHOUT_HINTS: Duration = Duration::from_millis(250);

    /// A ttl of 15 seconds and everything that follows from it.
    pub fn new() -> Self {
        Self::default()
    }

    /// After how long a silence of this process others take over what it holds. Default: 15 seconds.
    ///
    /// It is also about as long as an outage of the store may last before holds are lost: the session is
    /// kept alive every third of what is left of it after the drift margin: every 4.5 seconds by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How much earlier than others this process gives itself up. It must be more than the clocks of two
    /// machines can drift apart in a ttl. Default: a tenth of the ttl.
    pub fn drift_margin(mut self, margin: Duration) -> Self {
        self.margin = Some(margin);
        self
    }

    /// After how long a call to the store counts as one whose outcome is not known. Default: half of the
    /// time between two keep-alives, 2.25 seconds for the default ttl.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = Some(limit);
        self
    }

    /// How often a name that somebody here waits for is looked at, hints aside. Default: every quarter of
    /// the ttl; in a store that gives no hints every 250 milliseconds, if that is more often.
    pub fn look_every(mut self, interval: Duration) -> Self {
        self.look_every = Some(interval);
        self
    }

    /// How often all rows are read, for what the dead have left behind. Default: about once per ttl.
    pub fn sweep_every(mut self, interval: Duration) -> Self {
        self.sweep_every = Some(interval);
        self
    }

    /// What this process says of itself, for people who look at who holds what. Default: nothing.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn plan(self, has_hints: bool) -> Result<Plan, OptionsError> {
        if self.ttl < Self::SHORTEST_TTL {
            return Err(OptionsError::TtlTooShort);
        }
        if self.ttl > Self::LONGEST_TTL {
            return Err(OptionsError::TtlTooLong);
        }
        let timing = Timing::new(self.ttl);
        let timing = self.margin.map_or(Ok(timing), |margin| timing.margin(margin))?;
        let call_timeout = self.call_timeout.unwrap_or(timing.trust() / 6);
        if call_timeout.is_zero() || call_timeout > timing.trust() / 2 {
            return Err(OptionsError::CallTimeout);
        }
        let look = self.ttl / 4;
        let look = if has_hints { look } else { look.min(Self::LOOK_WITHOUT_HINTS) };
        let look_every = self.look_every.unwrap_or(look);
        let sweep_every = self.sweep_every.unwrap_or(self.ttl);
        if look_every.min(sweep_every) < Duration::from_millis(1) {
            return Err(OptionsError::Interval);
        }
        Ok(Plan { timing, call_timeout, look_every, sweep_every, label: self.label })
    }
}

/// [`Options`] that fit together.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) timing: Timing,
    pub(crate) call_timeout: Duration,
    pub(crate) look_every: Duration,
    pub(crate) sweep_every: Duration,
    pub(crate) label: String,
}
