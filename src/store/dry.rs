//! A store on which everything can be tried: it reads what is there and takes no writes.

use std::sync::Arc;

use super::Store;
use super::engine::{Batch, Commit, Engine, EngineFuture, Key, KeyRange, Value};

/// Says of each batch that it was applied, and does nothing.
struct DryEngine(Arc<dyn Engine>);

impl Store {
    /// The same store for trying out: it reads what is there, says of each batch that it was applied, and changes nothing.
    pub fn dry_run(&self) -> Store {
        Store::new(Arc::new(DryEngine(self.engine.clone())))
    }
}

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
