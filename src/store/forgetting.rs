//! Deletes records of one table that are no longer needed, page by page: neither a read nor a commit grows with the table.

use super::engine::{Batch, KeyRange};
use super::record::RecordError;
use super::{Store, StoreError};

/// Records read, and at most deleted, in one commit.
const PAGE: usize = 200;

impl Store {
    /// Deletes the records of `range` for which `is_over` holds, given their bytes. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`], also for the first record that cannot be read: what was deleted before stays deleted.
    pub(super) async fn forget(
        &self,
        mut range: KeyRange,
        is_over: impl Fn(&[u8]) -> Result<bool, RecordError>,
    ) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let found = self.engine.scan(range.clone(), PAGE).await?;
            let last = found.last().filter(|_| found.len() == PAGE).map(|(key, _)| key.clone());
            let mut batch = Batch::new();
            for (key, bytes) in found {
                if is_over(&bytes)? {
                    batch.delete(key);
                    forgotten += 1;
                }
            }
            if !batch.is_empty() {
                self.commit(batch).await?;
            }
            match last {
                Some(last) => range = range.after(&last),
                None => return Ok(forgotten),
            }
        }
    }
}
