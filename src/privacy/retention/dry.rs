//! A store engine for trial runs: reads are real, writes are ignored.

use std::sync::Arc;

use crate::store::engine::{Batch, Commit, Engine, EngineFuture, Key, KeyRange, Value};

/// Reports each batch as applied, and does nothing.
pub struct DryEngine(pub Arc<dyn Engine>);

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
