//! A store engine for trial runs: reads are real, writes are ignored.

use std::sync::Arc;

use super::Store;
use super::engine::{Batch, Commit, Engine, EngineFuture, Key, KeyRange, Value};
use super::maintenance::Maintenance;

/// Reports each batch as applied without writing it.
struct DryEngine(Arc<dyn Engine>);

impl Store {
    /// The same store for a dry run: reads return stored data; each batch is reported as applied, and nothing changes.
    pub(crate) fn dry_run(&self) -> Store {
        Store::new(Arc::new(DryEngine(self.engine.clone())))
    }
}

/// A trial run changes nothing, so it maintains nothing.
impl Maintenance for DryEngine {}

impl Engine for DryEngine {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.0.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.0.scan(range, limit)
    }

    fn commit(&self, _batch: Batch) -> EngineFuture<'_, Commit> {
        Box::pin(std::future::ready(Ok(Commit::Applied)))
    }
}
