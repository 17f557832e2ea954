//! How many calls are under way at once, besides those that keep the session alive.
//!
//! A store that is asked for more than it can do answers late, and what it is asked for meanwhile comes last:
//! also the call that keeps the session alive, where the store does one thing after the other. A call that
//! nobody waits for any more is no relief, since the store does it all the same. So a process asks for less
//! at once as soon as a call fails or is not answered in time, and for a little more each time as many were
//! answered as there may be: as computers share a network.
//!
//! What this file must not do: know what is asked, or count what is under way.

/// The most that there may be.
const MOST: usize = 64;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Window {
    size: usize,
    /// How many calls were answered since it has this size.
    answered: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: MOST, answered: 0 }
    }
}

impl Window {
    /// Whether there may be another call besides so many.
    pub(crate) const fn is_open(&self, under_way: usize) -> bool {
        under_way < self.size
    }

    /// A call was answered in time.
    pub(crate) fn answered(&mut self) {
        self.answered += 1;
        if self.answered >= self.size {
            *self = Self { size: (self.size + 1).min(MOST), answered: 0 };
        }
    }

    /// A call has failed, or was not answered in time.
    pub(crate) fn failed(&mut self) {
        *self = Self { size: (self.size / 2).max(1), answered: 0 };
    }
}
