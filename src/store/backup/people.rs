//! Reads the people in a backup.

use std::sync::Arc;

use crate::model::subscriber::Subscriber;
use crate::store::Store;
use crate::store::engine::{Batch, Engine, Key};
use crate::store::memory::MemoryEngine;
use crate::store::subscribers::read_record;

use super::BackupError;
use super::point::Point;
use super::repository::Repository;

/// Passes each subscriber in a backup to the callback, and returns an in-memory store with its suppressions, erasures
/// and counters. Blocks.
///
/// # Errors
/// [`BackupError`], also for an unreadable subscriber record.
pub(crate) fn read_people(
    point: &Point,
    repository: &Repository,
    visit: &mut dyn FnMut(Subscriber),
) -> Result<Store, BackupError> {
    let engine = Arc::new(MemoryEngine::new());
    let (mut batch, mut failure) = (Batch::new(), None);
    point.records(repository, &|key| matches!(key.first(), Some(b'c' | b's' | b'x' | b'X')), &mut |key, value| {
        if key.first() != Some(&b's') {
            batch.put(Key(key.to_vec()), value);
            return;
        }
        match read_record(value) {
            Ok(subscriber) => visit(subscriber),
            Err(e) => failure = failure.take().or(Some(e.to_string())),
        }
    })?;
    if let Some(what) = failure {
        return Err(BackupError::Damaged { path: repository.directory().to_owned(), what });
    }
    engine.put_all(batch);
    Ok(Store::new(engine as Arc<dyn Engine>))
}
