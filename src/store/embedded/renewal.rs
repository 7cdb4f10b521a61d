//! Removes deleted data from the disk too: from old journal and checkpoints, and from the free space of the index.
//!
//! [`EmbeddedEngine::forget_past`] begins a new journal segment and writes two checkpoints: everything older than both
//! is dropped, and the rest holds no record deleted before. [`EmbeddedEngine::renew_index`] copies the records into a
//! new index and deletes the old one, as sled leaves old bytes in its files until it happens to reuse the space.
//! Commits continue meanwhile; they wait only while the last few groups are applied.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use crate::store::engine::{Batch, Engine, EngineError};
use crate::store::fingerprint::Mark;
use crate::store::keys;
use crate::store::maintenance::CheckpointReport;

use super::checking::mismatch;
use super::health::being_rebuilt;
use super::index::{self, Index};
use super::layout::{indexes, newest_generation};
use super::new_index::{NewIndex, catch_up};
use super::open_error::OpenError;
use super::request::Request;
use super::{EmbeddedEngine, Shared};

/// Records copied at once.
const PAGE: usize = 1000;

impl EmbeddedEngine {
    /// Drops the journal and the checkpoints from before this call, replaces them with two new checkpoints, and begins
    /// the journal again; returns the second checkpoint. Also drops what the next backup would have needed: of the time
    /// since the last backup only the end can still be restored.
    ///
    /// # Errors
    /// [`EngineError`]: the store remains usable; retry.
    pub(crate) async fn forget_past(&self) -> Result<CheckpointReport, EngineError> {
        self.forget(false).await
    }

    /// As [`Self::forget_past`], but journal that is in no backup stays for the next one: data deleted before the last
    /// backup are gone, and every instant can still be restored.
    ///
    /// # Errors
    /// As [`Self::forget_past`].
    pub(crate) async fn forget_backed_up(&self) -> Result<CheckpointReport, EngineError> {
        self.forget(true).await
    }

    async fn forget(&self, hold: bool) -> Result<CheckpointReport, EngineError> {
        self.seal_now().await?;
        let first = self.write_checkpoint(hold).await?;
        // A checkpoint is named by the last group before it: without a group in between, the second would replace the
        // first and an older one would stay.
        let mut batch = Batch::new();
        batch.put(keys::setting("past"), self.shared.marks().applied.to_bytes().as_slice());
        self.commit(batch).await?;
        let second = self.write_checkpoint(hold).await?;
        let dropped_segments = first.dropped_segments + second.dropped_segments;
        let lost_to_backups = first.lost_to_backups + second.lost_to_backups;
        Ok(CheckpointReport { dropped_segments, lost_to_backups, ..second })
    }

    /// Replaces the present index with a new copy and deletes it from the disk.
    ///
    /// # Errors
    /// [`EngineError`]: the present one stays in use.
    pub(crate) async fn renew_index(&self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        let built = tokio::task::spawn_blocking(move || NewIndex::build(&shared)).await;
        let new = built.map_err(|e| EngineError::Stopped(e.to_string()))??;
        let path = new.path.clone();
        let taken = self.hand_over(new).await;
        if taken.is_err() {
            // The next start would take it for the newest and catch it up: correct, but slow.
            let _ = fs::remove_dir_all(path);
        }
        taken
    }

    async fn seal_now(&self) -> Result<Mark, EngineError> {
        let receiver = self.send_seal()?;
        let waiting = tokio::task::spawn_blocking(move || receiver.recv());
        waiting.await.ok().and_then(Result::ok).ok_or_else(stopped)?
    }

    async fn hand_over(&self, new: NewIndex) -> Result<(), EngineError> {
        let (answer, receiver) = oneshot::channel();
        self.shared.ask(Request::Index(new, answer))?;
        receiver.await.map_err(|_| stopped())?
    }
}

impl NewIndex {
    /// Copies all records, applies what was committed meanwhile, and compares the result with the journal.
    fn build(shared: &Arc<Shared>) -> Result<Self, EngineError> {
        // No checkpoint drops journal meanwhile.
        let _one_at_a_time = shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = newest_generation(&shared.directory).map_err(damaged)?.map_or(1, |last| last + 1);
        let path = indexes(&shared.directory).join(generation.to_string());
        let built = Self::fill(shared, generation, path.clone());
        if built.is_err() {
            // A half-built one would only slow down the next start.
            let _ = fs::remove_dir_all(path);
        }
        built
    }

    fn fill(shared: &Arc<Shared>, generation: u64, path: PathBuf) -> Result<Self, EngineError> {
        fs::create_dir_all(&path).map_err(written)?;
        let index = Index::open(&path, shared.settings.cache_bytes)?;
        let (copied, since) = (shared.health.generation(), shared.marks().applied);
        let mut range = index::everything();
        loop {
            let page = shared.with_index(|old| old.scan(&range, PAGE))?;
            index.apply(page.iter().map(|(key, value)| (key.0.as_slice(), Some(&**value))))?;
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last),
                _ => break,
            }
        }
        let mark = catch_up(shared, &index, since)?;
        let found = index.fingerprint()?;
        if found != mark.fingerprint {
            shared.suspect(copied, &mismatch(found, mark));
            return Err(being_rebuilt());
        }
        index.set_mark(mark)?;
        index.flush()?;
        Ok(Self { index, mark, generation, path })
    }
}

fn stopped() -> EngineError {
    EngineError::Stopped("it is closed".to_owned())
}

fn damaged(error: OpenError) -> EngineError {
    EngineError::Damaged(error.to_string())
}

fn written(error: std::io::Error) -> EngineError {
    EngineError::Unavailable { action: "written", reason: error.to_string() }
}
