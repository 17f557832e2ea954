//! Everything that a design can break: the safety properties and, after them, the debts of progress.
//! [`Ids`] of what is broken count in this order.

use lockspace_spec::SAFETY;

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
}

/// S1 to S10, then L1 to L4.
pub const BREAKABLE: [Breakable; SAFETY.len() + PROGRESS.len()] = {
    let mut all = [Breakable { id: "", name: None, sentence: "" }; SAFETY.len() + PROGRESS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < SAFETY.len() {
            let property = &SAFETY[index];
            Breakable { id: property.id, name: Some(property.name), sentence: property.sentence }
        } else {
            let debt = &PROGRESS[index - SAFETY.len()];
            Breakable { id: debt.id, name: None, sentence: debt.sentence }
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
    /// Whether it says that something happens.
    #[must_use]
    pub const fn is_progress(&self) -> bool {
        self.name.is_none()
    }

    /// ID and name.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.map_or_else(|| self.id.into(), |name| format!("{} {name}", self.id))
    }
}
