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
mod delivery_form;
pub mod embedded;
pub mod engine;
pub mod erasures;
pub mod fingerprint;
pub mod idempotency;
pub mod inbound;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod later;
pub mod ledger;
pub mod lists;
pub mod mailings;
pub mod memory;
pub mod names;
pub mod notices;
pub mod pending_requests;
pub mod posts;
pub mod record;
pub mod releases;
pub mod rsvps;
pub mod settings;
pub mod spool;
pub mod subscribers;
pub mod suppressions;
pub mod taking_back;

use engine::{Batch, Commit, Engine, EngineError, Value};
use record::RecordError;

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
    /// The engine failed: nothing was changed, and the same may work later.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Others changed the same record again and again.
    #[error("the record was changed by others {0} times in a row; try again")]
    Contended(u32),
}

/// How often a write that met another's is tried anew before [`StoreError::Contended`].
pub const CONFLICT_TRIES: u32 = 50;

impl Store {
    /// A store over `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine below, for checkpoint and verification.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Applies a batch whole or not at all; when it says applied, it is durable (invariant 1).
    ///
    /// # Errors
    /// [`StoreError::Engine`]: nothing was applied.
    pub async fn commit(&self, batch: Batch) -> Result<Commit, StoreError> {
        Ok(self.engine.commit(batch).await?)
    }
}

impl Store {
    /// Takes `count` numbers that nobody else gets, and gives the first; the first of all is 1.
    ///
    /// # Errors
    /// [`StoreError`]: numbers may be lost, none is given twice.
    pub async fn allocate(&self, counter: &str, count: u64) -> Result<u64, StoreError> {
        let key = keys::counter(counter);
        for _ in 0..CONFLICT_TRIES {
            let before = self.engine.get(&key).await?;
            let last = match &before {
                Some(bytes) => record::decode_counter(bytes)?,
                None => 0,
            };
            let mut batch = Batch::new();
            batch.expect_read(key.clone(), before);
            batch.put(key.clone(), (last + count).to_be_bytes().as_slice());
            if self.commit(batch).await? == Commit::Applied {
                return Ok(last + 1);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES))
    }
}
