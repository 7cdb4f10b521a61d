//! The result of a decision: an outcome and the batch that brings it about.

use super::engine::Batch;
use super::update::Attempt;
use super::{Store, StoreError};

/// A decision not yet committed. The caller adds what belongs to the same commit (a notice, the mark that a mail is
/// handled) and commits, or calls [`Store::carry_out`].
#[derive(Debug)]
pub struct Decided<T> {
    /// The result once committed.
    pub outcome: T,
    /// The writes, with everything the decision was based on as precondition; no writes if nothing changes.
    pub batch: Batch,
}

impl<T> Decided<T> {
    /// An outcome that changes nothing.
    pub(crate) fn unchanged(outcome: T) -> Self {
        Self { outcome, batch: Batch::new() }
    }
}

impl Store {
    /// Commits what `decide` returns; calls it again if what the decision was based on has changed.
    ///
    /// # Errors
    /// What `decide` returns, and [`StoreError`]: nothing was changed.
    pub async fn carry_out<T, E, F>(&self, decide: impl Fn() -> F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<Decided<T>, E>>,
    {
        let attempt = || async {
            let Decided { outcome, batch } = decide().await?;
            Ok(if batch.writes.is_empty() { Attempt::Leave(outcome) } else { Attempt::Commit(batch, outcome) })
        };
        self.attempt(attempt).await
    }
}
