//! Which contents a test mail was sent of. Kept as long as the releases themselves, and as small: a hash and a time.

use crate::base::clock::Timestamp;

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "test mail";

/// Adds to `batch` that a test mail of this content was sent at `at`.
pub(crate) fn put(batch: &mut Batch, content: &[u8; 32], at: Timestamp) {
    batch.put(keys::tested(content), record::encode(1, &at.timestamp_millis()));
}

impl Store {
    /// When a test mail of this content was last sent.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not tested".
    pub(crate) async fn tested(&self, content: &[u8; 32]) -> Result<Option<Timestamp>, StoreError> {
        let Some(bytes) = self.engine.get(&keys::tested(content)).await? else { return Ok(None) };
        match record::split(FAMILY, &bytes)? {
            (1, rest) => Ok(Some(record::instant(FAMILY, record::decode(FAMILY, rest)?)?)),
            (version, _) => Err(RecordError::Newer { family: FAMILY, version }.into()),
        }
    }
}
