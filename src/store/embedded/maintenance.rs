//! The upkeep of the embedded engine, as the rest of the program asks for it.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::metrics::parts::CommitMetrics;
use crate::store::engine_error::{EngineError, EngineFuture};
use crate::store::fingerprint::Mark;
use crate::store::journal::segment::SegmentName;
use crate::store::maintenance::{
    CheckStep, CheckpointReport, DiskUse, History, IndexHealth, Maintenance, Snapshot, SnapshotFile, Stats,
};

use super::EmbeddedEngine;
use super::layout::{checkpoints, journal};

impl Maintenance for EmbeddedEngine {
    fn broken(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(EmbeddedEngine::broken(self))
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        let closing = self.closing();
        Box::pin(blocking(closing))
    }

    fn checkpoint_due(&self) -> bool {
        EmbeddedEngine::checkpoint_due(self)
    }

    fn checkpoint(&self) -> EngineFuture<'_, Option<CheckpointReport>> {
        Box::pin(async { EmbeddedEngine::checkpoint(self).await.map(Some) })
    }

    fn check_some(&self) -> EngineFuture<'_, CheckStep> {
        Box::pin(EmbeddedEngine::check_some(self))
    }

    fn erase_history(&self, history: History) -> EngineFuture<'_, usize> {
        Box::pin(async move {
            let done = match history {
                History::All => self.forget_past().await?,
                History::BackedUp => self.forget_backed_up().await?,
            };
            Ok(done.lost_to_backups)
        })
    }

    fn erase_free_space(&self) -> EngineFuture<'_, ()> {
        Box::pin(self.renew_index())
    }

    fn records(&self) -> Option<u64> {
        Some(self.mark().fingerprint.records)
    }

    fn index_health(&self) -> Option<IndexHealth> {
        Some(EmbeddedEngine::index_health(self))
    }

    fn doubt(&self) -> Option<String> {
        self.shared.doubt.clone()
    }

    fn stats(&self) -> Option<Stats> {
        Some(EmbeddedEngine::stats(self))
    }

    fn metrics(&self) -> CommitMetrics {
        self.shared.metrics.clone()
    }

    fn disk_use(&self) -> EngineFuture<'_, Option<DiskUse>> {
        let shared = self.shared.clone();
        Box::pin(blocking(move || shared.disk_use().map(Some)))
    }

    fn disk_free(&self) -> Result<Option<u64>, EngineError> {
        self.shared.disk_free().map(Some)
    }

    fn snapshot(&self) -> Result<Snapshot, EngineError> {
        EmbeddedEngine::snapshot(self)
    }

    fn snapshot_bytes(&self) -> u64 {
        let directory = &self.shared.directory;
        let folders = [journal(directory), checkpoints(directory)];
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        files.map(|file| file.metadata().map_or(0, |found| found.len())).sum()
    }

    fn snapshot_file(&self, file: SnapshotFile) -> Option<PathBuf> {
        let directory = &self.shared.directory;
        Some(match file {
            SnapshotFile::Checkpoint(since) => checkpoints(directory).join(format!("{since:020}.checkpoint")),
            SnapshotFile::Segment(first) => SegmentName::new(&journal(directory), first).path,
        })
    }

    fn note_backed_up(&self, mark: Mark) -> Result<(), EngineError> {
        EmbeddedEngine::note_backed_up(self, mark)
    }
}

/// Runs what waits for the disk on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| EngineError::Stopped(error.to_string()))?
}
