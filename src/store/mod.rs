//! Floor 2: the store. [`engine`] defines what a store must be able to do; `embedded` implements it with a journal and
//! sled, [`memory`] for tests. Each record family has its own file with its keys, its versioned form on disk and its
//! reads and writes.
//!
//! A read returns a [`Read`] with the stored bytes; a write passes them back as its precondition. So two writers, even
//! in different processes, never overwrite each other unnoticed.

use std::sync::Arc;

mod approvals;
pub(crate) mod audit;
pub mod backup;
pub mod blobs;
pub mod bounces;
pub mod check;
pub mod checkpoint;
pub(crate) mod clock_note;
pub mod contacts;
mod counters;
pub(crate) mod decided;
mod delivery_form;
mod dry;
pub mod embedded;
pub mod engine;
mod engine_error;
pub(crate) mod erasures;
pub(crate) mod fingerprint;
#[doc(hidden)]
pub mod for_tests;
mod forgetting;
pub mod idempotency;
pub mod inbound;
pub(crate) mod jobs;
pub mod journal;
mod keys;
pub mod later;
pub mod ledger;
pub mod lists;
pub mod mailings;
pub mod maintenance;
mod member_rows;
pub mod members;
pub mod memory;
pub(crate) mod names;
pub mod notices;
pub(crate) mod opening;
pub mod pages;
pub mod pending_requests;
mod person_texts;
pub mod posts;
pub mod record;
pub(crate) mod releases;
pub mod rsvps;
pub mod search;
pub(crate) mod settings;
pub mod spool;
pub mod subscribers;
pub mod suppressions;
pub(crate) mod tables;
pub(crate) mod taking_back;
pub(crate) mod tested;
mod update;
mod upgrades;

use engine::{Batch, Commit, Engine, EngineError, Value};
use maintenance::Maintenance;
use person_texts::PersonTexts;
use record::RecordError;

pub(crate) use update::{Attempt, Change, Changeable};

/// The key whose precondition failed (see [`Commit::Conflict`]); record families identify it, e.g.
/// [`ledger::is_lease_of`].
pub(crate) type Conflict = engine::Key;

/// The store: typed reads and writes over an [`Engine`]. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    texts: Arc<PersonTexts>,
}

/// A record as read, with the bytes that a later write can require to be unchanged.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// The record.
    pub value: T,
    /// Its stored bytes.
    pub stamp: Value,
}

/// Why the store failed. Never treat it as "not found" (invariant 10).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed; [`EngineError`] says whether anything can have changed and whether a retry can succeed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Other writers kept changing the same record.
    #[error("the record was changed by others {0} times in a row; try again")]
    Contended(u32),
}

impl StoreError {
    /// Whether the batch may have been applied despite the error: read the stored state before deciding anything.
    pub(crate) fn may_be_applied(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Ambiguous { .. }))
    }

    /// Whether a loop may wait briefly and continue (see [`EngineError::may_pass`]).
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Engine(error) => error.may_pass(),
            Self::Contended(_) => true,
            Self::Record(_) => false,
        }
    }
}

/// Attempts of a conflicting write before [`StoreError::Contended`].
pub(crate) const CONFLICT_TRIES: u32 = 50;

impl Store {
    /// A store over `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, texts: Arc::default() }
    }

    /// The upkeep of the engine: checkpoints, verification, backups, figures, and its end.
    pub fn maintenance(&self) -> &dyn Maintenance {
        &*self.engine
    }

    /// Applies a batch completely or not at all; once it returns "applied", the batch is durable (invariant 1).
    ///
    /// # Errors
    /// [`StoreError::Engine`]: nothing was applied, except after [`EngineError::Ambiguous`].
    pub async fn commit(&self, batch: Batch) -> Result<Commit, StoreError> {
        let mut writing = self.texts.writing(&batch);
        let answer = self.engine.commit(batch).await;
        writing.is_answered = !matches!(answer, Err(EngineError::Ambiguous { .. }));
        Ok(answer?)
    }
}
