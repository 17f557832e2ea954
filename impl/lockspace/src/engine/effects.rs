//! What is left to do once a shard is unlocked.
//!
//! Waking and dropping a waker runs code that we do not know, and that code may come straight back (a
//! task that is dropped drops its guards). So neither ever happens under a shard lock: actions collect
//! wakers here, and whoever called the engine carries the effects out after it has returned.

use std::mem::{replace, take};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Wakers to wake and to drop, and whether a reaper must be started.
///
/// What is done [plainly](super::plainly) has none. Of all else, much leaves it empty.
#[derive(Default)]
#[must_use = "a grant whose waker is not woken is a lost wake-up"]
pub(crate) struct Effects {
    wakers: Wakers,
    start_reaper: bool,
}

/// What is to be done with the wakers of an action. Few have any, and hardly one has two.
#[derive(Default)]
enum Wakers {
    #[default]
    None,
    One(Do),
    More(Vec<Do>),
}

enum Do {
    Wake(Waker),
    /// Nobody needs it any more; it is kept only to be dropped in the open.
    Drop(Waker),
}

impl Effects {
    /// Has `waker` woken after the unlock.
    #[inline]
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.add(Do::Wake(waker));
        }
    }

    /// Has `waker` dropped after the unlock.
    #[inline]
    pub(crate) fn retire(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.add(Do::Drop(waker));
        }
    }

    /// Has a reaper started after the unlock: a timer was armed, and nobody watches the timers.
    pub(crate) fn start_reaper(&mut self) {
        self.start_reaper = true;
    }

    /// Whether a reaper must be started. Before the wakers' code runs, which may panic.
    #[inline(always)]
    pub(crate) fn must_start_reaper(&self) -> bool {
        self.start_reaper
    }

    /// Whether nothing is left to do.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        !self.start_reaper && matches!(self.wakers, Wakers::None)
    }

    /// Does what there is to do with wakers. Not moved here, since a processor waits for what is read in
    /// other pieces than it has just been written in.
    #[inline(always)]
    pub(crate) fn carry_out(&mut self) {
        match &mut self.wakers {
            Wakers::None => {}
            some => some.carry_out(),
        }
    }

    #[inline]
    fn add(&mut self, what: Do) {
        // Replaced, and not assigned: what is dropped is asked what it was.
        match replace(&mut self.wakers, Wakers::One(what)) {
            Wakers::None => {}
            earlier => self.add_to(earlier),
        }
    }

    #[cold]
    fn add_to(&mut self, earlier: Wakers) {
        let Wakers::One(latest) = take(&mut self.wakers) else {
            unreachable!("it was put there before it was seen that there are others")
        };
        self.wakers = Wakers::More(match earlier {
            Wakers::None => vec![latest],
            Wakers::One(one) => vec![one, latest],
            Wakers::More(mut more) => {
                more.push(latest);
                more
            }
        });
    }
}

impl Wakers {
    #[inline(never)]
    fn carry_out(&mut self) {
        match take(self) {
            Self::None => {}
            Self::One(one) => one.carry_out(),
            Self::More(more) => carry_out_all(more),
        }
    }
}

/// A waker that panics keeps nobody else from being woken: the panic goes on when all have been.
fn carry_out_all(all: Vec<Do>) {
    let mut panic = None;
    for one in all {
        panic = catch_unwind(AssertUnwindSafe(|| one.carry_out())).err().or(panic);
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

impl Do {
    #[inline]
    fn carry_out(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Drop(waker) => drop(waker),
        }
    }
}
