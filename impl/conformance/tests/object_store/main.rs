//! A store over an object store, as `docs/writing-a-backend.md` has it, and its certification.

mod backend;
mod service;

use backend::InOneObject;
use lockspace_conformance::{Harness, NotOffered, NotRun};
use service::Bucket;
use tokio::sync::Mutex;

struct ObjectStore {
    bucket: Bucket,
}

impl Harness for ObjectStore {
    const NAME: &str = "object store (a model)";
    /// Each swap writes all rows.
    const MANY: usize = 50;
    type Store = InOneObject;

    async fn start() -> Result<Self, NotRun> {
        Ok(Self { bucket: Bucket::default() })
    }

    async fn open(&self) -> InOneObject {
        InOneObject {
            bucket: self.bucket.clone(),
            object: "lockspace".into(),
            turn: Mutex::default(),
        }
    }

    /// Services do not lose what they have: there is nothing to do.
    async fn restart(&self) -> Result<(), NotOffered> {
        Ok(())
    }
}

lockspace_conformance::suite!(ObjectStore);
