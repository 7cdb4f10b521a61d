//! Comparing the whole index with its mark while commits go on, a piece at a time.
//!
//! The committer itself reads the pieces, between two groups, and adds up the records. A commit that changes a record
//! which was read already changes that sum too, so at the end it is what the mark says, or the index is damaged.

use tokio::sync::oneshot;

use crate::store::engine::{EngineError, Key, KeyRange};
use crate::store::fingerprint::{Fingerprint, Mark};

use super::EmbeddedEngine;
use super::index::{Index, IndexFault};
use super::request::{CheckStep, Request};

/// Records that one piece has: a few milliseconds, for which commits wait.
const PIECE: usize = 500;

/// A comparison under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// The last key that was read; none at the beginning.
    last: Option<Key>,
    /// What the records up to there add up to, as they are now.
    pub sum: Fingerprint,
}

impl Walk {
    /// Whether the record of this key was read already.
    pub(super) fn has_read(&self, key: &Key) -> bool {
        self.last.as_ref().is_some_and(|last| key <= last)
    }

    /// Reads one piece; gives whether that was all.
    pub(super) fn read(&mut self, index: &Index) -> Result<bool, IndexFault> {
        let mut range = KeyRange::new(Key(Vec::new()), None);
        if let Some(last) = &self.last {
            range = range.after(last);
        }
        let (mut count, mut last) = (0, Vec::new());
        index.each(&range, &mut |key, value| {
            self.sum.add(key, value);
            count += 1;
            let goes_on = count < PIECE;
            if !goes_on {
                last = key.to_vec();
            }
            goes_on
        })?;
        if count == PIECE {
            self.last = Some(Key(last));
        }
        Ok(count < PIECE)
    }
}

/// What is wrong with an index whose records do not add up.
pub(super) fn mismatch(found: Fingerprint, mark: Mark) -> String {
    let (has, should) = (found.records, mark.fingerprint.records);
    format!("its {has} records are not the {should} that the journal says")
}

impl EmbeddedEngine {
    /// Reads the next piece of the index and, at its end, compares it with its mark. A difference, or a piece that cannot be
    /// read, marks the index as damaged, and it is built again.
    ///
    /// # Errors
    /// [`EngineError`]; after it the comparison begins again at the first record.
    pub async fn check_some(&self) -> Result<CheckStep, EngineError> {
        let (answer, receiver) = oneshot::channel();
        self.shared.ask(Request::Check(answer))?;
        receiver.await.map_err(|_| EngineError::Stopped("it is closed".to_owned()))?
    }
}
