//! The counters that ids are allocated from.

use super::engine::{Batch, Commit, Key};
use super::record;
use super::{Attempt, Store, StoreError, keys};

/// Counters read at once.
const PAGE: usize = 100;

impl Store {
    /// Allocates `count` consecutive numbers and returns the first; a counter starts at 1.
    ///
    /// # Errors
    /// [`StoreError`]: numbers may be skipped; none is allocated twice.
    pub async fn allocate(&self, counter: &str, count: u64) -> Result<u64, StoreError> {
        let key = &keys::counter(counter);
        self.attempt(|| async move {
            let before = self.engine.get(key).await?;
            let last = match &before {
                Some(bytes) => record::decode_counter(bytes)?,
                None => 0,
            };
            let mut batch = Batch::new();
            batch.expect_read(key.clone(), before);
            batch.put(key.clone(), (last + count).to_be_bytes().as_slice());
            Ok(Attempt::Commit(batch, last + 1))
        })
        .await
    }

    /// Raises each counter above its value here and in `later`, by `leave_out` of its name: numbers that another copy
    /// of this store may have allocated are not used again.
    ///
    /// # Errors
    /// [`StoreError`]: some may already be raised; a repetition skips more numbers.
    pub(crate) async fn raise_counters(
        &self,
        later: Option<&Store>,
        leave_out: impl Fn(&str) -> u64,
    ) -> Result<(), StoreError> {
        let mut range = keys::table(b'c');
        loop {
            let page = self.engine.scan(range.clone(), PAGE).await?;
            let Some((newest, _)) = page.last() else { return Ok(()) };
            range = range.after(newest);
            for (key, bytes) in &page {
                let mut last = record::decode_counter(bytes)?;
                if let Some(later) = later
                    && let Some(bytes) = later.engine.get(key).await?
                {
                    last = last.max(record::decode_counter(&bytes)?);
                }
                let next = last.saturating_add(leave_out(&name_of(key)));
                let mut batch = Batch::new();
                batch.expect(key.clone(), bytes.clone());
                batch.put(key.clone(), next.to_be_bytes().as_slice());
                // Nothing else may allocate numbers meanwhile.
                if self.commit(batch).await? != Commit::Applied {
                    return Err(StoreError::Contended(1));
                }
            }
        }
    }
}

fn name_of(key: &Key) -> String {
    String::from_utf8_lossy(key.0.get(1..).unwrap_or_default()).into_owned()
}
