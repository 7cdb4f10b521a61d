//! Where what was erased may still lie on the disk after no record holds it, and noting that it is gone from there too.

use crate::base::clock::Timestamp;
use crate::model::erasure::{Erasure, ErasureState};
use crate::store::engine::{Batch, Commit};
use crate::store::suppressions::AddressHash;
use crate::store::{Read, Store, StoreError, erasures};

/// Erasures noted in one commit.
const TOGETHER: usize = 500;

/// A place on the disk that remembers for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stratum {
    /// The journal and the checkpoints.
    Journal,
    /// Free space in the files of the index.
    Index,
}

impl Stratum {
    /// Whether it may hold something of a done erasure.
    pub fn may_hold(self, erasure: &Erasure) -> bool {
        match (self, &erasure.state) {
            (Self::Journal, ErasureState::Done { journal, .. }) => journal.is_none(),
            (Self::Index, ErasureState::Done { index, .. }) => index.is_none(),
            (_, ErasureState::Open(_)) => false,
        }
    }
}

/// Notes that a stratum holds nothing any more of these, which were read before it forgot. Gives of how many.
///
/// # Errors
/// [`StoreError`]: what was noted stays noted.
pub async fn note_forgotten(
    store: &Store,
    stratum: Stratum,
    of: Vec<(AddressHash, Read<Erasure>)>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut noted = 0;
    for some in of.chunks(TOGETHER) {
        let mut batch = Batch::new();
        for (hash, read) in some {
            let mut erasure = read.value.clone();
            if let ErasureState::Done { journal, index, .. } = &mut erasure.state {
                match stratum {
                    Stratum::Journal => *journal = Some(now),
                    Stratum::Index => *index = Some(now),
                }
            }
            erasures::put(&mut batch, hash, Some(read.stamp.clone()), &erasure);
        }
        // On a conflict one of them was begun anew: the next run sees to the others.
        if store.commit(batch).await? == Commit::Applied {
            noted += some.len();
        }
    }
    Ok(noted)
}
