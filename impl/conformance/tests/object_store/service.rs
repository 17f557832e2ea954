//! A *model* of an object store with conditional puts, in memory: what such services document, and no
//! more. Nothing here has been tried with a real one.
//!
//! An object has a generation, which each put changes; a put can be made to depend upon it. Generations
//! of different objects have nothing to do with each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::task::yield_now;

/// A bucket of objects.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<Objects>>);

type Objects = BTreeMap<String, (Generation, Vec<u8>)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// The object was not as the condition has it, and nothing was changed: status 412.
#[derive(Debug)]
pub(crate) struct PreconditionFailed;

impl Bucket {
    /// The object as the latest put has left it.
    pub(crate) async fn get(&self, name: &str) -> Option<(Generation, Vec<u8>)> {
        yield_now().await;
        self.0.lock().unwrap().get(name).cloned()
    }

    /// Puts the object if it has this generation, or, if none is given, if it is not there.
    pub(crate) async fn put_if(
        &self,
        name: &str,
        expected: Option<Generation>,
        content: Vec<u8>,
    ) -> Result<(), PreconditionFailed> {
        yield_now().await;
        let mut objects = self.0.lock().unwrap();
        let found = objects.get(name).map(|(generation, _)| *generation);
        if found != expected {
            return Err(PreconditionFailed);
        }
        let next = Generation(found.map_or(1, |Generation(number)| number + 1));
        objects.insert(name.into(), (next, content));
        Ok(())
    }
}
