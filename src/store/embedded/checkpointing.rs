//! Writes checkpoints while commits continue.
//!
//! The records are copied from the index while it changes, so the copy alone is exact for no instant; with the groups
//! committed meanwhile applied, it must match the journal's fingerprint of the last of them. This is checked, by
//! reading the file back from disk, before it counts and before any journal is dropped.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::store::checkpoint::{self, CheckpointError, CheckpointWriter};
use crate::store::engine::EngineError;
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::journal::segment;
use crate::store::journal::walk::{Found, walk};
use crate::store::maintenance::CheckpointReport;

use super::checking::mismatch;
use super::layout::{checkpoints, journal};
use super::request::Request;
use super::{EmbeddedEngine, Shared, for_backup, index, journal_since};

/// Number of checkpoints kept: one to use, one as fallback.
const KEPT: usize = 2;

/// Records copied at once.
const PAGE: usize = 1000;

impl EmbeddedEngine {
    /// Whether enough was written since the last checkpoint to make a new one worthwhile.
    pub fn checkpoint_due(&self) -> bool {
        journal_since(&self.shared) >= self.shared.settings.checkpoint_bytes
    }

    /// Writes a checkpoint and drops the journal that the last two checkpoints do not need. Commits continue meanwhile.
    ///
    /// # Errors
    /// [`EngineError`]: the older checkpoints and the whole journal stay. [`EngineError::Damaged`] if the index is
    /// wrong; it is then being rebuilt.
    pub async fn checkpoint(&self) -> Result<CheckpointReport, EngineError> {
        self.write_checkpoint(true).await
    }

    /// As [`Self::checkpoint`]; without `hold`, no earlier journal is kept for the next backup.
    pub(super) async fn write_checkpoint(&self, hold: bool) -> Result<CheckpointReport, EngineError> {
        let shared = self.shared.clone();
        let stopped = |e: tokio::task::JoinError| EngineError::Stopped(e.to_string());
        let report = tokio::task::spawn_blocking(move || write_checkpoint(&shared, hold)).await.map_err(stopped)??;
        self.note_head();
        Ok(report)
    }

    /// Stores how far the journal reaches outside it too, in case both journal and checkpoints lose their ends.
    fn note_head(&self) {
        if let Some(requests) = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A stopped committer has nothing to store.
            let _ = requests.send(Request::NoteHead);
        }
    }
}

fn write_checkpoint(shared: &Arc<Shared>, hold: bool) -> Result<CheckpointReport, EngineError> {
    let _one_at_a_time = shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    let report = write_and_publish(shared, hold);
    if report.is_err() {
        // On a full disk it would take scarce disk space. If removal fails, the next checkpoint replaces it.
        let _ = checkpoint::remove_unfinished(&checkpoints(&shared.directory));
    }
    report
}

fn write_and_publish(shared: &Arc<Shared>, hold: bool) -> Result<CheckpointReport, EngineError> {
    let covered = journal_since(shared);
    let (copied, since) = (shared.health.generation(), shared.marks().applied);
    let directory = checkpoints(&shared.directory);
    let mut writer = CheckpointWriter::begin(&directory, since)?;
    let mut range = index::everything();
    loop {
        let page = shared.with_index(|index| index.scan(&range, PAGE))?;
        page.iter().try_for_each(|(key, value)| writer.push(&key.0, value))?;
        match page.last() {
            Some((last, _)) if page.len() == PAGE => range = range.after(last),
            _ => break,
        }
    }
    // Everything that the copy can contain is in the journal up to here.
    let until = shared.marks().appended;
    let sealed = writer.seal(until)?;
    let found = add_up(shared, &sealed.path, since, until)?;
    if found != until.fingerprint {
        sealed.discard()?;
        let reason = mismatch(found, until);
        shared.suspect(copied, &reason);
        return Err(EngineError::Damaged(format!("the index is being rebuilt: {reason}")));
    }
    let name = sealed.publish()?;
    shared.covered.fetch_add(covered, Ordering::Relaxed);
    let bytes = fs::metadata(&name.path).map_err(written)?.len();
    let (dropped_segments, lost_to_backups) = drop_old(shared, hold)?;
    Ok(CheckpointReport { records: found.records, bytes, dropped_segments, lost_to_backups })
}

/// The fingerprint of the file on disk with the groups after `since` and up to `until` applied.
fn add_up(shared: &Shared, path: &std::path::Path, since: Mark, until: Mark) -> Result<Fingerprint, EngineError> {
    let mut later: HashMap<Vec<u8>, Option<Vec<u8>>> = HashMap::new();
    walk(&journal(&shared.directory), since.sequence, &mut |found| {
        if let Found::Record(record) = found
            && record.mark.sequence <= until.sequence
        {
            for (key, value) in record.writes() {
                later.insert(key.to_vec(), value.map(<[u8]>::to_vec));
            }
        }
        Ok(())
    })
    .map_err(|e| EngineError::Damaged(e.to_string()))?;
    let mut sum = Fingerprint::default();
    checkpoint::read(path, &mut |key, value| {
        if !later.contains_key(key) {
            sum.add(key, value);
        }
        Ok(())
    })?;
    for (key, value) in &later {
        if let Some(value) = value {
            sum.add(key, value);
        }
    }
    Ok(sum)
}

/// Drops all but the last checkpoints, and the journal that neither those nor, with `hold`, the next backup needs.
/// Returns the number of segments dropped, and how many of them the next backup would have needed.
fn drop_old(shared: &Shared, hold: bool) -> Result<(usize, usize), EngineError> {
    let directory = checkpoints(&shared.directory);
    let mut kept = checkpoint::list(&directory)?;
    let old = kept.drain(..kept.len().saturating_sub(KEPT)).collect::<Vec<_>>();
    // With a single checkpoint the whole journal stays as fallback.
    let Some(oldest) = kept.first().filter(|_| kept.len() == KEPT) else { return Ok((0, 0)) };
    let segments = segment::list(&journal(&shared.directory)).map_err(written)?;
    old.iter().try_for_each(|checkpoint| fs::remove_file(&checkpoint.path)).map_err(written)?;
    let unneeded =
        segments.partition_point(|segment| segment.first <= oldest.since.saturating_add(1)).saturating_sub(1);
    let held = for_backup::held(shared, segments.get(..=unneeded).unwrap_or_default())?;
    let kept = if hold { held.kept } else { 0 };
    let mut lost = 0;
    for (position, segment) in segments.iter().take(unneeded - kept).enumerate() {
        fs::remove_file(&segment.path).map_err(written)?;
        lost += usize::from(position >= held.saved);
    }
    Ok((unneeded - kept, lost))
}

fn written(error: std::io::Error) -> EngineError {
    EngineError::Unavailable { action: "written", reason: error.to_string() }
}

impl From<CheckpointError> for EngineError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Self::Full(source.to_string())
            }
            CheckpointError::Io { .. } => written(std::io::Error::other(error.to_string())),
            CheckpointError::Damaged { .. } | CheckpointError::Newer { .. } => Self::Damaged(error.to_string()),
        }
    }
}
