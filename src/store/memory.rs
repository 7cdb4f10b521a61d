//! An engine in memory, for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::engine::{Batch, Commit, Engine, EngineFuture, Expect, Key, KeyRange, Value};
use super::maintenance::Maintenance;

/// Keeps everything in a map; lost when the process ends.
#[derive(Default)]
pub struct MemoryEngine {
    map: Mutex<BTreeMap<Key, Value>>,
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the writes of a batch without checking its preconditions.
    pub(crate) fn put_all(&self, batch: Batch) {
        let mut map = self.lock();
        for (key, value) in batch.writes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is on a disk.
impl Maintenance for MemoryEngine {}

impl Engine for MemoryEngine {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        let found = self.lock().get(key).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        let empty = range.to.as_ref().is_some_and(|to| *to <= range.from);
        let end = range.to.map_or(Bound::Unbounded, Bound::Excluded);
        let found = match empty {
            true => Vec::new(),
            false => {
                let map = self.lock();
                let all = map.range((Bound::Included(range.from), end));
                let owned = |(key, value): (&Key, &Value)| (key.clone(), value.clone());
                match range.backward {
                    true => all.rev().take(limit).map(owned).collect(),
                    false => all.take(limit).map(owned).collect(),
                }
            }
        };
        Box::pin(std::future::ready(Ok(found)))
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        if let Err(refused) = batch.admissible() {
            return Box::pin(std::future::ready(Err(refused)));
        }
        let mut map = self.lock();
        let unmet = batch.checks.iter().find(|(key, expect)| match expect {
            Expect::Absent => map.contains_key(key),
            Expect::Equals(value) => map.get(key) != Some(value),
        });
        if let Some((key, _)) = unmet {
            return Box::pin(std::future::ready(Ok(Commit::Conflict(key.clone()))));
        }
        for (key, value) in batch.writes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Box::pin(std::future::ready(Ok(Commit::Applied)))
    }
}
