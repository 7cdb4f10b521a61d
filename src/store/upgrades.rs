//! What a store written by an earlier version lacks: index tables, built once at the first start of a newer one.
//!
//! Each upgrade has a name, and a note under it in the settings once it is done. It can be broken off at any moment and is
//! then done again from its beginning, which changes nothing that is there already. While one runs nothing else may write
//! what it reads.

use super::engine::Batch;
use super::{Store, StoreError, keys, mailings};

/// Rows written in one commit at most.
const TOGETHER: usize = 2000;
/// Records after which progress is logged.
const LOGGED_EVERY: u64 = 100_000;

/// The index of open mailings, and of the mailings of a release.
const MAILINGS: &str = "index of mailings";

impl Store {
    /// Builds the index tables that this store lacks. Run it before anything reads or writes records.
    ///
    /// # Errors
    /// [`StoreError`]: run it again.
    pub async fn upgrade(&self) -> Result<(), StoreError> {
        if !self.is_upgraded(MAILINGS).await? {
            self.index_mailings().await?;
            self.note_upgraded(MAILINGS).await?;
        }
        Ok(())
    }

    async fn index_mailings(&self) -> Result<(), StoreError> {
        let mut progress = Progress::of("mailings");
        let (mut mailings, mut batch) = (self.pages(mailings::all()), Batch::new());
        loop {
            let next = match mailings.next().await {
                // It is named where it is read; its mailing cannot go on in any case.
                Err(StoreError::Record(_)) => continue,
                next => next?,
            };
            let is_over = next.is_none();
            if let Some(read) = next {
                mailings::put_rows(&mut batch, &read.value);
                progress.one();
            }
            if batch.writes.len() >= TOGETHER || (is_over && !batch.is_empty()) {
                self.commit(std::mem::take(&mut batch)).await?;
            }
            if is_over {
                progress.end();
                return Ok(());
            }
        }
    }

    /// Whether the upgrade of this name is done.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "no".
    pub async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::setting(name)).await?.is_some())
    }

    /// Notes that the upgrade of this name is done.
    ///
    /// # Errors
    /// [`StoreError`]: do it again at the next start.
    pub async fn note_upgraded(&self, name: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(keys::setting(name), vec![1]);
        self.commit(batch).await?;
        Ok(())
    }
}

/// Says in the log how far an index is.
struct Progress {
    what: &'static str,
    records: u64,
}

impl Progress {
    fn of(what: &'static str) -> Self {
        Self { what, records: 0 }
    }

    fn one(&mut self) {
        self.records += 1;
        if self.records.is_multiple_of(LOGGED_EVERY) {
            tracing::info!(of = self.what, records = self.records, "an index table is being built");
        }
    }

    fn end(self) {
        if self.records > 0 {
            tracing::info!(of = self.what, records = self.records, "an index table was built");
        }
    }
}
