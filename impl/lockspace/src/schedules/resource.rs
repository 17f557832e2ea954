//! What a name protects: it sees for itself who is inside, and in which order tokens come.

use std::sync::{Arc, Mutex, MutexGuard};

use lockspace_spec::FencingToken;

/// A resource. Invisible to the scheduler: it must not be what decides.
#[derive(Clone, Default)]
pub(super) struct Resource(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    /// The greatest token that was ever here.
    latest: Option<FencingToken>,
    visitors: Vec<FencingToken>,
}

/// Somebody is inside, until this is dropped.
pub(super) struct Visit {
    resource: Resource,
    token: FencingToken,
    /// Somebody was inside already.
    met_somebody: bool,
}

impl Resource {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().expect("nothing here panics")
    }

    pub(super) fn enter(&self, token: FencingToken) -> Visit {
        let mut inside = self.inside();
        let met_somebody = !inside.visitors.is_empty();
        assert_ne!(inside.latest, Some(token), "S2: a token was used twice");
        inside.latest = inside.latest.max(Some(token));
        inside.visitors.push(token);
        drop(inside);
        Visit { resource: self.clone(), token, met_somebody }
    }
}

impl Visit {
    /// Whether a greater token has been here, before or since: the hold of this one must have ended.
    pub(super) fn overtaken(&self) -> bool {
        self.resource.inside().latest > Some(self.token)
    }

    /// Whether it was alone all the time, and came after all with smaller tokens. Where holds can be
    /// lost, one that is in the right may still meet one that was overtaken.
    pub(super) fn undisturbed(&self) -> bool {
        !self.met_somebody && !self.overtaken()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.resource.inside().visitors.retain(|visitor| *visitor != self.token);
    }
}

#[test]
fn a_second_visitor_and_a_smaller_token_are_noticed() {
    let resource = Resource::default();
    let [first, second] = [2, 3].map(|token| resource.enter(FencingToken(token)));
    assert!(first.overtaken() && !second.overtaken());
    assert!(!first.undisturbed() && !second.undisturbed());
    drop((first, second));
    assert!(resource.enter(FencingToken(1)).overtaken());
    assert!(resource.enter(FencingToken(4)).undisturbed());
}
