//! Compares the whole index with its mark while commits continue, a piece at a time.
//!
//! The committer itself reads the pieces, between two groups, and adds up the records. A commit that changes a record
//! already read updates that sum too, so at the end it equals the mark, or the index is damaged.

use tokio::sync::oneshot;

use crate::store::engine::{EngineError, Key, KeyRange};
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::maintenance::CheckStep;

use super::EmbeddedEngine;
use super::index::{Index, IndexFault};
use super::request::Request;

/// Records per piece: a few milliseconds, during which commits wait.
const PIECE: usize = 500;

/// A comparison in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// The last key read; `None` at the beginning.
    last: Option<Key>,
    /// The fingerprint of the records read, in their current state.
    pub sum: Fingerprint,
}

impl Walk {
    /// Whether the record with this key was already read.
    pub(super) fn has_read(&self, key: &Key) -> bool {
        self.last.as_ref().is_some_and(|last| key <= last)
    }

    /// Reads one piece; returns whether it was the last.
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

/// The error text for an index whose records do not match its mark.
pub(super) fn mismatch(found: Fingerprint, mark: Mark) -> String {
    let (has, should) = (found.records, mark.fingerprint.records);
    format!("its {has} records are not the {should} that the journal states")
}

impl EmbeddedEngine {
    /// Reads the next piece of the index and, at its end, compares it with its mark. A difference, or an unreadable
    /// piece, marks the index as damaged, and it is rebuilt.
    ///
    /// # Errors
    /// [`EngineError`]; the next call starts again at the first record.
    pub(crate) async fn check_some(&self) -> Result<CheckStep, EngineError> {
        let (answer, receiver) = oneshot::channel();
        self.shared.ask(Request::Check(answer))?;
        receiver.await.map_err(|_| EngineError::Stopped("it is closed".to_owned()))?
    }
}
