//! A store over an object store with conditional puts: all rows of a lockspace in one object.

use std::collections::BTreeMap;

use lockspace::store::{Row, Store, StoreError, Swap, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::service::{Bucket, Generation};

/// A lockspace in one object of a bucket.
pub(crate) struct InOneObject {
    pub(crate) bucket: Bucket,
    pub(crate) object: String,
    /// Swaps of one process take turns: at the same time they would only be in each other's way.
    pub(crate) turn: Mutex<()>,
}

/// What stands in the object: the last version that was drawn, and all rows.
///
/// One object, because nothing else orders swaps of different rows. A counter in an object of its own
/// would give numbers that are drawn *before* the row is put: somebody else can draw the next one,
/// and be done first.
#[derive(Default, Serialize, Deserialize)]
struct Content {
    last: u64,
    rows: BTreeMap<String, (u64, Text)>,
}

/// Bytes, each as the character of its number, since JSON has no bytes.
#[derive(Serialize, Deserialize)]
struct Text(String);

impl Text {
    fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| char::from(*byte)).collect())
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
    }
}

impl InOneObject {
    async fn content(&self) -> Result<(Option<Generation>, Content), StoreError> {
        let Some((generation, bytes)) = self.bucket.get(&self.object).await else {
            return Ok((None, Content::default()));
        };
        let content = serde_json::from_slice(&bytes);
        // Damaged, or somebody else's: an error, and nothing is overwritten.
        Ok((Some(generation), content.map_err(|error| StoreError::NotDone(error.into()))?))
    }
}

impl Store for InOneObject {
    async fn load(&self, key: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let (_, mut content) = self.content().await?;
        Ok(content.rows.remove(key).map(|(version, bytes)| (Version(version), bytes.bytes())))
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let _turn = self.turn.lock().await;
        loop {
            let (generation, mut content) = self.content().await?;
            if content.rows.get(key).map(|row| Version(row.0)) != expected {
                return Ok(Swap::Conflict);
            }
            content.last += 1;
            let version = content.last;
            match new {
                Some(bytes) => content.rows.insert(key.into(), (version, Text::new(bytes))),
                None => content.rows.remove(key),
            };
            let bytes = serde_json::to_vec(&content);
            let bytes = bytes.map_err(|error| StoreError::NotDone(error.into()))?;
            // Another row was swapped in between, and this put has surely done nothing: so it may be
            // tried again. Any other failure of a real service would be `Unknown`, and never tried again.
            if self.bucket.put_if(&self.object, generation, bytes).await.is_ok() {
                return Ok(Swap::Swapped(Version(version)));
            }
        }
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let (_, content) = self.content().await?;
        let rows = content.rows.into_iter().filter(|(key, _)| key.starts_with(prefix));
        let row = |(key, (version, bytes)): (String, (u64, Text))| Row {
            key,
            version: Version(version),
            bytes: bytes.bytes(),
        };
        Ok(rows.map(row).collect())
    }
}
