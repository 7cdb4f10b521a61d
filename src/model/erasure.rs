//! The erasure of one person (GDPR Article 17): begun in one commit, continued across interruptions until nothing is
//! left to do, and reduced to a mark without a name at its end.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, SubscriberId};

/// The state of one person's erasure. Kept for ever under the keyed hash of their address, so that an older backup,
/// when restored, can be made to forget them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When it was requested; nothing was sent to them from then on.
    pub at: Timestamp,
    /// How far it has come.
    pub state: ErasureState,
}

/// How far an erasure has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureState {
    /// Work is left to do.
    Open(ErasureWork),
    /// No record and no file identifies them any more.
    Done {
        /// Since when.
        at: Timestamp,
        /// Since when no journal and no checkpoint holds what was erased.
        journal: Option<Timestamp>,
        /// Since when the index has no old bytes in its free space.
        index: Option<Timestamp>,
    },
}

/// What an open erasure needs to continue. Removed with the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureWork {
    /// The person's address.
    pub address: Address,
    /// Their number, if they were a subscriber.
    pub subscriber: Option<SubscriberId>,
    /// Kept mails from them, by SHA-256, to be removed from the disk.
    pub files: Vec<[u8; 32]>,
    /// Incoming mail has been searched up to here.
    pub mail: Option<InboundId>,
}

impl Erasure {
    /// The work left, if any.
    pub fn work(&self) -> Option<&ErasureWork> {
        match &self.state {
            ErasureState::Open(work) => Some(work),
            ErasureState::Done { .. } => None,
        }
    }

    /// Since when no record and no file identifies them.
    pub(crate) fn done(&self) -> Option<Timestamp> {
        match &self.state {
            ErasureState::Open(_) => None,
            ErasureState::Done { at, .. } => Some(*at),
        }
    }
}
