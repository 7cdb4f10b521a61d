//! What the engine has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::maintenance::Stats;

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
