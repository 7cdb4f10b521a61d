//! Storage layers: where erased data may remain on the disk after no record holds it, and when it is gone from there
//! too.

use crate::base::clock::Timestamp;
use crate::model::erasure::{Erasure, ErasureState};
use crate::store::engine::{Batch, Commit};
use crate::store::suppressions::AddressHash;
use crate::store::{Read, Store, StoreError, erasures};

/// Number of erasures recorded in one commit.
const TOGETHER: usize = 500;

/// A part of the disk that keeps old data for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageLayer {
    /// The journal and the checkpoints.
    Journal,
    /// Free space in the files of the index.
    Index,
}

impl StorageLayer {
    /// Whether it may still hold data of a completed erasure.
    pub(crate) fn may_hold(self, erasure: &Erasure) -> bool {
        match (self, &erasure.state) {
            (Self::Journal, ErasureState::Done { journal, .. }) => journal.is_none(),
            (Self::Index, ErasureState::Done { index, .. }) => index.is_none(),
            (_, ErasureState::Open(_)) => false,
        }
    }
}

/// Records that a storage layer holds nothing of these any more; they were read before it was cleared. Returns for
/// how many.
///
/// # Errors
/// [`StoreError`]: what was recorded stays recorded.
pub async fn note_forgotten(
    store: &Store,
    layer: StorageLayer,
    of: Vec<(AddressHash, Read<Erasure>)>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut noted = 0;
    for some in of.chunks(TOGETHER) {
        let mut batch = Batch::new();
        for (hash, read) in some {
            let mut erasure = read.value.clone();
            if let ErasureState::Done { journal, index, .. } = &mut erasure.state {
                match layer {
                    StorageLayer::Journal => *journal = Some(now),
                    StorageLayer::Index => *index = Some(now),
                }
            }
            erasures::put(&mut batch, hash, Some(read.stamp.clone()), &erasure);
        }
        // On a conflict one of them was begun again: the next run handles the others.
        if store.commit(batch).await? == Commit::Applied {
            noted += some.len();
        }
    }
    Ok(noted)
}
