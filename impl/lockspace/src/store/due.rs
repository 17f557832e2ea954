//! What a member has to look at again, and whose turn it is to ask.
//!
//! A store takes only so many calls at a time, so who asks for more than that must not keep the others from
//! asking: names come in the order in which something has happened to them, and the kinds of calls come in
//! turns. However many names are looked at, a wish, a release, a look at another session and a sweep wait
//! for a few calls each.
//!
//! What this file must not do: know what is asked, or make a call.

use std::collections::{BTreeSet, VecDeque};

use crate::LockName;

/// The names to look at again. [By default](Default) and when nothing is left to tell or ask there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Due {
    /// There may be something to tell of these.
    pub tell: BTreeSet<LockName>,
    /// There may be something to ask about these: somebody wishes for them or has given them up, or an answer
    /// has come.
    pub ask: Line,
    /// The rows of these are to be looked at, because some time has passed or a hint has come.
    pub look: Line,
    /// The kind of call whose turn it is, by its place in [`Kind::ALL`].
    turn: usize,
}

/// Names in the order in which they came, each of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line {
    order: VecDeque<LockName>,
    names: BTreeSet<LockName>,
}

/// The kinds of calls that take turns. The call about its own session has none: it always comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What comes of wishes, releases and answers.
    Ask,
    /// Looks at the rows of names.
    Look,
    /// What is asked about other sessions.
    Other,
    /// The sweep.
    Sweep,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Ask, Self::Look, Self::Other, Self::Sweep];
}

impl Due {
    /// Something has happened to `name`.
    pub(super) fn insert(&mut self, name: &LockName) {
        self.tell.insert(name.clone());
        self.ask.join(name);
    }

    /// All kinds of calls, beginning with the one whose turn it is.
    pub(super) fn turns(&self) -> impl Iterator<Item = Kind> + use<> {
        Kind::ALL.into_iter().cycle().skip(self.turn).take(Kind::ALL.len())
    }

    /// A call of this kind is made: the next kind has its turn.
    pub(super) fn made(&mut self, kind: Kind) {
        self.turn = (kind as usize + 1) % Kind::ALL.len();
    }

    /// There is nothing left to ask.
    pub(super) fn all_asked(&mut self) {
        self.turn = 0;
    }
}

impl Line {
    /// `name` comes last, unless it is there already.
    pub(super) fn join(&mut self, name: &LockName) {
        if self.names.insert(name.clone()) {
            self.order.push_back(name.clone());
        }
    }

    /// Takes the first one.
    pub(super) fn next(&mut self) -> Option<LockName> {
        let name = self.order.pop_front()?;
        self.names.remove(&name);
        Some(name)
    }

    /// The first one, which stays.
    pub(super) fn first(&self) -> Option<&LockName> {
        self.order.front()
    }

    /// Whether `name` is there.
    pub(super) fn contains(&self, name: &LockName) -> bool {
        self.names.contains(name)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
