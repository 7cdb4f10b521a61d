//! What the engine has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

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

#[derive(Default)]
pub(super) struct Counters {
    pub groups: AtomicU64,
    pub batches: AtomicU64,
    pub conflicts: AtomicU64,
    pub writes: AtomicU64,
    pub syncs: AtomicU64,
    pub journal_bytes: AtomicU64,
    pub committer_nanoseconds: AtomicU64,
}

impl Counters {
    pub(super) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            groups: read(&self.groups),
            batches: read(&self.batches),
            conflicts: read(&self.conflicts),
            writes: read(&self.writes),
            syncs: read(&self.syncs),
            journal_bytes: read(&self.journal_bytes),
            committer_nanoseconds: read(&self.committer_nanoseconds),
        }
    }
}
