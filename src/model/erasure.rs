//! The erasure of one person (GDPR Article 17): work that is begun in one commit, goes on until nothing is left to do,
//! whatever stops in between, and ends as a mark without a name.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, SubscriberId};

/// What became of one person's erasure. It is kept under the keyed hash of their address, for ever: so that a backup of
/// before, put back, can be made to forget them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When it was asked for; from then on nothing was sent to them.
    pub at: Timestamp,
    /// How far it has come.
    pub state: ErasureState,
}

/// How far an erasure has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureState {
    /// Something is left to do.
    Open(ErasureWork),
    /// No record and no file names them any more.
    Done {
        /// Since when.
        at: Timestamp,
        /// Since when no journal and no checkpoint holds what was erased.
        journal: Option<Timestamp>,
        /// Since when the index has no old bytes in its free space.
        index: Option<Timestamp>,
    },
}

/// What an open erasure must know to go on. It goes with the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureWork {
    /// Whom.
    pub address: Address,
    /// Their number, where they were a subscriber.
    pub subscriber: Option<SubscriberId>,
    /// Kept mails of theirs, by SHA-256, that are to be removed from the disk.
    pub files: Vec<[u8; 32]>,
    /// Mail that came in is looked through up to here.
    pub mail: Option<InboundId>,
}

impl Erasure {
    /// What is left to do, if anything is.
    pub fn work(&self) -> Option<&ErasureWork> {
        match &self.state {
            ErasureState::Open(work) => Some(work),
            ErasureState::Done { .. } => None,
        }
    }

    /// Since when no record and no file names them.
    pub fn done(&self) -> Option<Timestamp> {
        match &self.state {
            ErasureState::Open(_) => None,
            ErasureState::Done { at, .. } => Some(*at),
        }
    }
}
