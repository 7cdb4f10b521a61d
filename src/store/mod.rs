//! Floor 2: what is kept. [`engine`] says what a store must be able to do; `embedded` does it with a journal and
//! sled, [`memory`] for tests; each record family has a file of its own with its keys, its versioned form on disk
//! and its reads and writes.
//!
//! A read hands out a [`Read`] with the stored bytes; a write hands them back as its precondition. So two writers
//! never overwrite each other unseen, whatever process they run in.

use std::sync::Arc;

mod approvals;
pub mod audit;
pub mod backup;
pub mod blobs;
pub mod bounces;
pub mod check;
pub mod checkpoint;
pub mod clock_note;
pub mod contacts;
mod counters;
pub mod decided;
mod delivery_form;
mod dry;
pub mod embedded;
pub mod engine;
pub mod erasures;
pub mod fingerprint;
#[doc(hidden)]
pub mod for_tests;
mod forgetting;
pub mod idempotency;
pub mod inbound;
pub mod jobs;
pub mod journal;
mod keys;
pub mod later;
pub mod ledger;
pub mod lists;
pub mod mailings;
pub mod memory;
pub mod names;
pub mod notices;
pub mod pages;
pub mod pending_requests;
mod person_rows;
pub mod posts;
pub mod record;
pub mod releases;
pub mod rsvps;
pub mod search;
pub mod settings;
pub mod spool;
pub mod subscribers;
pub mod suppressions;
pub mod tables;
pub mod taking_back;
mod update;
mod upgrades;

use engine::{Batch, Commit, Engine, EngineError, Value};
use record::RecordError;

pub use update::{Attempt, Change, Changeable};

/// What a commit met (see [`Commit::Conflict`]): record families say whose it is, e.g. [`ledger::is_lease_of`].
pub type Conflict = engine::Key;

/// The store: typed reads and writes over an [`Engine`]. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

/// A record as read, with the bytes that a later write may demand unchanged.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// The record.
    pub value: T,
    /// Its bytes in the store.
    pub stamp: Value,
}

/// Why the store could not do what was asked. Never to be read as "there is none" (invariant 10).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed; [`EngineError`] says whether anything can have changed, and whether the same may work later.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Others changed the same record again and again.
    #[error("the record was changed by others {0} times in a row; try again")]
    Contended(u32),
}

impl StoreError {
    /// Whether the batch may have been applied all the same: read what is there before anything is decided.
    pub fn may_be_applied(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Ambiguous { .. }))
    }

    /// Whether a loop waits a little and goes on (see [`EngineError::may_pass`]).
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Engine(error) => error.may_pass(),
            Self::Contended(_) => true,
            Self::Record(_) => false,
        }
    }
}

/// How often a write that met another's is tried anew before [`StoreError::Contended`].
pub const CONFLICT_TRIES: u32 = 50;

impl Store {
    /// A store over `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// Applies a batch whole or not at all; when it says applied, it is durable (invariant 1).
    ///
    /// # Errors
    /// [`StoreError::Engine`]: nothing was applied, except after [`EngineError::Ambiguous`].
    pub async fn commit(&self, batch: Batch) -> Result<Commit, StoreError> {
        Ok(self.engine.commit(batch).await?)
    }
}
