//! What a rule decides and what brings it about: an outcome with its batch.

use super::engine::Batch;
use super::update::Attempt;
use super::{Store, StoreError};

/// What is decided, and not done yet. The caller adds what belongs to the same commit (a notice, the mark that a mail is
/// handled) and commits, or lets [`Store::carry_out`] do so.
#[derive(Debug)]
pub struct Decided<T> {
    /// What it comes to.
    pub outcome: T,
    /// The writes that bring it about, with all that it was decided on as precondition; without writes where nothing
    /// changes.
    pub batch: Batch,
}

impl<T> Decided<T> {
    /// An outcome that changes nothing.
    pub fn unchanged(outcome: T) -> Self {
        Self { outcome, batch: Batch::new() }
    }
}

impl Store {
    /// Commits what `decide` returns, and asks it again where what it was decided on has changed.
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
