//! An engine whose n-th commit fails: before anything was written, or after, with the answer lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use depesch::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};

/// When in the failing commit the failure comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was written.
    Before,
    /// All was written, and nobody heard of it.
    After,
}

/// Over another engine, which lives on when this one has failed.
pub struct FailingCommits {
    inner: Arc<dyn Engine>,
    left: AtomicUsize,
    failure: Failure,
}

impl FailingCommits {
    /// Fails at commit number `at` (from 0) and at all later ones.
    pub fn new(inner: Arc<dyn Engine>, at: usize, failure: Failure) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(at), failure })
    }
}

impl Engine for FailingCommits {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.inner.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        Box::pin(async move {
            let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            let failed = || EngineError::Stopped("as the test wants it".to_owned());
            match (left, self.failure) {
                (Ok(_), _) => self.inner.commit(batch).await,
                (Err(_), Failure::Before) => Err(failed()),
                (Err(_), Failure::After) => {
                    self.inner.commit(batch).await?;
                    Err(failed())
                }
            }
        })
    }
}
