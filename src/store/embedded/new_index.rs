//! A new index built beside the present one, and how it replaces it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use crate::store::engine::EngineError;
use crate::store::fingerprint::Mark;
use crate::store::journal::JournalError;
use crate::store::journal::walk::{Found, walk};

use super::index::{Index, let_go};
use super::layout::journal;
use super::rebuild::{Replay, retire_before};
use super::{Live, Shared};

/// An index that holds the store's records as of a mark.
pub(super) struct NewIndex {
    pub index: Index,
    pub mark: Mark,
    pub generation: u64,
    pub path: PathBuf,
}

impl NewIndex {
    /// Replaces the present index; the store is at `mark`, and no commits are running. On an error the present one
    /// stays in use.
    pub(super) fn take_over(self, shared: &Arc<Shared>, mark: Mark) -> Result<(), EngineError> {
        if self.generation <= shared.health.generation() {
            return Err(EngineError::Damaged("a newer index has replaced it".to_owned()));
        }
        let reached = catch_up(shared, &self.index, self.mark)?;
        if reached != mark {
            return Err(EngineError::Damaged("a new index does not match the journal".to_owned()));
        }
        self.index.set_mark(mark)?;
        let live = Live { index: self.index, generation: self.generation };
        let old = shared.index.write().unwrap_or_else(PoisonError::into_inner).replace(live);
        old.map(|old| old.index).into_iter().for_each(let_go);
        // The new one is in use even if the old one cannot be removed; the next start, or renewal, tries again.
        if let Err(error) = retire_before(&shared.directory, self.generation) {
            tracing::error!(%error, "the old index could not be removed from the disk");
        }
        shared.health.replaced(self.generation, shared.now());
        Ok(())
    }
}

/// Applies the journal's groups after `since`; returns the store's mark. Each write is absolute, so repeating what the
/// copy already contains is harmless.
pub(super) fn catch_up(shared: &Shared, index: &Index, since: Mark) -> Result<Mark, EngineError> {
    let mut replay = Replay::new(index);
    let tail = walk(&journal(&shared.directory), since.sequence, &mut |found| match found {
        Found::Damage(damage) => Err(JournalError::Damaged(damage)),
        Found::Record(record) => {
            replay.push(&record);
            Ok(())
        }
    });
    let tail = tail.map_err(|e| EngineError::Damaged(e.to_string()))?;
    replay.finish()?;
    Ok(tail.mark)
}
