//! What an engine needs besides reads and commits: checkpoints, verification, erasing for good, backups, figures, and
//! a stop. [`super::Store::maintenance`] gives it out, so only the code that opens a store knows which engine it is.
//!
//! Each method has a default for an engine that needs nothing of the kind: it does nothing and says so. An engine in a
//! database server, for example, writes no checkpoints and checks no index; its [`snapshot`](Maintenance::snapshot) is a
//! dump.

use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::base::clock::Timestamp;
use crate::metrics::parts::CommitMetrics;

use super::engine_error::{EngineError, EngineFuture};
use super::fingerprint::Mark;

/// The result of writing a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Records in it.
    pub records: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Number of journal segments dropped.
    pub dropped_segments: usize,
    /// Of these, the number not yet in any backup although backups are made: their time cannot be restored to.
    pub lost_to_backups: usize,
}

/// The progress of a comparison of the index with what it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStep {
    /// There is more to read.
    More,
    /// All of it was read (this many records) and matches.
    Whole(u64),
    /// The engine has no index of its own to compare.
    Nothing,
}

/// The history that is dropped so that it no longer holds deleted records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// All of it, also what the next backup would have needed: of the time since the last backup only the end can still
    /// be restored.
    All,
    /// What is in a backup; the rest stays for the next one, and every instant can still be restored.
    BackedUp,
}

/// A snapshot of the counters since the engine was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Groups made durable.
    pub groups: u64,
    /// Batches applied.
    pub batches: u64,
    /// Batches refused because a precondition did not hold.
    pub conflicts: u64,
    /// Puts and deletes applied.
    pub writes: u64,
    /// Times that a journal file was synced.
    pub syncs: u64,
    /// Bytes appended to the journal.
    pub journal_bytes: u64,
    /// CPU time of the committer thread, in nanoseconds.
    pub committer_nanoseconds: u64,
}

/// The disk space that a store uses, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// The journal.
    pub journal: u64,
    /// The index.
    pub index: u64,
    /// The last checkpoint; 0 if absent.
    pub checkpoint: u64,
    /// When the last checkpoint was written, by the file system's clock.
    pub checkpoint_at: Option<Timestamp>,
    /// Bytes left on the disk for unprivileged users.
    pub free: u64,
    /// Total bytes of the disk usable by unprivileged users: used plus free for them, as `df` counts.
    pub usable: u64,
}

impl DiskUse {
    /// The free share of the disk, 0 to 1; 1 if unknown.
    pub(crate) fn free_share(&self) -> f64 {
        if self.usable == 0 { 1.0 } else { self.free as f64 / self.usable as f64 }
    }
}

/// The health of the index. It can always be rebuilt from checkpoint and journal, so damage to it loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexHealth {
    /// The damage, if any: reads and commits wait until the index has been rebuilt.
    pub damaged: Option<String>,
    /// When it was last rebuilt because it was damaged or missing, and why; since and including the start.
    pub rebuilt: Option<(Timestamp, String)>,
    /// Number of rebuilds since and including the start.
    pub rebuilds: u64,
    /// When all its records were last compared with its mark.
    pub checked: Option<Timestamp>,
}

/// An open file that never changes again.
#[derive(Debug)]
pub struct Sealed {
    /// The number of a segment's first group, or the group after which a checkpoint was begun.
    pub number: u64,
    /// Its path when it was opened.
    pub path: PathBuf,
    /// The open file; readable even if it was removed from the path.
    pub file: File,
    /// Its length in bytes.
    pub bytes: u64,
}

/// All files that lead to one mark: a checkpoint and the journal after it. A dump is a checkpoint of the mark itself,
/// without journal.
#[derive(Debug)]
pub struct Snapshot {
    /// The store's mark.
    pub mark: Mark,
    /// The journal's segments up to the mark, in order, without a gap.
    pub segments: Vec<Sealed>,
    /// The newest checkpoint, if there is one.
    pub checkpoint: Option<Sealed>,
}

/// A file that an earlier [`Snapshot`] contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFile {
    /// The checkpoint begun after this group.
    Checkpoint(u64),
    /// The journal's segment that begins with this group.
    Segment(u64),
}

/// The upkeep of an engine. The defaults are those of an engine that needs none.
pub trait Maintenance: Send + Sync + 'static {
    /// Completes with the reason when nothing is acknowledged until the store is reopened. Closing does not complete it.
    fn broken(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    /// Completes pending requests and stops. Later calls of the engine return [`EngineError::Stopped`]; closing twice
    /// does nothing.
    ///
    /// # Errors
    /// [`EngineError`]: everything acknowledged is durable nevertheless.
    fn close(&self) -> EngineFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether enough was written since the last checkpoint to make a new one worthwhile.
    fn checkpoint_due(&self) -> bool {
        false
    }

    /// Writes a checkpoint and drops the journal that it makes superfluous. Commits continue meanwhile. `None` if the
    /// engine has no checkpoints.
    ///
    /// # Errors
    /// [`EngineError`]: the older checkpoints and the whole journal stay.
    fn checkpoint(&self) -> EngineFuture<'_, Option<CheckpointReport>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Verifies the next piece of the index. Damage is repaired; until then reads and commits wait.
    ///
    /// # Errors
    /// [`EngineError::Damaged`]: it is being repaired. After any error the next call starts again.
    fn check_some(&self) -> EngineFuture<'_, CheckStep> {
        Box::pin(std::future::ready(Ok(CheckStep::Nothing)))
    }

    /// Removes deleted records from the history of changes. Returns how many parts of the history were dropped that are
    /// in no backup although backups are made.
    ///
    /// # Errors
    /// [`EngineError`]: the store remains usable; retry.
    fn erase_history(&self, _history: History) -> EngineFuture<'_, usize> {
        Box::pin(std::future::ready(Ok(0)))
    }

    /// Removes deleted records from the free space of the files that reads use.
    ///
    /// # Errors
    /// [`EngineError`]: the files stay as they were.
    fn erase_free_space(&self) -> EngineFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Number of records, if known without counting them.
    fn records(&self) -> Option<u64> {
        None
    }

    /// The health of the index, if the engine has one that it repairs itself.
    fn index_health(&self) -> Option<IndexHealth> {
        None
    }

    /// A warning for the operator about how the store was opened: acknowledged changes may be missing, and why.
    fn doubt(&self) -> Option<String> {
        None
    }

    /// The counters since the engine was opened, if it counts.
    fn stats(&self) -> Option<Stats> {
        None
    }

    /// Metrics of commits; they stay empty if the engine measures none.
    fn metrics(&self) -> CommitMetrics {
        CommitMetrics::default()
    }

    /// Measures the disk usage; `None` if the engine uses no disk of this machine.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    fn disk_use(&self) -> EngineFuture<'_, Option<DiskUse>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Bytes left on the disk for unprivileged users; `None` if the engine uses no disk of this machine.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    fn disk_free(&self) -> Result<Option<u64>, EngineError> {
        Ok(None)
    }

    /// The files for a backup: all records as of the last durable commit. Commits continue meanwhile. Blocks.
    ///
    /// # Errors
    /// [`EngineError`]; [`EngineError::Unsupported`] if the engine cannot be backed up this way.
    fn snapshot(&self) -> Result<Snapshot, EngineError> {
        Err(EngineError::Unsupported("makes no backups"))
    }

    /// About how many bytes a snapshot has now; 0 if unknown.
    fn snapshot_bytes(&self) -> u64 {
        0
    }

    /// Where the engine still has a file of an earlier snapshot, if it keeps such files: the file itself may be gone.
    fn snapshot_file(&self, _file: SnapshotFile) -> Option<PathBuf> {
        None
    }

    /// Stores that everything up to `mark` is in a backup, so that the history before it need not be kept.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`]: more history than needed is kept, until the next backup.
    fn note_backed_up(&self, _mark: Mark) -> Result<(), EngineError> {
        Ok(())
    }
}
