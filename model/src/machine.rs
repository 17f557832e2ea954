//! What both explorers run: a finite machine whose every transition is judged as it is taken.
//!
//! A machine hands out *canonical* successors, packed into a key, so that an explorer needs no
//! notion of symmetry: two states are the same when their keys are equal. An explorer must not look
//! into states, actions or keys.

use core::fmt::Debug;
use core::hash::Hash;

use lockspace_spec::Property;

/// A finite machine over the actions of a lockspace.
pub trait Machine: Sync {
    /// A canonical state.
    type State: Clone + Debug + PartialEq + Hash + Send + Sync;
    /// What can happen in a state.
    type Action: Copy + Debug + PartialEq + Send + Sync;
    /// A canonical state, packed. Equal keys are equal states: nothing is hashed away.
    type Key: Clone + Eq + Hash + Send + Sync;

    /// The state in which everything begins.
    fn initial(&self) -> Self::State;

    /// Every action that may happen in `state`, into `actions` (which is empty).
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// Takes `action` in `state` and judges the transition: by every safety property, and by those
    /// of the reachability goals that are still `wanted`.
    ///
    /// `scratch` is a copy of `state` and is one again afterwards: most actions change nothing, and
    /// then nothing needs to be copied.
    fn next(
        &self,
        state: &Self::State,
        scratch: &mut Self::State,
        action: &Self::Action,
        wanted: Ids,
    ) -> Next<Self::Key>;

    /// The key of a canonical state.
    fn pack(&self, state: &Self::State) -> Self::Key;

    /// The state of a key.
    fn unpack(&self, key: &Self::Key) -> Self::State;
}

/// Where an action leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<Key> {
    /// Every safety property holds of the transition.
    Sound {
        /// The state that it leads to.
        to: Key,
        /// The wanted goals (of [`REACHABLE`](lockspace_spec::REACHABLE)) that it shows.
        shown: Ids,
    },
    /// These properties (of [`BREAKABLE`](crate::breakable::BREAKABLE)) do not hold of it. Behaviour
    /// ends here: what follows a broken promise proves nothing.
    Broken(Ids),
}

/// A set of properties, by their place in [`BREAKABLE`](crate::breakable::BREAKABLE), which begins with
/// [`SAFETY`](lockspace_spec::SAFETY), or in [`REACHABLE`](lockspace_spec::REACHABLE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ids(u32);

impl Ids {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The first `count` of them.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        assert!(count < 32, "a set holds at most 31 properties");
        Self((1 << count) - 1)
    }

    /// Those of `table` that have one of these `ids`.
    #[must_use]
    pub fn named(table: &[Property], ids: &[impl AsRef<str>]) -> Self {
        let mut set = Self::NONE;
        for (index, property) in table.iter().enumerate() {
            if ids.iter().any(|id| id.as_ref() == property.id) {
                set.insert(index);
            }
        }
        set
    }

    /// Adds the property at `index`.
    pub const fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether the property at `index` is in the set.
    #[must_use]
    pub const fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// Whether the set has no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places of the members, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..32).filter(move |index| self.contains(*index))
    }

    /// The IDs of the members in `table`, in order.
    #[must_use]
    pub fn of(self, table: &'static [Property]) -> Vec<&'static str> {
        self.iter().map(|index| table[index].id).collect()
    }
}
