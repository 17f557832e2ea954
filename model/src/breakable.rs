//! Everything that a design can break: the safety properties and, after them, the debts of progress and
//! what is said of owners. [`Ids`] of what is broken count in this order.

use lockspace_spec::{DEADLOCK, SAFETY};

use crate::machine::Ids;
use crate::progress::PROGRESS;

/// Something that a design can break, with the words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakable {
    /// Its ID, by which code and documents cite it.
    pub id: &'static str,
    /// Its name; debts of progress have none.
    pub name: Option<&'static str>,
    /// What it says, in a sentence.
    pub sentence: &'static str,
    /// Whether it says that something happens.
    pub progress: bool,
}

/// S1 to S10, then L1 to L4, then D1 and D2.
pub const BREAKABLE: [Breakable; SAFETY.len() + PROGRESS.len() + DEADLOCK.len()] = {
    const NOTHING: Breakable = Breakable { id: "", name: None, sentence: "", progress: false };
    const OWNERS: usize = SAFETY.len() + PROGRESS.len();
    let mut all = [NOTHING; OWNERS + DEADLOCK.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < SAFETY.len() {
            let property = &SAFETY[index];
            let (id, name, sentence) = (property.id, Some(property.name), property.sentence);
            Breakable { id, name, sentence, progress: false }
        } else if index < OWNERS {
            let debt = &PROGRESS[index - SAFETY.len()];
            Breakable { id: debt.id, name: None, sentence: debt.sentence, progress: true }
        } else {
            let property = &DEADLOCK[index - OWNERS];
            let (id, name, sentence) = (property.id, Some(property.name), property.sentence);
            Breakable { id, name, sentence, progress: property.progress }
        };
        index += 1;
    }
    all
};

/// The set of the one with this ID; empty if there is none.
#[must_use]
pub fn breaking(id: &str) -> Ids {
    let mut set = Ids::NONE;
    if let Some(index) = BREAKABLE.iter().position(|breakable| breakable.id == id) {
        set.insert(index);
    }
    set
}

impl Breakable {
    /// ID and name.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.map_or_else(|| self.id.into(), |name| format!("{} {name}", self.id))
    }
}
