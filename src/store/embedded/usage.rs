//! The disk space that a store uses, and when its last checkpoint was written.

use std::fs;
use std::io;
use std::path::Path;

use crate::base::clock::Timestamp;
use crate::store::checkpoint;
use crate::store::engine::EngineError;
use crate::store::journal::segment;
use crate::store::maintenance::DiskUse;

use super::Shared;
use super::layout::{checkpoints, indexes, journal};

impl Shared {
    /// Measures the disk usage. Blocks for a moment.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub(super) fn disk_use(&self) -> Result<DiskUse, EngineError> {
        let directory = &self.directory;
        let mut found = DiskUse { index: bytes_below(&indexes(directory)), ..DiskUse::default() };
        let system = rustix::fs::statvfs(directory).map_err(|error| unreadable(error.into()))?;
        found.free = system.f_bavail.saturating_mul(system.f_frsize);
        let used = system.f_blocks.saturating_sub(system.f_bfree).saturating_mul(system.f_frsize);
        found.usable = used.saturating_add(found.free);
        for segment in segment::list(&journal(directory)).map_err(unreadable)? {
            // It may just have been dropped.
            found.journal += fs::metadata(&segment.path).map_or(0, |file| file.len());
        }
        let kept = checkpoint::list(&checkpoints(directory))?;
        if let Some(file) = kept.last().and_then(|last| fs::metadata(&last.path).ok()) {
            found.checkpoint = file.len();
            found.checkpoint_at = file.modified().ok().map(Timestamp::from);
        }
        Ok(found)
    }

    /// Bytes left on the disk for unprivileged users.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub(super) fn disk_free(&self) -> Result<u64, EngineError> {
        let system = rustix::fs::statvfs(&self.directory).map_err(|error| unreadable(error.into()))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

fn unreadable(error: io::Error) -> EngineError {
    EngineError::Unavailable { action: "looked at", reason: error.to_string() }
}

/// Approximate: files renamed or removed meanwhile are left out.
fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}
