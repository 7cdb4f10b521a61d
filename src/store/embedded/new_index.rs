//! Another index, built beside the present one, and how it takes its place.

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

/// An index that holds what the store held at a mark.
pub(super) struct NewIndex {
    pub index: Index,
    pub mark: Mark,
    pub generation: u64,
    pub path: PathBuf,
}

impl NewIndex {
    /// Takes the present index's place; the store stands at `mark`, and nobody commits. On an error the present one goes
    /// on.
    pub(super) fn take_over(self, shared: &Arc<Shared>, mark: Mark) -> Result<(), EngineError> {
        if self.generation <= shared.health.generation() {
            return Err(EngineError::Damaged("a newer index has taken its place".to_owned()));
        }
        let reached = catch_up(shared, &self.index, self.mark)?;
        if reached != mark {
            return Err(EngineError::Damaged("a new index does not stand where the journal does".to_owned()));
        }
        self.index.set_mark(mark)?;
        let live = Live { index: self.index, generation: self.generation };
        let old = shared.index.write().unwrap_or_else(PoisonError::into_inner).replace(live);
        old.map(|old| old.index).into_iter().for_each(let_go);
        // The new one is in force whether or not the old one can be removed; the next start, or renewal, tries again.
        if let Err(error) = retire_before(&shared.directory, self.generation) {
            tracing::error!(%error, "the old index could not be removed from the disk");
        }
        shared.health.replaced(self.generation, shared.now());
        Ok(())
    }
}

/// Applies the groups of the journal after `since`; gives where the store stands then. Each write is absolute, so that what
/// the copy saw already does no harm.
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
