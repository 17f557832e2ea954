//! What a name protects.

use crate::sync::{AtomicUsize, Ordering};

/// A resource, as plain memory would be: nothing here orders anything. So a load that finds
/// an old value shows that a grant did not see all that its predecessor did.
pub(super) struct Resource {
    /// Twice the last token that was here, and one more while it still is.
    visitor: AtomicUsize,
}

impl Resource {
    pub(super) fn new() -> Self {
        Self { visitor: AtomicUsize::new(0) }
    }

    pub(super) fn visit(&self, token: u64) {
        let token = usize::try_from(token).expect("tokens of a test are small");
        let before = self.visitor.load(Ordering::Relaxed);
        assert_eq!(before % 2, 0, "S1: {} is inside", before / 2);
        assert!(before / 2 < token, "S2: {} came before {token}", before / 2);
        self.visitor.store(2 * token + 1, Ordering::Relaxed);
        let still = self.visitor.swap(2 * token, Ordering::Relaxed);
        assert_eq!(still, 2 * token + 1, "S1: somebody else was inside");
    }
}
